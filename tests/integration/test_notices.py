"""People are told that a saga is stuck, on Kafka and by webhook, whatever is away or dies meanwhile: on the real stack."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Message
from confluent_kafka.schema_registry.protobuf import ProtobufDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext
from harness import TestStack
from kafka_tools import headers_of, read_until
from operator_trade import Trade
from saga.events.v1 import saga_stuck_pb2
from saga.v1 import saga_pb2, saga_service_pb2
from shop_client import Shop, http, wait_until
from test_check import check
from test_operators import opened_trade, run, trade  # noqa: F401 - fixtures
from webhook_receiver import Receiver

MANY = 40


@pytest.fixture(scope="module")
def receiver(stack: TestStack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    """The stack's coordinator tells it; afterwards nobody."""
    receiver = Receiver()
    stack.add_arguments("coordinator", *receiver.flags(tmp_path_factory.mktemp("webhook")))
    stack.restart("coordinator")
    yield receiver
    stack.add_arguments("coordinator")
    stack.restart("coordinator")
    receiver.stop()


@pytest.fixture(autouse=True)
def _takes_all(receiver: Receiver) -> Iterator[None]:
    yield
    receiver.status = 200
    receiver.refused.clear()
    assert receiver.unsigned == 0


def counted(shop: Shop, target: str, result: str) -> float:
    status, text = http("GET", f"{shop.endpoints['SAGA_HTTP']}/metrics")
    assert status == 200
    [line] = [line for line in text.splitlines() if line.startswith(f'saga_notices_total{{target="{target}",result="{result}"}} ')]
    return float(line.split()[-1])


def left(shop: Shop, saga_id: str) -> int:
    [(count,)] = shop.query("saga", "select count(*) from saga_notice where saga_id = %s", saga_id)
    return count


def facts(shop: Shop, saga_id: str, topic: str = "saga.stuck", count: int = 1) -> list[Message]:
    """Each fact once."""
    return read_until(shop.endpoints["KAFKA_BOOTSTRAP"], [topic], lambda message: headers_of(message)["correlationid"] == saga_id,
                      count, distinct=lambda message: headers_of(message)["ce_id"])


def decoded(message: Message) -> saga_stuck_pb2.SagaStuck:
    read = ProtobufDeserializer(saga_stuck_pb2.SagaStuck, {"use.deprecated.format": False})
    return read(message.value(), SerializationContext(message.topic(), MessageField.VALUE))


def stuck_entry(shop: Shop, saga_id: str) -> saga_pb2.SagaEvent:
    events = shop.sagas.GetSagaLog(saga_service_pb2.GetSagaLogRequest(saga_id=saga_id), timeout=10).events
    return next(event for event in events if event.state == saga_pb2.SAGA_STATE_STUCK)


def test_a_compensation_that_never_succeeds_is_told_and_ends_once_it_is_mended(
        stack: TestStack, shop: Shop, trade: Trade, receiver: Receiver) -> None:  # noqa: F811
    before = counted(shop, "webhook", "sent"), counted(shop, "kafka", "sent")
    saga_id = trade.stuck_going_back()
    assert {step.step_id: step.compensation_attempts for step in shop.get(saga_id).steps}["pay"] == 3
    entry = stuck_entry(shop, saga_id)

    [request] = wait_until(lambda: receiver.of(saga_id), "the webhook")
    assert request.id == f"{saga_id}/{entry.sequence}"
    assert request.headers["content-type"] == "application/json" and request.headers["user-agent"].startswith("amends/")
    data = request.body["data"]
    assert (request.body["type"], request.body["timestamp"]) == ("saga.stuck", data["since"])
    assert data["since"] == entry.time.ToDatetime().isoformat() + "Z"
    assert (data["definition"], data["definition_version"], data["key"]) == (trade.name, 1, shop.get(saga_id).key)
    assert (data["step_id"], data["phase"], data["reason"]) == ("pay", "compensation", "attempts_exhausted")
    assert "the bank does not answer" in data["detail"]
    assert data["runbook"] == "Ask the bank; then retry."
    assert [action["command"].split()[1] for action in data["actions"]] == ["explain", "retry", "skip", "resolve"]

    [fact] = facts(shop, saga_id)
    told = decoded(fact)
    assert fact.key().decode() == told.key == data["key"]
    assert (told.saga_id, told.sequence, told.stuck_time) == (saga_id, entry.sequence, data["since"])
    assert (told.definition, told.definition_version, told.step_id, told.phase) == (trade.name, 1, "pay", "compensation")
    assert (told.reason, told.detail) == (data["reason"], data["detail"])
    headers = headers_of(fact)
    assert (headers["ce_type"], headers["ce_id"], headers["ce_source"]) == ("SagaStuck", request.id, "saga-coordinator")
    assert headers["ce_dataschema"].endswith(f"/schemas/ids/{struct.unpack('>I', fact.value()[1:5])[0]}")
    assert not any(name.startswith("saga-") for name in headers), "it is no reply"
    wait_until(lambda: left(shop, saga_id) == 0, "nothing is left to be told")
    assert counted(shop, "webhook", "sent") >= before[0] + 1 and counted(shop, "kafka", "sent") >= before[1] + 1

    trade.answers.pop(("pay", "compensation"))
    run(stack, "retry", saga_id, "--reason", "the bank is back")
    assert shop.finished(saga_id).state == saga_pb2.SAGA_STATE_COMPENSATED
    assert len(receiver.of(saga_id)) == 1
    clean = check(shop)
    assert clean.returncode == 0, clean.stdout


