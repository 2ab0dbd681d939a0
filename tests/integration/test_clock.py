"""Waits of a day under shifted clocks: a timer fires once its time has come by the database's clock, once, whatever clocks do
in between (I12); and a signal reaches a saga that a restart lies before."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timezone

import pytest
from harness import TestStack
from saga.v1 import saga_pb2
from shifted_clock import ShiftedClock
from shop_client import Shop, http, wait_until
from test_check_participants import check_all, moment
from test_course import CHARGE, register, signal, step

DELAY = "  - id: cool-off\n    wait: {delay: 24h}\n\n"
APPROVAL = "  - id: approval\n    wait: {signal: approved, timeout: 24h}\n\n"
SWEEPS_S = 3  # several sweeps: what wants to fire has fired


@pytest.fixture(scope="module")
def delayed(shop: Shop) -> str:
    return register(shop, "clock-delayed", (CHARGE, DELAY + CHARGE))


@pytest.fixture(scope="module")
def approved(shop: Shop) -> str:
    return register(shop, "clock-approved", (CHARGE, APPROVAL + CHARGE))


@pytest.fixture
def since() -> str:
    return moment()


@pytest.fixture
def database_clock(shop: Shop, stack: TestStack) -> Iterator[ShiftedClock]:
    with closing(ShiftedClock(stack, "postgres")) as clock:
        stack.wait_ready("coordinator")
        before = shop.query("saga", "select now()")[0][0]
        clock.shift(1)
        shifted_s = (shop.query("saga", "select now()")[0][0] - before).total_seconds()
        assert 3600 <= shifted_s < 3660  # or the tests would show nothing
        clock.shift(0)
        yield clock


def has_seen_the_database_clock(shop: Shop) -> bool:
    created = shop.start(shop.input()).saga.create_time.seconds
    [(now,)] = shop.query("saga", "select extract(epoch from now())::bigint")
    return abs(created - now) < 60


def begin(shop: Shop, definition: str, step_id: str) -> str:
    """Not before the coordinator, which looks at every sweep, has left the time of an earlier test."""
    wait_until(lambda: has_seen_the_database_clock(shop), "the coordinator knows what time it is", 30, 0.2)
    saga_id = shop.start(shop.input(), definition=definition).saga.saga_id
    wait_until(lambda: step(shop.get(saga_id), step_id) == "WAITING", "the saga waits", 30)
    return saga_id


def assert_waits(shop: Shop, saga_id: str, step_id: str) -> None:
    end = time.monotonic() + SWEEPS_S
    while time.monotonic() < end:
        assert step(shop.get(saga_id, wait_s=0.5), step_id) == "WAITING"


def assert_went_on_once(shop: Shop, saga_id: str, step_id: str, since: str) -> None:
    saga = shop.finished(saga_id)
    assert saga.state == saga_pb2.SAGA_STATE_COMPLETED, saga
    events = Counter(event.event for event in saga.events if event.step_id == step_id)
    assert max(events.values()) == 1, events
    assert Counter(event.event for event in saga.events)["succeeded"] >= 5
    paid = shop.query("payment", "select count(*) from payments where order_id::text = %s and status = 'CHARGED'", saga.key)
    assert paid == [(1,)]
    checked = check_all(shop, "--since", since, "--all-ended")
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_a_day_is_over_when_the_database_says_so(shop: Shop, stack: TestStack, delayed: str, database_clock, since: str) -> None:
    saga_id = begin(shop, delayed, "cool-off")
    stack.kill("coordinator")
    database_clock.shift(23)
    stack.wait_ready("coordinator")
    assert_waits(shop, saga_id, "cool-off")
    stack.kill("coordinator")
    database_clock.shift(24)
    stack.wait_ready("coordinator")
    assert_went_on_once(shop, saga_id, "cool-off", since)


def test_a_clock_that_jumps_fires_a_timer_once_and_loses_none(
    shop: Shop, stack: TestStack, delayed: str, database_clock, since: str
) -> None:
    saga_id = begin(shop, delayed, "cool-off")
    for hours in (20, -20, 0):
        database_clock.shift(hours)
        assert_waits(shop, saga_id, "cool-off")
    stack.suspend("payment")
    try:
        database_clock.shift(25)
        wait_until(lambda: step(shop.get(saga_id), "charge-payment") == "DISPATCHED", "the timer fires", 30)
        database_clock.shift(0)  # before the time at which it fired
        stack.kill("coordinator")
        stack.wait_ready("coordinator")
    finally:
        stack.resume("payment")
    assert_went_on_once(shop, saga_id, "cool-off", since)


def ahead_hours(shop: Shop) -> float:
    """By how much the coordinator's calendar is ahead of ours."""
    status, answer = http("GET", shop.endpoints["SAGA_HTTP"] + "/health")
    assert status == 200, answer
    return (datetime.fromisoformat(answer["timestamp"]) - datetime.now(timezone.utc)).total_seconds() / 3600


@pytest.mark.parametrize("hours", [48, -48])
def test_a_coordinator_with_a_wrong_clock_waits_as_long_as_others(
    shop: Shop, stack: TestStack, delayed: str, database_clock, since: str, hours: int
) -> None:
    saga_id = begin(shop, delayed, "cool-off")
    with closing(ShiftedClock(stack, "coordinator")) as clock:
        clock.shift(hours)
        assert_waits(shop, saga_id, "cool-off")
        stack.kill("coordinator")
        stack.wait_ready("coordinator")
        assert abs(ahead_hours(shop) - hours) < 1
        assert_waits(shop, saga_id, "cool-off")
    database_clock.shift(24)
    assert_went_on_once(shop, saga_id, "cool-off", since)


def test_a_signal_reaches_a_saga_after_a_restart(shop: Shop, stack: TestStack, approved: str, since: str) -> None:
    waiting, signalled = begin(shop, approved, "approval"), begin(shop, approved, "approval")
    stack.suspend("payment")
    assert not signal(shop, signalled).already_signalled
    stack.kill("coordinator")
    stack.wait_ready("coordinator")
    assert signal(shop, signalled).already_signalled
    assert step(shop.get(waiting), "approval") == "WAITING"
    assert not signal(shop, waiting).already_signalled
    stack.resume("payment")
    for saga_id in (waiting, signalled):
        assert_went_on_once(shop, saga_id, "approval", since)


def test_a_day_without_the_signal_turns_the_saga_back(shop: Shop, stack: TestStack, approved: str, database_clock) -> None:
    saga_id = begin(shop, approved, "approval")
    stack.restart("coordinator")
    database_clock.shift(24)
    saga = shop.finished(saga_id)
    assert (saga.state, saga.step) == (saga_pb2.SAGA_STATE_COMPENSATED, "APPROVAL_TIMED_OUT")
