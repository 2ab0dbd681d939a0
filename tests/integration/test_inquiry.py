"""A step whose outcome is unknown is asked about before anything is undone: the saga goes on, or turns back, as the payment
service's inbox has it. Charges of these sagas go to a topic that nobody reads, so nothing but the inquiry can tell what became of them."""

from __future__ import annotations

import secrets
import time
import uuid
from collections.abc import Iterator

import pytest
from harness import TestStack
from kafka_tools import headers_of
from saga.v1 import saga_pb2
from shop_client import Shop, wait_until
from test_course import register, step
from test_metrics import scrape
from test_participants import Participant, charge
from test_sagactl import Sagactl, sagactl

__all__ = ["sagactl"]  # a fixture

CHARGE = "    command: payment.charge.command\n"
CHARGE_FIELDS = "      force_fail: input.force_payment_fail\n"
UNREAD = "    command: payment.completed\n    timeout: 1s\n"
UNREAD_FIELDS = "      payment_id: {value: p-1}\n      status: {value: CHARGED}\n"
REFUND = "    compensation:\n      command: payment.refund.command\n"


def asked(timeout: str) -> tuple[tuple[str, str], ...]:
    inquiry = f"    inquiry: {{command: payment.inquire.command, timeout: {timeout}, resend: 1s}}\n"
    return (CHARGE, UNREAD), (CHARGE_FIELDS, UNREAD_FIELDS), (REFUND, inquiry + REFUND)


@pytest.fixture(scope="module")
def patient(shop: Shop) -> str:
    return register(shop, "inquiry-patient", *asked("2m"))


@pytest.fixture(scope="module")
def hasty(shop: Shop) -> str:
    return register(shop, "inquiry-hasty", *asked("2s"))


@pytest.fixture
def payment_stack(stack: TestStack) -> Iterator[TestStack]:
    yield stack
    stack.start("payment")


@pytest.fixture
def participant(shop: Shop) -> Participant:
    """For a saga that may still come to be."""
    participant = Participant(shop)
    data = int(time.time() * 1000).to_bytes(6, "big") + secrets.token_bytes(10)
    participant.saga = str(uuid.UUID(bytes=data[:6] + bytes([0x70 | data[6] & 15, data[7], 0x80 | data[8] & 63]) + data[9:]))
    return participant


def inquire(participant: Participant, attempt: int = 1) -> None:
    participant.command("payment.inquire.command", "charge-payment", "inquiry", attempt)


def inquiring(shop: Shop, saga_id: str) -> saga_pb2.Saga:
    def is_asked() -> saga_pb2.Saga | None:
        saga = shop.get(saga_id)
        return saga if step(saga, "charge-payment") == "INQUIRING" else None

    return wait_until(is_asked, "the charge is asked about", 30)


def history(shop: Shop, saga_id: str) -> list[tuple[str, str]]:
    """What became of the charge, in the words of the view that people read."""
    return shop.query(
        "saga", "select phase, event from saga_events where saga_id = %s and step_id = 'charge-payment' and event <> 'resent'"
        " order by sequence", saga_id)


# ---- the participant ---------------------------------------------------------------------------------------------------------


def test_an_inquiry_is_answered_with_the_reply_that_the_command_got(participant: Participant) -> None:
    charge(participant)
    [first] = participant.replies("payment.charged", 1)
    inquire(participant)
    [_, answer] = participant.replies("payment.charged", 2)
    assert answer.value() == first.value()
    headers = headers_of(answer)
    assert (headers["saga-phase"], headers["saga-outcome"]) == ("inquiry", "succeeded")
    assert headers["saga-command-id"] == f"{participant.saga}/charge-payment/inquiry"


def test_a_command_that_never_came_is_refused_for_good_when_it_is_asked_about(participant: Participant) -> None:
    inquire(participant)
    inquire(participant, attempt=2)
    charge(participant)
    answers = participant.replies("payment.failed", 3)
    assert {headers_of(answer)["saga-reason"] for answer in answers} == {"not-known-here"}
    assert {headers_of(answer)["saga-outcome"] for answer in answers} == {"rejected"}
    assert len({answer.value() for answer in answers}) == 1  # I6
    assert participant.shop.payment_status(participant.order) is None
    participant.command("payment.refund.command", "charge-payment", "compensation", amount_minor=700, currency="USD")
    [refund] = participant.replies("payment.refunded", 1)
    assert headers_of(refund)["saga-effect"] == "none"


