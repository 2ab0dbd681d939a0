"""Signals that bring a value: checked against the schema that the definition names, kept from before their step begins, through a
kill of the coordinator, until a later command takes fields from it."""

from __future__ import annotations

from collections.abc import Iterator

import grpc
import pytest
from flow_trade import Participant, around_a_wait
from google.rpc import error_details_pb2
from harness import TestStack
from saga.v1 import saga_pb2, saga_service_pb2
from shop_client import Shop, wait_until
from test_api import details, refusal
from test_check_participants import check_all, moment
from test_course import CHARGE, register, step

APPROVAL = 'syntax = "proto3"; package flow; message Approval { string note = 1; int64 amount_limit = 2; }'
DEFINITION = around_a_wait("approval", "signal: approved, value: {participant}-approval, timeout: 1h")


@pytest.fixture(scope="module")
def trade(shop: Shop, stack: TestStack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Participant]:
    participant = Participant(stack, shop)
    participant.start(tmp_path_factory.mktemp("signals"), {participant.name: DEFINITION}, {f"{participant.name}-approval": APPROVAL})
    participant.wait_startable(participant.name)
    yield participant
    done = stack.sagactl("cancel", "--definition", participant.name, "--state", "running", "--reason", "over", "--yes")
    assert done.returncode == 0, done.stderr
    participant.stop()


@pytest.fixture(scope="module")
def approved(shop: Shop) -> str:
    wait = "  - id: approval\n    wait: {signal: approved, timeout: 20s}\n\n"
    return register(shop, "signals-without-value", (CHARGE, wait + CHARGE))


def signal(shop: Shop, saga_id: str, value: dict | None, name: str = "approved") -> saga_service_pb2.SignalSagaResponse:
    request = saga_service_pb2.SignalSagaRequest(saga_id=saga_id, signal=name, reason="looks fine")
    if value is not None:
        request.value.update(value)
    return shop.sagas.SignalSaga(request, timeout=10, wait_for_ready=True)


def answer_next(participant: Participant, saga_id: str) -> None:
    wait_until(lambda: saga_id in participant.open(), "a command has come", 30, 0.05)
    participant.answer(saga_id)


def shipped_note(participant: Participant, saga_id: str) -> str:
    """What the last command took from the signal: field 2 of the Note behind the wire format's prefix."""
    wait_until(lambda: (saga_id, "ship") in participant.values, "it is shipped", 30, 0.05)
    value = participant.values[(saga_id, "ship")][6:]
    assert value[0] == 10  # field 1, the order's id
    rest = value[2 + value[1]:]
    assert rest[0] == 18 and len(rest) == 2 + rest[1], rest
    return rest[2:].decode()


def test_a_value_that_came_before_its_step_and_a_kill_is_in_the_later_command(shop: Shop, stack: TestStack, trade: Participant) -> None:
    since = moment()
    saga_id = trade.begin(trade.name)
    wait_until(lambda: saga_id in trade.open(), "the first command has come", 30, 0.05)
    first = signal(shop, saga_id, {"note": "by ann", "amount_limit": "9007199254740993"})
    assert not first.already_signalled
    assert step(first.saga, "approval") == "PENDING"
    stack.kill("coordinator")
    stack.wait_ready("coordinator")
    # A late duplicate counts as the first; with another value it does not, now and when all is over.
    assert signal(shop, saga_id, {"amount_limit": "9007199254740993", "note": "by ann"}).already_signalled
    assert refusal(signal, shop, saga_id, {"note": "by bob"}).code() == grpc.StatusCode.ALREADY_EXISTS
    explained = stack.sagactl("explain", saga_id)
    assert 'its signal \'approved\' has come; it brought {"' in explained.stdout and '"by ann"' in explained.stdout, explained
    answer_next(trade, saga_id)
    assert shipped_note(trade, saga_id) == "by ann"
    answer_next(trade, saga_id)
    saga = shop.finished(saga_id)
    assert saga.state == saga_pb2.SAGA_STATE_COMPLETED
    assert signal(shop, saga_id, {"note": "by ann", "amount_limit": "9007199254740993"}).already_signalled
    assert refusal(signal, shop, saga_id, {"note": "by bob"}).code() == grpc.StatusCode.ALREADY_EXISTS

    [approval] = [one for one in saga.steps if one.step_id == "approval"]
    assert dict(approval.value) == {"note": "by ann", "amount_limit": "9007199254740993"}
    [entry] = [event for event in saga.events if event.event == "signalled"]
    assert entry.value == approval.value
    assert '"by ann"' in stack.sagactl("get", saga_id).stdout
    checked = check_all(shop, "--since", since)
    assert checked.returncode == 0, checked.stdout + checked.stderr  # the log, replayed, gives the row with its value


def test_a_value_reaches_a_saga_that_waits(shop: Shop, stack: TestStack, trade: Participant) -> None:
    saga_id = trade.begin(trade.name)
    answer_next(trade, saga_id)
    wait_until(lambda: step(shop.get(saga_id), "approval") == "WAITING", "the saga waits", 20)
    explained = stack.sagactl("explain", saga_id).stdout
    assert f"which brings a value (subject '{trade.name}-approval')" in explained
    assert f"sagactl signal {saga_id} approved --value" in explained
    done = stack.sagactl("signal", saga_id, "approved", "--value", '{"note":"by phone"}')
    assert done.returncode == 0, done.stderr
    assert shipped_note(trade, saga_id) == "by phone"
    answer_next(trade, saga_id)
    assert shop.finished(saga_id).state == saga_pb2.SAGA_STATE_COMPLETED


@pytest.mark.parametrize("value, field, text", [
    (None, "value", "is required: signal 'approved' brings a Approval"),
    ({"note": 5, "amount_limit": "much"}, "value.note", ""),
    ({"nota": "x"}, "value.nota", ""),
    ({"note": "x" * 300_000}, "value", "at most 262144 are allowed"),
])
def test_a_value_that_does_not_fit_is_refused_with_its_fields(shop: Shop, trade: Participant, value, field: str, text: str) -> None:
    saga_id = trade.begin(trade.name)
    answer_next(trade, saga_id)
    wait_until(lambda: step(shop.get(saga_id), "approval") == "WAITING", "the saga waits", 20)
    version = shop.get(saga_id).version
    error = refusal(signal, shop, saga_id, value)
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT, error
    violations = {one.field: one.description for one in details(error, error_details_pb2.BadRequest).field_violations}
    assert field in violations and text in violations[field], violations
    if value and len(value) == 2:
        assert set(violations) == {"value.note", "value.amount_limit"}
    assert shop.get(saga_id).version == version
    assert refusal(signal, shop, saga_id, value, "aproved").code() == grpc.StatusCode.FAILED_PRECONDITION


def test_a_signal_that_brings_nothing_takes_no_value(shop: Shop, approved: str) -> None:
    saga_id = shop.start(shop.input(), definition=approved).saga.saga_id
    wait_until(lambda: step(shop.get(saga_id), "approval") == "WAITING", "the saga waits", 20)
    error = refusal(signal, shop, saga_id, {"note": "x"})
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert "value: must be absent: signal 'approved' of definition" in error.details()
    assert not signal(shop, saga_id, None).already_signalled
    assert shop.finished(saga_id).state == saga_pb2.SAGA_STATE_COMPLETED
