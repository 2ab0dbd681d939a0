"""Streams: nothing is missed, nothing is repeated, whoever commits, however slowly somebody reads."""

from __future__ import annotations

import os
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import grpc
import pytest
from google.rpc import error_details_pb2
from saga.v1 import saga_pb2, saga_service_pb2, saga_service_pb2_grpc
from shop_client import Shop, wait_until
from test_api import details, refusal
from test_api_sagas import LIMIT_S, cancel, label

OUTCOMES = {saga_pb2.SAGA_STATE_COMPLETED, saga_pb2.SAGA_STATE_COMPENSATED, saga_pb2.SAGA_STATE_STUCK}


class Watch:
    """An open WatchSagas and what came so far."""

    def __init__(self, sagas: saga_service_pb2_grpc.SagaServiceStub, **fields):
        self.call = sagas.WatchSagas(saga_service_pb2.WatchSagasRequest(**fields), timeout=LIMIT_S, wait_for_ready=True)
        self.position = fields.get("position", "")
        self.changes: list[saga_service_pb2.SagaChange] = []

    def take(self) -> saga_service_pb2.WatchSagasResponse:
        answer = next(self.call)
        self.changes += answer.changes
        if answer.position:
            self.position = answer.position
        return answer

    def begin(self) -> Watch:
        while not self.position:
            self.take()
        return self

    def until(self, condition) -> Watch:
        while not condition():
            self.take()
        return self

    def ended(self) -> set[str]:
        return {change.saga.saga_id for change in self.changes if change.event.state in OUTCOMES}

    def events(self) -> dict[str, list[int]]:
        found: dict[str, list[int]] = {}
        for change in self.changes:
            if change.HasField("event"):
                found.setdefault(change.saga.saga_id, []).append(change.event.sequence)
        return found


def start_many(shop: Shop, count: int, labels: dict[str, str]) -> list[str]:
    requests = [shop.start_request(shop.input(force_payment_fail=n % 2 == 0), labels=labels) for n in range(count)]
    batch = saga_service_pb2.BatchStartSagasRequest(requests=requests)
    return [result.response.saga.saga_id for result in shop.sagas.BatchStartSagas(batch, timeout=LIMIT_S).results]


@contextmanager
def second_coordinator(stack) -> Iterator[saga_service_pb2_grpc.SagaServiceStub]:
    """Another instance over the same database and broker."""
    log = stack.folders.logs / "coordinator-2.log"
    with open(log, "ab") as output:
        child = subprocess.Popen(
            [stack.program("saga-coordinator"), "--grpc-listen", "127.0.0.1:0", "--http-port", "0",
             "--kafka-brokers", stack.endpoints["KAFKA_BOOTSTRAP"],
             "--registry-url", stack.endpoints["REGISTRY_URL"], "--instance", "coordinator-2"],
            env=os.environ | {"SAGA_POSTGRES": stack.endpoints["PG_SAGA_DSN"]}, stdout=output, stderr=output)
    try:
        def port() -> str:
            assert child.poll() is None, log.read_text()
            lines = [line for line in log.read_text().splitlines() if "event=listening" in line]
            return lines[-1].split("grpc_port=")[1].split()[0] if lines else ""

        with grpc.insecure_channel(f"127.0.0.1:{wait_until(port, 'the second coordinator listens')}") as channel:
            stub = saga_service_pb2_grpc.SagaServiceStub(channel)

            def is_open() -> bool:
                try:
                    return bool(stub.ListDefinitions(saga_service_pb2.ListDefinitionsRequest(), timeout=5).definitions)
                except grpc.RpcError as error:
                    assert error.code() == grpc.StatusCode.UNAVAILABLE, error
                    return False

            wait_until(is_open, "the second coordinator serves")
            yield stub
    finally:
        child.terminate()
        child.wait(30)


# ---- one saga ------------------------------------------------------------------------------------------------------


def test_watch_of_one_saga_shows_every_event_once_and_ends_with_it(shop: Shop) -> None:
    saga_id = shop.start(shop.input()).saga.saga_id
    answers = list(shop.sagas.WatchSaga(saga_service_pb2.WatchSagaRequest(saga_id=saga_id), timeout=LIMIT_S))
    saga = shop.get(saga_id)
    assert [event for answer in answers for event in answer.events] == list(saga.events)
    assert answers[-1].saga.state == saga_pb2.SAGA_STATE_COMPLETED
    for answer in answers:
        assert answer.saga.version == answer.events[-1].sequence
        assert len(answer.saga.steps) == len(saga.steps)


