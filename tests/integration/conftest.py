"""Fixtures: `stack` is a running Amends of the session's own (harness.py), `shop` its clients (shop_client.py)."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
STUBS = ROOT / "build" / "gen" / "python"
for folder in (STUBS, ROOT / "deploy"):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))

# Before grpc is loaded: its handlers for forks start threads in the child, which abort when subprocess closes the
# descriptors that they wait for, so that a service sometimes died before it was one.
os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "0"

from harness import TestStack  # noqa: E402
from stack.folders import Folders  # noqa: E402

BUILD = Folders.of_clone().build  # build/dev, or the one with sanitizers

PR_SET_PDEATHSIG = 1


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("amends")
    group.addoption("--rounds", type=int, default=2, help="rounds of test_fault_rounds.py")
    group.addoption("--seed", type=int, default=20260, help="what decides victims and moments of those rounds")
    group.addoption("--victim", action="append", default=[], help="of those rounds, instead of all in turn; may be repeated")
    group.addoption("--long-outages", action="store_true", help="what is away stays away for 60 s instead of 8 s or 20 s")


def pytest_configure(config: pytest.Config) -> None:
    """However the run is ended, fixtures come down: SIGTERM counts as Ctrl-C, and so does the death of tests/run."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)


def _interrupt(number: int, frame: object) -> None:
    signal.signal(number, signal.SIG_IGN)  # once: taking down must not be interrupted in turn
    raise KeyboardInterrupt(signal.Signals(number).name)


@pytest.fixture(scope="session")
def stack() -> Iterator[TestStack]:
    """Everything up: servers, services, schemas, topics, the checkout's definition."""
    stack = TestStack()
    stack.up()
    yield stack
    stack.down()


@pytest.fixture(autouse=True)
def _nothing_died_unasked(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if "stack" in request.fixturenames or "shop" in request.fixturenames:
        request.getfixturevalue("stack").check_alive()


@pytest.fixture(scope="session")
def shop(stack: TestStack):
    from shop_client import Shop

    shop = Shop(stack.endpoints)
    shop.restock("prod-1", 1_000_000)  # enough for every test: most of them buy some
    yield shop
    shop.close()


@pytest.fixture
def start_registry(stack: TestStack, tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """start_registry(*flags) is one more schema registry over the stack's database (registry_instance.py), or over the one that
    `conninfo` names."""
    from registry_instance import Instance

    instances: list[Instance] = []

    def start(*flags: str, conninfo: str = stack.endpoints["PG_REGISTRY_DSN"]) -> Instance:
        log = tmp_path / f"registry-{len(instances)}.log"
        instances.append(Instance(stack.program("schema-registry"), conninfo, log, *flags))
        return instances[-1]

    yield start
    for instance in instances:
        instance.stop()


def pytest_terminal_summary(terminalreporter, exitstatus: int) -> None:
    if exitstatus == pytest.ExitCode.TESTS_FAILED:
        terminalreporter.write_line(f"logs of the services: {ROOT}/build/test-stack/logs")
