"""Waits for events of others, on Kafka: before, at and after the wait, again and again, for several sagas, through a kill of the
coordinator, in vain; and those that nobody can read."""

from __future__ import annotations

import struct
import uuid
from collections.abc import Iterator

import grpc
import pytest
from flow_trade import Participant, around_a_wait
from harness import TestStack
from kafka_tools import headers_of, read_until, send
from saga.v1 import saga_pb2
from shop_client import Shop, http, wait_until
from test_api import refusal
from test_check_participants import check_all, moment
from test_course import step
from test_operators import metric
from test_signals import answer_next, shipped_note, signal

PAID = 'syntax = "proto3"; package flow; message Paid { string note = 1; int64 amount = 2; }'
DEFINITION = around_a_wait("paid", "event: {participant}.paid, timeout: TIMEOUT")


class Trade:
    """A participant, and somebody who tells that something was paid."""

    def __init__(self, stack: TestStack, shop: Shop, folder):
        self.participant = Participant(stack, shop)
        self.name = self.participant.name
        self.topic = f"{self.name}.paid"
        self.shop = shop
        self.participant.start(folder, {self.name: DEFINITION.replace("TIMEOUT", "1h"), f"{self.name}-short": DEFINITION.replace("TIMEOUT", "1s")},
                               {f"{self.topic}-value": PAID})
        status, answer = http("GET", f"{shop.endpoints['REGISTRY_URL']}/subjects/{self.topic}-value/versions/latest")
        assert status == 200, answer
        self.schema = answer["id"]

    def begin(self, key: str, definition: str = "") -> str:
        """Keys may be shared; the idempotency key is another one each time."""
        request = self.participant.request(definition or self.name)
        request.json["order_id"] = key
        return self.shop.sagas.StartSaga(request, timeout=10, wait_for_ready=True).saga.saga_id

    def tell(self, key: str | None, note: str, event_id: str = "", value: bytes | None = None, **headers: str) -> str:
        event_id = event_id or str(uuid.uuid4())
        if value is None:
            value = b"\x00" + struct.pack(">I", self.schema) + b"\x00" + bytes([10, len(note)]) + note.encode()
        send(self.shop.endpoints["KAFKA_BOOTSTRAP"], self.topic, key, value,
             {"ce_specversion": "1.0", "ce_id": event_id, "ce_source": "bank", "ce_type": "Paid"} | {name.replace("_", "-"): text for name, text in headers.items()})
        return event_id

    def wait(self, saga_id: str, state: str) -> None:
        wait_until(lambda: step(self.shop.get(saga_id), "paid") == state, f"the wait is {state}", 30)

    def is_signalled(self, saga_id: str) -> bool:
        return any(event.event == "signalled" for event in self.shop.get(saga_id).events)

    def finish(self, saga_id: str) -> saga_pb2.Saga:
        answer_next(self.participant, saga_id)
        saga = self.shop.finished(saga_id)
        assert saga.state == saga_pb2.SAGA_STATE_COMPLETED
        return saga


@pytest.fixture(scope="module")
def trade(shop: Shop, stack: TestStack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trade]:
    one = Trade(stack, shop, tmp_path_factory.mktemp("events"))
    one.participant.wait_startable(one.name)
    one.participant.wait_startable(f"{one.name}-short")
    yield one
    for name in (one.name, f"{one.name}-short"):
        done = stack.sagactl("cancel", "--definition", name, "--state", "running", "--reason", "over", "--yes")
        assert done.returncode == 0, done.stderr
    one.participant.stop()


def key() -> str:
    return f"o-{uuid.uuid4()}"


def test_an_event_reaches_the_saga_that_waits_for_it(shop: Shop, stack: TestStack, trade: Trade) -> None:
    since, order = moment(), key()
    saga_id = trade.begin(order)
    answer_next(trade.participant, saga_id)
    trade.wait(saga_id, "WAITING")
    explained = stack.sagactl("explain", saga_id).stdout
    assert f"step 'paid' waits for an event on '{trade.topic}' with the saga's key '{order}'" in explained
    trade.tell(key(), "of another order")
    event_id = trade.tell(order, "by card")
    assert shipped_note(trade.participant, saga_id) == "by card"
    saga = trade.finish(saga_id)
    [entry] = [event for event in saga.events if event.event == "signalled"]
    assert (entry.step_id, entry.detail, dict(entry.value)) == ("paid", f"{trade.topic}/{event_id}", {"note": "by card", "amount": 0})
    assert event_id in stack.sagactl("get", saga_id).stdout
    checked = check_all(shop, "--since", since)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert refusal(signal, shop, saga_id, {"note": "x"}, "paid").code() == grpc.StatusCode.FAILED_PRECONDITION


