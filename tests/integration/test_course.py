"""Courses that a definition can take beside a plain sequence: steps in parallel, waits, a saga's own timeout; and pauses."""

from __future__ import annotations

import time
from pathlib import Path

import grpc
import pytest
from saga.v1 import saga_pb2, saga_service_pb2
from shop_client import Shop, wait_until
from test_api import refusal

SOURCE = (Path(__file__).resolve().parents[2] / "deploy" / "shop" / "checkout.yaml").read_text()
CHARGE = "  - id: charge-payment\n"
RESERVE = "  - id: reserve-inventory\n"
CONFIRM = "  - id: confirm-order\n"


def register(shop: Shop, name: str, *changes: tuple[str, str]) -> str:
    source = SOURCE.replace("saga: checkout", f"saga: {name}")
    for old, new in changes:
        assert source.count(old) == 1, old
        source = source.replace(old, new)
    shop.sagas.PutDefinition(
        saga_service_pb2.PutDefinitionRequest(source=source, file_name=f"{name}.yaml"), timeout=20)

    def is_ready() -> bool:
        request = saga_service_pb2.GetDefinitionRequest(name=name)
        return shop.sagas.GetDefinition(request, timeout=10).definition.ready

    wait_until(is_ready, f"definition {name} is ready", 60)
    return name


@pytest.fixture(scope="module")
def parallel(shop: Shop) -> str:
    return register(
        shop, "course-parallel",
        (RESERVE, RESERVE + "    after: [create-order]\n"),
        (CONFIRM, CONFIRM + "    after: [charge-payment, reserve-inventory]\n"))


@pytest.fixture(scope="module")
def approved(shop: Shop) -> str:
    wait = "  - id: approval\n    wait: {signal: approved, timeout: 20s}\n\n"
    return register(shop, "course-approved", (CHARGE, wait + CHARGE))


def signal(shop: Shop, saga_id: str, name: str = "approved") -> saga_service_pb2.SignalSagaResponse:
    request = saga_service_pb2.SignalSagaRequest(saga_id=saga_id, signal=name, reason="looks fine")
    return shop.sagas.SignalSaga(request, timeout=10)


def step(saga: saga_pb2.Saga, step_id: str) -> str:
    [found] = [step for step in saga.steps if step.step_id == step_id]
    return saga_pb2.StepState.Name(found.state).removeprefix("STEP_STATE_")


def sent_at(saga: saga_pb2.Saga, step_id: str) -> int:
    [found] = [step for step in saga.steps if step.step_id == step_id]
    return found.start_time.ToMicroseconds()


def test_steps_in_parallel_are_sent_together_and_joined(shop: Shop, parallel: str) -> None:
    order = shop.input()
    saga = shop.finished(shop.start(order, definition=parallel).saga.saga_id)
    assert saga.state == saga_pb2.SAGA_STATE_COMPLETED
    assert sent_at(saga, "charge-payment") == sent_at(saga, "reserve-inventory")
    assert sent_at(saga, "confirm-order") > sent_at(saga, "charge-payment")
    assert shop.order_status(order["order_id"]) == "CONFIRMED"


@pytest.mark.parametrize("refused", ["force_payment_fail", "force_inventory_fail"])
def test_a_refusal_undoes_what_ran_beside_it(shop: Shop, parallel: str, refused: str) -> None:
    order = shop.input(**{refused: True})
    saga = shop.finished(shop.start(order, definition=parallel).saga.saga_id)
    assert saga.state == saga_pb2.SAGA_STATE_COMPENSATED
    assert step(saga, "confirm-order") == "PENDING"
    assert shop.payment_status(order["order_id"]) in (None, "FAILED", "REFUNDED")
    assert shop.reservation_status(order["order_id"]) in (None, "FAILED", "RELEASED")
    assert shop.order_status(order["order_id"]) in ("CANCELLED", "FAILED")