def test_watch_of_one_saga_goes_on_after_the_last_event_received(shop: Shop) -> None:
    saga = shop.finished(shop.start(shop.input()).saga.saga_id)
    for after in (0, 3, saga.version):
        request = saga_service_pb2.WatchSagaRequest(saga_id=saga.saga_id, after_sequence=after)
        [answer] = shop.sagas.WatchSaga(request, timeout=LIMIT_S)
        assert list(answer.events) == list(saga.events)[after:]
        assert answer.saga.state == saga.state


def test_watch_of_one_saga_refuses_what_it_cannot_follow(shop: Shop) -> None:
    saga = shop.finished(shop.start(shop.input(force_payment_fail=True)).saga.saga_id)
    cases = [
        ({"saga_id": "no uuid", "after_sequence": -1}, grpc.StatusCode.INVALID_ARGUMENT),
        ({"saga_id": saga.saga_id, "after_sequence": saga.version + 1}, grpc.StatusCode.INVALID_ARGUMENT),
        ({"saga_id": str(uuid.uuid4())}, grpc.StatusCode.NOT_FOUND),
    ]
    for fields, code in cases:
        error = refusal(list, shop.sagas.WatchSaga(saga_service_pb2.WatchSagaRequest(**fields), timeout=LIMIT_S))
        assert error.code() == code
        assert details(error, error_details_pb2.ErrorInfo).domain == "saga.v1"


# ---- many sagas ----------------------------------------------------------------------------------------------------


def test_watch_shows_every_event_of_every_saga_once_and_in_order(shop: Shop) -> None:
    labels = label()
    watch = Watch(shop.sagas, filter={"labels": labels}).begin()
    started = start_many(shop, 40, labels)
    watch.until(lambda: watch.ended() == set(started)).call.cancel()
    for saga_id, sequences in watch.events().items():
        assert sequences == list(range(1, shop.get(saga_id).version + 1))


def test_outcomes_only_tells_each_end_once(shop: Shop) -> None:
    labels = label()
    watch = Watch(shop.sagas, filter={"labels": labels}, outcomes_only=True).begin()
    started = start_many(shop, 60, labels)
    watch.until(lambda: watch.ended() == set(started)).call.cancel()
    assert sorted(change.saga.saga_id for change in watch.changes) == sorted(started)
    for change in watch.changes:
        saga = shop.get(change.saga.saga_id)
        assert (change.saga.state, change.saga.step, change.saga.end_time) == (saga.state, saga.step, saga.end_time)
        assert change.event == saga.events[-1]


def test_filter_by_state_and_definition(shop: Shop) -> None:
    labels = label()
    watch = Watch(shop.sagas, filter={"labels": labels, "states": ["SAGA_STATE_COMPENSATED"]}).begin()
    nothing = Watch(shop.sagas, filter={"labels": labels, "definition": "other"}).begin()
    started = start_many(shop, 6, labels)
    for saga_id in started:
        shop.finished(saga_id)
    watch.until(lambda: len(watch.changes) == 3).call.cancel()
    assert {change.event.state for change in watch.changes} == {saga_pb2.SAGA_STATE_COMPENSATED}
    assert nothing.changes == []
    nothing.call.cancel()


def test_after_lost_connections_nothing_is_missed_and_nothing_repeated(shop: Shop, stack) -> None:
    labels = label()
    position = Watch(shop.sagas, filter={"labels": labels}).begin().position
    seen: dict[str, list[int]] = {}
    started: list[str] = []
    ended: set[str] = set()
    for round in range(6):
        started += start_many(shop, 20, labels)
        if round == 3:
            stack.kill("coordinator")
            stack.wait_ready("coordinator")
        watch = Watch(shop.sagas, filter={"labels": labels}, position=position)
        watch.until(lambda: len(watch.changes) >= 10)
        watch.call.cancel()
        position = watch.position
        ended |= watch.ended()
        for saga_id, sequences in watch.events().items():
            seen.setdefault(saga_id, []).extend(sequences)
    watch = Watch(shop.sagas, filter={"labels": labels}, position=position)
    watch.until(lambda: ended | watch.ended() == set(started)).call.cancel()
    for saga_id, sequences in watch.events().items():
        seen.setdefault(saga_id, []).extend(sequences)
    assert set(seen) == set(started)
    for saga_id, sequences in seen.items():
        assert sequences == list(range(1, shop.get(saga_id).version + 1))


