"""sagactl list, log, watch and wait on real sagas: filters, streams over a coordinator's death, and what a terminal shows."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from harness import TestStack
from shop_client import Shop, wait_until
from terminal import Terminal
from test_sagactl import SAGACTL, UNKNOWN_ID, Sagactl


@pytest.fixture(scope="module")
def sagactl(stack: TestStack) -> Sagactl:
    return Sagactl(stack)


@contextmanager
def suspended(stack: TestStack, service: str) -> Iterator[None]:
    stack.suspend(service)
    try:
        yield
    finally:
        stack.resume(service)


def unfinished(sagactl: Sagactl, stack: TestStack) -> str:
    """A saga that waits for a payment service that does not answer."""
    saga_id = sagactl.start()
    wait_until(lambda: "ORDER_CREATED" in sagactl("get", saga_id).stdout, "the first step is done")
    return saga_id


# ---- list and log --------------------------------------------------------------------------------------------------------


def test_list_filters_by_label_state_and_key(sagactl: Sagactl, shop: Shop) -> None:
    label = f"run=list-{time.time_ns()}"
    good = [sagactl.start("--label", label) for _ in range(3)]
    bad = sagactl.start("--label", label, force_payment_fail=True)
    for saga_id in (*good, bad):
        shop.finished(saga_id)
    assert sagactl("list", "--label", label, "-q").stdout.split() == [bad, *reversed(good)]
    assert sagactl("list", "--label", label, "-q", "--oldest-first").stdout.split() == [*good, bad]
    assert sagactl("list", "--label", label, "--state", "completed", "-q").stdout.split() == list(reversed(good))
    assert sagactl("list", "--label", label, "--state", "compensated,failed", "-q").stdout.split() == [bad]
    assert sagactl("list", "--label", label, "--state", "open", "-q").stdout == ""
    assert sagactl("list", "--label", label, "--until", "1h", "-q").stdout == ""
    assert sagactl("list", "--label", label, "--since", "1h", "--definition", "checkout", "-q").stdout.count("\n") == 4
    key = json.loads(sagactl("get", bad, "-o", "json").stdout)["key"]
    assert [saga["sagaId"] for saga in json.loads(sagactl("list", "--key", key, "-o", "json").stdout)] == [bad]
    limited = sagactl("list", "--label", label, "--limit", "2")
    assert [line.split()[0] for line in limited.stdout.splitlines()[1:]] == [bad, good[2]]
    assert "there are more than these 2" in limited.stderr


def test_list_without_a_match_is_empty_in_every_format(sagactl: Sagactl) -> None:
    assert sagactl("list", "--key", "nobody").stderr == "sagactl: no saga fits\n"
    assert json.loads(sagactl("list", "--key", "nobody", "-o", "json").stdout) == []
    assert sagactl("list", "--key", "nobody", "-o", "jsonl").stdout == ""


def test_the_log_is_complete_in_both_formats(sagactl: Sagactl, shop: Shop) -> None:
    saga_id = sagactl.start(force_inventory_fail=True)
    events = len(shop.finished(saga_id).events)
    table = sagactl("log", saga_id).stdout.splitlines()
    assert table[0].split()[:3] == ["SEQ", "TIME", "STATE"] and len(table) == events + 1
    assert "INVENTORY_FAILED" in "\n".join(table)
    logged = json.loads(sagactl("log", saga_id, "-o", "json").stdout)
    assert [int(event["sequence"]) for event in logged] == list(range(1, events + 1))
    sagactl("log", UNKNOWN_ID, code=3)


# ---- one saga --------------------------------------------------------------------------------------------------------------


def test_watch_prints_a_line_for_each_event_and_exits_by_the_outcome(sagactl: Sagactl, shop: Shop) -> None:
    for fields, code, state in (({}, 0, "COMPLETED"), ({"force_inventory_fail": True}, 5, "COMPENSATED")):
        saga_id = sagactl.start(**fields)
        lines = sagactl("watch", saga_id, code=code).stdout.splitlines()
        assert lines[0].startswith(f"saga {saga_id}  checkout v") and f"  {state}" in lines[-1]
        assert len(lines) == len(shop.get(saga_id).events) + 2
        assert all(line.startswith("  +") for line in lines[1:-1])
    sagactl("watch", UNKNOWN_ID, code=3)


def test_watch_in_json_lines_has_every_event_once(sagactl: Sagactl, shop: Shop) -> None:
    saga_id = sagactl.start()
    messages = [json.loads(line) for line in sagactl("watch", saga_id, "-o", "jsonl").stdout.splitlines()]
    sequences = [int(event["sequence"]) for message in messages for event in message.get("events", [])]
    assert sequences == list(range(1, len(shop.get(saga_id).events) + 1))
    assert messages[-1]["saga"]["state"] == "SAGA_STATE_COMPLETED"


def test_wait_tells_the_worst_outcome_and_its_own_time(sagactl: Sagactl, stack: TestStack, shop: Shop) -> None:
    good, bad = sagactl.start(), sagactl.start(force_payment_fail=True)
    lines = sagactl("wait", "-", given=f"{good}\n{bad}\n", code=5).stdout.splitlines()
    assert [line.split()[1] for line in lines] == [good, bad]
    sagactl("wait", good)
    with suspended(stack, "payment"):
        slow = unfinished(sagactl, stack)
        over = sagactl("wait", slow, "--timeout", "300ms", code=7)
        assert f"saga {slow} is RUNNING and goes on" in over.stderr
    shop.finished(slow)


def test_start_with_wait_ends_with_the_saga(sagactl: Sagactl) -> None:
    given = json.dumps(Shop.input())
    text = sagactl("start", "checkout", "--input", "-", "--wait", given=given).stdout
    assert text.splitlines()[-1].endswith("  COMPLETED")
    given = json.dumps(Shop.input(force_payment_fail=True))
    saga = json.loads(sagactl("start", "checkout", "--input", "-", "--wait", "-o", "json", given=given, code=5).stdout)
    assert saga["state"] == "SAGA_STATE_COMPENSATED" and saga["events"][0]["sequence"] == "1"


def test_watch_survives_a_coordinator_that_is_killed(
    sagactl: Sagactl, stack: TestStack, shop: Shop, tmp_path: Path
) -> None:
    output = tmp_path / "watch.out"
    with suspended(stack, "payment"):
        saga_id = unfinished(sagactl, stack)
        with output.open("w") as file:
            watch = subprocess.Popen([SAGACTL, "watch", saga_id], stdout=file, stderr=subprocess.PIPE, text=True,
                                     env={**os.environ, **sagactl.environment})
        wait_until(lambda: "ORDER_CREATED" in output.read_text(), "it watches")
        stack.kill("coordinator")
        stack.wait_ready("coordinator")
    errors = watch.communicate(timeout=90)[1]
    assert watch.returncode == 0, errors
    assert "the connection is lost, trying again" in errors
    lines = output.read_text().splitlines()
    assert lines[0].startswith(f"saga {saga_id}") and lines[-1].endswith("  COMPLETED")
    assert len(lines) == len(shop.get(saga_id).events) + 2, "every event once"


# ---- many sagas --------------------------------------------------------------------------------------------------------------


def test_watching_many_shows_what_fits_until_interrupted(sagactl: Sagactl, shop: Shop) -> None:
    label = f"run=watch-{time.time_ns()}"
    words = [SAGACTL, "watch", "--label", label, "--outcomes", "-o", "jsonl", "--current"]
    with scheduled(sagactl, label) as current:
        watch = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                 env={**os.environ, **sagactl.environment})
        assert watch.stdout
        first = json.loads(watch.stdout.readline())
        assert first["saga"]["sagaId"] == current and "event" not in first
    good = sagactl.start("--label", label)
    bad = sagactl.start("--label", label, force_payment_fail=True)
    sagactl.start(force_payment_fail=True)  # without the label
    changes = [json.loads(watch.stdout.readline()) for _ in range(3)]
    assert {change["saga"]["sagaId"]: change["event"]["state"] for change in changes} == {
        current: "SAGA_STATE_COMPENSATED", good: "SAGA_STATE_COMPLETED", bad: "SAGA_STATE_COMPENSATED"}
    watch.send_signal(signal.SIGINT)
    assert watch.stdout.read() == "" and watch.stderr and watch.stderr.read() == ""
    assert watch.wait(timeout=10) == 130


@contextmanager
def scheduled(sagactl: Sagactl, label: str) -> Iterator[str]:
    """A saga that waits for its time, and is cancelled in the end."""
    saga_id = sagactl.start("--label", label, "--delay", "1h")
    yield saga_id
    sagactl("cancel", saga_id, "--reason", "the test is over")


def test_watching_many_for_a_time_ends_well(sagactl: Sagactl) -> None:
    assert sagactl("watch", "--state", "stuck", "--timeout", "200ms").stdout == ""
    sagactl("watch", "--state", "stuck", UNKNOWN_ID, code=2)


# ---- on a terminal ---------------------------------------------------------------------------------------------------------


def test_a_terminal_shows_a_timeline_that_is_drawn_in_place(sagactl: Sagactl, stack: TestStack) -> None:
    with suspended(stack, "payment"):
        saga_id = unfinished(sagactl, stack)
        terminal = Terminal([SAGACTL, "watch", saga_id], sagactl.environment)
        terminal.wait_for(lambda screen: "charge-payment     DISPATCHED" in screen, "the running step")
        assert "runs for" in terminal.screen and "✓  create-order" in terminal.screen
    assert terminal.finish() == 0
    screen = terminal.screen
    assert screen.count(f"saga {saga_id}") == 1, f"it was drawn again and again, but in one place:\n{screen}"
    assert screen.splitlines()[0].endswith("  COMPLETED") and "took" in screen
    assert "\x1b[32m" in terminal.raw
    assert terminal.raw.rfind("\x1b[?25h") > terminal.raw.rfind("\x1b[?25l"), "the cursor is visible again"


def test_ctrl_c_leaves_a_tidy_screen_and_the_saga_alone(sagactl: Sagactl, stack: TestStack, shop: Shop) -> None:
    with suspended(stack, "payment"):
        saga_id = unfinished(sagactl, stack)
        terminal = Terminal([SAGACTL, "watch", saga_id], sagactl.environment)
        terminal.wait_for(lambda screen: "DISPATCHED" in screen, "the running step")
        terminal.interrupt()
        assert terminal.finish() == 130
        assert terminal.screen.rstrip().endswith(
            f"sagactl: saga {saga_id} is RUNNING and goes on; `sagactl watch {saga_id}` follows it again")
        assert "\x1b[?25h" in terminal.raw
    assert shop.finished(saga_id).end_time.seconds > 0


def test_colours_obey_no_color_and_the_flag(sagactl: Sagactl) -> None:
    saga_id = sagactl.start(force_payment_fail=True)
    sagactl("wait", saga_id, code=5)
    plain = Terminal([SAGACTL, "get", saga_id], sagactl.environment | {"NO_COLOR": "1"})
    assert plain.finish() == 0
    assert "\x1b[" not in plain.raw and "✗  charge-payment" in plain.screen
    assert "\x1b[33m" in sagactl("get", saga_id, "--color", "always").stdout
    coloured = Terminal([SAGACTL, "list", "--limit", "3"], sagactl.environment, columns=70)
    assert coloured.finish() == 0 and "\x1b[33mCOMPENSATED" in coloured.raw
    ids = [line.split()[0] for line in coloured.screen.splitlines()[1:4]]
    assert saga_id in ids and all(len(saga) == 36 for saga in ids), "columns give way, ids do not"


def test_a_window_of_few_lines_keeps_the_newest_events(sagactl: Sagactl) -> None:
    saga_id = sagactl.start("--delay", "2s")
    terminal = Terminal([SAGACTL, "watch", saga_id], sagactl.environment, columns=80, rows=13)
    terminal.wait_for(lambda screen: "earlier" in screen or "took" in screen, "the events outgrow the window")
    assert terminal.finish() == 0
    assert terminal.screen.count(f"saga {saga_id}") == 1