def test_an_event_before_its_step_survives_a_kill_and_its_duplicates_change_nothing(shop: Shop, stack: TestStack, trade: Trade) -> None:
    order = key()
    saga_id = trade.begin(order)
    wait_until(lambda: saga_id in trade.participant.open(), "the first command has come", 30, 0.05)
    event_id = trade.tell(order, "early")
    wait_until(lambda: trade.is_signalled(saga_id), "the event was taken", 30)
    stack.kill("coordinator")
    trade.tell(order, "early", event_id)  # told again while nobody listens, and once more
    stack.wait_ready("coordinator")
    trade.tell(order, "early", event_id)
    trade.tell(order, "another one")
    assert 'has come; it brought {"' in stack.sagactl("explain", saga_id).stdout
    answer_next(trade.participant, saga_id)
    assert shipped_note(trade.participant, saga_id) == "early"
    saga = trade.finish(saga_id)
    assert len([event for event in saga.events if event.event == "signalled"]) == 1


def test_an_event_that_is_told_while_the_coordinator_is_dead_is_heard_later(shop: Shop, stack: TestStack, trade: Trade) -> None:
    order = key()
    saga_id = trade.begin(order)
    answer_next(trade.participant, saga_id)
    trade.wait(saga_id, "WAITING")
    stack.kill("coordinator")
    trade.tell(order, "in the night")
    stack.wait_ready("coordinator")
    assert shipped_note(trade.participant, saga_id) == "in the night"
    trade.finish(saga_id)


def test_an_event_that_is_told_as_soon_as_the_start_is_acknowledged_is_not_lost(trade: Trade) -> None:
    for _ in range(20):
        order = key()
        saga_id = trade.begin(order)
        trade.tell(order, "at once")
        wait_until(lambda: trade.is_signalled(saga_id), "the event was taken", 30, 0.02)


def test_each_saga_of_a_key_gets_it_or_the_one_that_it_names(shop: Shop, trade: Trade) -> None:
    order = key()
    sagas = [trade.begin(order) for _ in range(3)]
    trade.tell(None, "for one", saga_id=sagas[1])
    wait_until(lambda: trade.is_signalled(sagas[1]), "the named one has it", 30)
    assert not any(trade.is_signalled(saga_id) for saga_id in (sagas[0], sagas[2]))
    trade.tell(order, "for all")
    for saga_id in sagas:
        answer_next(trade.participant, saga_id)
        assert shipped_note(trade.participant, saga_id) == ("for one" if saga_id == sagas[1] else "for all")
        trade.finish(saga_id)


def test_an_event_reaches_a_paused_saga_which_goes_on_when_it_is_resumed(shop: Shop, stack: TestStack, trade: Trade) -> None:
    order = key()
    saga_id = trade.begin(order)
    answer_next(trade.participant, saga_id)
    trade.wait(saga_id, "WAITING")
    assert stack.sagactl("pause", saga_id, "--reason", "lunch").returncode == 0
    trade.tell(order, "meanwhile")
    trade.wait(saga_id, "SUCCEEDED")
    assert (saga_id, "ship") not in trade.participant.values
    assert stack.sagactl("resume", saga_id, "--reason", "back").returncode == 0
    assert shipped_note(trade.participant, saga_id) == "meanwhile"
    trade.finish(saga_id)


def test_without_the_event_the_saga_turns_back_and_a_late_one_changes_nothing(shop: Shop, trade: Trade) -> None:
    order = key()
    saga_id = trade.begin(order, f"{trade.name}-short")
    answer_next(trade.participant, saga_id)
    saga = shop.finished(saga_id)
    assert (saga.state, saga.step) == (saga_pb2.SAGA_STATE_COMPENSATED, "PAID_TIMED_OUT")
    unmatched = metric(shop, "saga_events_ignored_total{why=\"unmatched\"}")
    trade.tell(order, "late")
    wait_until(lambda: metric(shop, "saga_events_ignored_total{why=\"unmatched\"}") > unmatched, "it is counted", 30)
    assert shop.get(saga_id).version == saga.version


def test_events_that_cannot_be_understood_are_dead_letters(shop: Shop, trade: Trade) -> None:
    order = key()
    saga_id = trade.begin(order)
    ids = {
        "bad_headers": trade.tell(None, "of nobody"),
        "undecodable": trade.tell(order, "", value=b"\x00" + struct.pack(">I", trade.schema) + b"\x00\x0a\x50"),
        "unknown_schema": trade.tell(order, "", value=b"\x00\x7f\xff\xff\xff\x00"),
    }
    found = read_until(shop.endpoints["KAFKA_BOOTSTRAP"], [f"{trade.topic}.dlq"], lambda record: headers_of(record)["ce_id"] in ids.values(), 3,
                       distinct=lambda record: headers_of(record)["ce_id"])
    assert {headers_of(record)["dlq-reason"]: headers_of(record)["ce_id"] for record in found} == ids
    assert not trade.is_signalled(saga_id)
    trade.tell(order, "legible")
    wait_until(lambda: trade.is_signalled(saga_id), "those behind it are heard", 30)