def test_a_position_replays_what_happened_since(shop: Shop) -> None:
    labels = label()
    position = Watch(shop.sagas, filter={"labels": labels}).begin().position
    started = start_many(shop, 10, labels)
    for saga_id in started:
        shop.finished(saga_id)
    for _ in range(2):
        watch = Watch(shop.sagas, filter={"labels": labels}, position=position, outcomes_only=True)
        watch.until(lambda: watch.ended() == set(started)).call.cancel()
        assert len(watch.changes) == len(started)


def test_the_beginning_shows_what_has_not_ended_and_nothing_of_it_again(shop: Shop, stack) -> None:
    labels = label()
    over = shop.finished(shop.start(shop.input(force_payment_fail=True), labels=labels).saga.saga_id)
    stack.suspend("inventory")
    try:
        started = [shop.start(shop.input(), labels=labels).saga.saga_id for _ in range(5)]
        for saga_id in started:
            wait_until(lambda: shop.get(saga_id).step == "PAYMENT_CHARGED", "the payment is charged")
        watch = Watch(shop.sagas, filter={"labels": labels}, include_current=True).begin()
        shown = {change.saga.saga_id: change.saga.version for change in watch.changes if not change.HasField("event")}
        assert set(shown) == set(started) and over.saga_id not in shown
    finally:
        stack.resume("inventory")
    watch.until(lambda: watch.ended() == set(started)).call.cancel()
    for saga_id, sequences in watch.events().items():
        assert sequences == list(range(shown[saga_id] + 1, shop.get(saga_id).version + 1))


def test_a_reader_that_does_not_read_slows_down_nobody_and_still_gets_all(shop: Shop) -> None:
    labels = label()
    lazy = Watch(shop.sagas, filter={"labels": labels}).begin()
    eager = Watch(shop.sagas, filter={"labels": labels}, outcomes_only=True).begin()
    started = [saga_id for _ in range(3) for saga_id in start_many(shop, 40, labels)]
    eager.until(lambda: eager.ended() == set(started)).call.cancel()
    lazy.until(lambda: lazy.ended() == set(started)).call.cancel()
    for saga_id, sequences in lazy.events().items():
        assert sequences == list(range(1, shop.get(saga_id).version + 1))


@pytest.mark.parametrize(
    "fields", [{"position": "no position"}, {"filter": {"states": [99]}}, {"filter": {"definition_version": 3}}])
def test_watch_refuses_illegal_requests(shop: Shop, fields) -> None:
    error = refusal(list, shop.sagas.WatchSagas(saga_service_pb2.WatchSagasRequest(**fields), timeout=LIMIT_S))
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert len(details(error, error_details_pb2.BadRequest).field_violations) == 1


def test_a_position_that_is_no_longer_kept_is_refused(shop: Shop) -> None:
    position = Watch(shop.sagas).begin().position
    request = saga_service_pb2.WatchSagasRequest(position=position, include_current=True)
    error = refusal(list, shop.sagas.WatchSagas(request, timeout=LIMIT_S))
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
    [(floor,)] = shop.query("saga", "select xid from saga_feed_floor")
    try:
        shop.query("saga", "update saga_feed_floor set xid = 1::bigint << 40 returning xid")
        request = saga_service_pb2.WatchSagasRequest(position=position)
        error = refusal(list, shop.sagas.WatchSagas(request, timeout=LIMIT_S))
        assert error.code() == grpc.StatusCode.FAILED_PRECONDITION
        assert details(error, error_details_pb2.ErrorInfo).reason == "POSITION_EXPIRED"
    finally:
        shop.query("saga", "update saga_feed_floor set xid = %s returning xid", floor)


def test_streams_end_when_the_coordinator_stops(shop: Shop, stack) -> None:
    watch = Watch(shop.sagas).begin()
    stack.restart("coordinator")
    error = refusal(list, watch.call)
    assert error.code() == grpc.StatusCode.UNAVAILABLE


def test_events_that_another_coordinator_commits_are_seen(shop: Shop, stack) -> None:
    # Last in this file: a stopped coordinator keeps its partitions for a session, and others wait for them.
    labels = label()
    with second_coordinator(stack) as other:
        watch = Watch(other, filter={"labels": labels}).begin()
        saga = shop.start(shop.input(), labels=labels, delay={"seconds": 600}).saga
        cancel(shop, saga.saga_id)
        watch.until(lambda: watch.ended() == {saga.saga_id}).call.cancel()
        assert watch.events() == {saga.saga_id: [1, 2]}
        [answer] = other.WatchSaga(saga_service_pb2.WatchSagaRequest(saga_id=saga.saga_id), timeout=LIMIT_S)
        assert [event.event for event in answer.events] == ["scheduled", "cancelled"]