def test_each_time_that_it_is_stuck_is_told(stack: TestStack, shop: Shop, trade: Trade, receiver: Receiver) -> None:  # noqa: F811
    saga_id = trade.stuck_going_forward("ship")
    wait_until(lambda: len(receiver.of(saga_id)) == 1, "the first webhook")
    run(stack, "retry", saga_id, "--reason", "in vain")
    wait_until(lambda: len(receiver.of(saga_id)) == 2, "the second webhook")
    assert len({request.id for request in receiver.of(saga_id)}) == 2
    assert len(facts(shop, saga_id, count=2)) == 2


def test_what_could_not_be_told_is_told_after_a_kill(
        stack: TestStack, shop: Shop, trade: Trade, receiver: Receiver, tmp_path: Path) -> None:  # noqa: F811
    """The topic is not there yet, and whoever is told fails: so the kill comes surely between commit and delivery."""
    topic = f"{trade.name}.stuck"
    stack.add_arguments("coordinator", *receiver.flags(tmp_path), "--stuck-topic", topic)
    stack.restart("coordinator")
    receiver.status = 503
    try:
        saga_id = trade.stuck_going_back()
        wait_until(lambda: receiver.of(saga_id), "a failed try")
        wait_until(lambda: counted(shop, "webhook", "failed") >= 1, "it is counted")
        absent = f"topic '{topic}' does not exist, create it".encode()
        wait_until(lambda: absent in stack.log("coordinator").read_bytes(), "it is said why", 60)
        stack.kill("coordinator")
        assert left(shop, saga_id) == 2
        receiver.status = 200
        (tmp_path / "x.proto").write_text('syntax = "proto3"; message X {}')
        (tmp_path / "map.yaml").write_text(f"subjects: [{{subject: x, topic: {topic}, schema: x.proto}}]")
        run(stack, "topics", "create", "--map", str(tmp_path / "map.yaml"))
        stack.wait_ready("coordinator")
        # those of the killed one wait for the end of its lease
        with_lease = "update saga_notice set due_at = least(due_at, now() + interval '2 s') where saga_id = %s returning 1"
        shop.query("saga", with_lease, saga_id)
        wait_until(lambda: receiver.taken(saga_id), "the webhook", 60)
        assert len({request.id for request in receiver.of(saga_id)}) == 1, "the same each time"
        assert decoded(facts(shop, saga_id, topic)[0]).saga_id == saga_id
        wait_until(lambda: left(shop, saga_id) == 0, "nothing is left to be told")
    finally:
        stack.wait_ready("coordinator")
        stack.add_arguments("coordinator", *receiver.flags(tmp_path))
        stack.restart("coordinator")


def test_one_that_is_always_refused_does_not_hold_up_the_others(
        stack: TestStack, shop: Shop, trade: Trade, receiver: Receiver) -> None:  # noqa: F811
    receiver.status = 500
    first = trade.stuck_going_forward("tell")
    receiver.refused.add(first)
    wait_until(lambda: receiver.of(first), "it was tried")
    receiver.status = 200
    others = [trade.stuck_going_forward("tell") for _ in range(3)]
    wait_until(lambda: all(receiver.taken(other) for other in others), "the others", 60)
    wait_until(lambda: len(receiver.of(first)) >= 2, "and that one is tried again", 60)
    assert not receiver.taken(first)
    receiver.refused.clear()
    wait_until(lambda: receiver.taken(first), "in the end it is taken", 60)


def test_two_coordinators_tell_each_once(
        stack: TestStack, shop: Shop, trade: Trade, receiver: Receiver, tmp_path: Path) -> None:  # noqa: F811
    with stack.second_coordinator(arguments=receiver.flags(tmp_path)):
        trade.answers[("tell", "forward")] = "rejected"
        sagas = trade.begin_many(MANY)
        wait_until(lambda: all(receiver.taken(saga_id) for saga_id in sagas), "all webhooks", 60)
        wait_until(lambda: not any(left(shop, saga_id) for saga_id in sagas), "all is told", 60)
    assert [len(receiver.of(saga_id)) for saga_id in sagas] == [1] * MANY
