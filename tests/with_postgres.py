"""Runs a command with AMENDS_TEST_POSTGRES: a database on a Postgres of its own, which ends and is deleted with it.

usage: with_postgres.py COMMAND [ARGUMENT…]

For the unit tests of what speaks SQL: tests/run gives them this. Data and log are in build/test-unit; the exit code is the
command's. A database that is named already (AMENDS_TEST_POSTGRES=postgresql://…) is used as it is.
"""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "deploy"))

from stack import ports  # noqa: E402
from stack.errors import StackError  # noqa: E402
from stack.folders import Folders  # noqa: E402
from stack.group import Group, end_leftovers  # noqa: E402
from stack.postgres import PrivatePostgres  # noqa: E402

VARIABLE = "AMENDS_TEST_POSTGRES"
DATABASE = "unit"
START_S = 60


@contextmanager
def database(folders: Folders) -> Iterator[str]:
    """The DSN of a fresh database."""
    folders.state.parent.mkdir(parents=True, exist_ok=True)
    with open(folders.state.parent / f".{folders.state.name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # a second run waits its turn
        end_leftovers(folders)
        folders.delete_data()
        folders.make()
        chosen = ports.choose(["postgres"], 20000 + os.getpid() % 500 * 20)
        postgres = PrivatePostgres(folders, chosen["postgres"], [DATABASE])
        group = Group(folders, [postgres.unit()], restart=False)
        try:
            group.wait(group.want(["postgres"]), START_S)
            yield postgres.login(DATABASE).dsn
        finally:
            group.stop()
            folders.delete_data(keep_logs=True)
            chosen.release()


def run(command: Sequence[str], environment: dict[str, str]) -> int:
    child = subprocess.Popen(command, env=environment)
    try:
        return child.wait()
    finally:
        if child.poll() is None:
            child.terminate()
            child.wait()


def main(command: Sequence[str]) -> int:
    if not command:
        print(__doc__, file=sys.stderr)
        return 2
    if os.environ.get(VARIABLE):
        return run(command, dict(os.environ))
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    try:
        with database(Folders.of_clone("test-unit")) as dsn:
            return run(command, {**os.environ, VARIABLE: dsn})
    except StackError as error:
        print(f"error: no Postgres for the unit tests: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _interrupt(number: int, frame: object) -> None:
    signal.signal(number, signal.SIG_IGN)  # once: taking down must not be interrupted in turn
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