# ---- the saga ----------------------------------------------------------------------------------------------------------------


def test_the_saga_goes_on_when_the_step_is_done_after_all(
        shop: Shop, payment_stack: TestStack, patient: str, participant: Participant, sagactl: Sagactl) -> None:
    def ignored() -> float:
        family = scrape(payment_stack.http_url("coordinator"))["saga_replies_ignored_total"]
        return family.series['saga_replies_ignored_total{why="unknown_saga"}']

    before = ignored()
    charge(participant)  # it is done, and nobody hears of it: there is no saga yet
    participant.replies("payment.charged", 1)
    wait_until(lambda: ignored() > before, "the coordinator has passed over the reply")
    payment_stack.stop("payment")  # a kill might make it read, and answer, the command once more
    saga_id = shop.start(shop.input(participant.order), definition=patient, saga_id=participant.saga).saga.saga_id
    saga = inquiring(shop, saga_id)
    assert (saga.state, saga.step) == (saga_pb2.SAGA_STATE_RUNNING, "CHARGE_PAYMENT_TIMED_OUT")
    explained = sagactl("explain", saga_id).stdout
    assert "the outcome of step 'charge-payment' is unknown, and its participant is asked what became of it" in explained
    payment_stack.start("payment")
    assert shop.finished(saga_id).state == saga_pb2.SAGA_STATE_COMPLETED
    assert history(shop, saga_id) == [("forward", "timed_out"), ("inquiry", "succeeded")]
    assert shop.payment_status(participant.order) == "CHARGED"
    assert shop.order_status(participant.order) == "CONFIRMED"
    assert "charge-payment (inquiry)" in sagactl("log", saga_id).stdout


def test_nothing_is_undone_of_a_step_that_was_never_done(
        shop: Shop, payment_stack: TestStack, patient: str, participant: Participant) -> None:
    payment_stack.kill("payment")
    order = shop.input(participant.order)
    saga_id = shop.start(order, definition=patient, saga_id=participant.saga).saga.saga_id
    inquiring(shop, saga_id)
    payment_stack.start("payment")
    saga = shop.finished(saga_id)
    assert saga.state == saga_pb2.SAGA_STATE_COMPENSATED
    assert step(saga, "charge-payment") == "REJECTED"
    assert history(shop, saga_id) == [("forward", "timed_out"), ("inquiry", "rejected")]
    assert shop.order_status(participant.order) == "CANCELLED"
    charge(participant)  # it was on its way all the time
    wait_until(lambda: len(participant.replies("payment.failed", 2)) == 2, "the late command is answered")
    assert shop.payment_status(participant.order) is None


def test_a_step_that_nobody_can_tell_of_is_undone(shop: Shop, payment_stack: TestStack, hasty: str) -> None:
    payment_stack.kill("payment")
    order = shop.input()
    saga_id = shop.start(order, definition=hasty).saga.saga_id
    wait_until(lambda: step(shop.get(saga_id), "charge-payment") == "COMPENSATING", "the charge is being undone", 30)
    payment_stack.start("payment")
    saga = shop.finished(saga_id)
    assert (saga.state, saga.step) == (saga_pb2.SAGA_STATE_COMPENSATED, "CHARGE_PAYMENT_UNKNOWN")
    events = [("forward", "timed_out"), ("inquiry", "timed_out"), ("compensation", "succeeded")]
    assert history(shop, saga_id) == events
    assert shop.order_status(order["order_id"]) == "CANCELLED"


def test_a_restarted_coordinator_goes_on_asking(
        shop: Shop, payment_stack: TestStack, patient: str, participant: Participant) -> None:
    payment_stack.kill("payment")
    saga_id = shop.start(shop.input(participant.order), definition=patient, saga_id=participant.saga).saga.saga_id
    inquiring(shop, saga_id)
    payment_stack.kill("coordinator")
    payment_stack.start("coordinator")
    assert step(shop.get(saga_id), "charge-payment") == "INQUIRING"
    payment_stack.start("payment")
    assert shop.finished(saga_id).state == saga_pb2.SAGA_STATE_COMPENSATED
    assert history(shop, saga_id)[-1] == ("inquiry", "rejected")