def test_a_saga_waits_for_its_signal(shop: Shop, approved: str) -> None:
    saga_id = shop.start(shop.input(), definition=approved).saga.saga_id
    wait_until(lambda: step(shop.get(saga_id), "approval") == "WAITING", "the saga waits", 20)
    answer = signal(shop, saga_id)
    assert not answer.already_signalled
    assert signal(shop, saga_id).already_signalled
    saga = shop.finished(saga_id)
    assert saga.state == saga_pb2.SAGA_STATE_COMPLETED
    [entry] = [event for event in saga.events if event.event == "signalled"]
    assert (entry.step_id, entry.detail, entry.actor) == ("approval", "looks fine", "anonymous")
    error = refusal(signal, shop, saga_id, "nonsense")
    assert error.code() == grpc.StatusCode.FAILED_PRECONDITION


def test_a_signal_may_come_before_its_step(shop: Shop, approved: str) -> None:
    start_time = shop.query("saga", "select now() + interval '2 seconds'")[0][0]
    saga_id = shop.start(shop.input(), definition=approved, start_time=start_time).saga.saga_id
    assert not signal(shop, saga_id).already_signalled
    saga = shop.finished(saga_id)
    assert saga.state == saga_pb2.SAGA_STATE_COMPLETED
    assert step(saga, "approval") == "SUCCEEDED"


def test_without_the_signal_the_saga_turns_back(shop: Shop) -> None:
    wait = "  - id: approval\n    wait: {signal: approved, timeout: 1s}\n\n"
    name = register(shop, "course-impatient", (CHARGE, wait + CHARGE))
    order = shop.input()
    saga = shop.finished(shop.start(order, definition=name).saga.saga_id)
    assert saga.state == saga_pb2.SAGA_STATE_COMPENSATED
    assert saga.step == "APPROVAL_TIMED_OUT"
    assert step(saga, "approval") == "REJECTED"
    assert shop.order_status(order["order_id"]) == "CANCELLED"
    assert refusal(signal, shop, saga.saga_id).code() == grpc.StatusCode.FAILED_PRECONDITION


def test_a_delay_is_at_least_as_long_as_said(shop: Shop) -> None:
    name = register(shop, "course-delayed", (CHARGE, "  - id: cool-off\n    wait: {delay: 1500ms}\n\n" + CHARGE))
    saga = shop.finished(shop.start(shop.input(), definition=name).saga.saga_id)
    assert saga.state == saga_pb2.SAGA_STATE_COMPLETED
    assert sent_at(saga, "charge-payment") - sent_at(saga, "cool-off") >= 1_500_000


def test_a_saga_turns_back_when_it_is_overdue(shop: Shop) -> None:
    wait = "  - id: approval\n    wait: {signal: approved, timeout: 1h}\n\n"
    name = register(shop, "course-overdue", ("key: order_id\n", "key: order_id\ntimeout: 1s\n"), (CHARGE, wait + CHARGE))
    order = shop.input()
    saga = shop.finished(shop.start(order, definition=name).saga.saga_id)
    assert saga.state == saga_pb2.SAGA_STATE_COMPENSATED
    assert saga.step == "OVERDUE"
    assert shop.order_status(order["order_id"]) == "CANCELLED"


def test_no_time_runs_out_while_a_saga_is_paused(shop: Shop) -> None:
    wait = "  - id: approval\n    wait: {signal: approved, timeout: 3s}\n\n"
    name = register(shop, "course-paused", (CHARGE, wait + CHARGE))
    saga_id = shop.start(shop.input(), definition=name).saga.saga_id
    wait_until(lambda: step(shop.get(saga_id), "approval") == "WAITING", "the saga waits", 20)
    paused = shop.sagas.PauseSaga(saga_service_pb2.PauseSagaRequest(saga_id=saga_id, reason="lunch"), timeout=10)
    assert paused.saga.HasField("pause_time")
    assert not paused.already_paused
    deadline = time.monotonic() + 5  # longer than the timeout and a sweep
    while time.monotonic() < deadline:
        assert step(shop.get(saga_id, wait_s=0.5), "approval") == "WAITING"
    resumed = shop.sagas.ResumeSaga(saga_service_pb2.ResumeSagaRequest(saga_id=saga_id, reason="back"), timeout=10)
    assert not resumed.saga.HasField("pause_time")
    signal(shop, saga_id)
    assert shop.finished(saga_id).state == saga_pb2.SAGA_STATE_COMPLETED
