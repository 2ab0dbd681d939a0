"""Poison of every kind ends in the dead letters with its reason, while the rest flows; what fails for a while is retried."""

from __future__ import annotations

import json
import struct
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from confluent_kafka.admin import AdminClient, NewTopic
from confluent_kafka.schema_registry import SchemaRegistryClient
from conftest import ROOT
from kafka_tools import command_headers, headers_of, read_until, saga_of_now, send
from saga.v1 import saga_pb2, saga_service_pb2
from shop_client import Shop, http, wait_until
from shop_messages import AVRO_TOPICS

COMMANDS = {  # topic: the step that uses it, and where the SDK answers
    "order.create.command": ("create-order", "order.failed"),
    "order.confirm.command": ("confirm-order", "order.failed"),
    "order.cancel.command": ("create-order", "order.cancelled"),
    "payment.create.command": ("create-payment", "payment.failed"),
    "payment.charge.command": ("charge-payment", "payment.failed"),
    "payment.cancel.command": ("create-payment", "payment.cancelled"),
    "payment.refund.command": ("charge-payment", "payment.refunded"),
    "inventory.reserve.command": ("reserve-inventory", "inventory.failed"),
    "inventory.release.command": ("reserve-inventory", "inventory.released"),
    "inventory.deduct.command": ("deduct-inventory", "inventory.deducted"),
    "shipping.ship.command": ("ship", "shipping.failed"),
    "shipping.cancel.command": ("ship", "shipping.cancelled"),
}
REPLIES = (  # of the checkout: a coordinator reads what its definitions name
    "order.created", "order.failed", "order.cancelled", "order.confirmed", "payment.charged", "payment.failed",
    "payment.refunded", "inventory.reserved", "inventory.failed", "inventory.released", "inventory.deducted",
    "shipping.shipped", "shipping.failed",
)
ORIGINS_CHECKED = 3  # of each topic: every one is looked for on its topic


def schema_id(shop: Shop, topic: str) -> int:
    registry = SchemaRegistryClient({"url": shop.endpoints["REGISTRY_URL"]})
    return registry.get_latest_version(f"{topic}-value").schema_id


def wire(number: int, rest: bytes) -> bytes:
    return b"\x00" + struct.pack(">I", number) + rest


def bad_values(shop: Shop, topic: str) -> dict[str, tuple[bytes | None, str]]:
    """By kind: the value, and the reason that its dead letter gives."""
    own, other = schema_id(shop, topic), schema_id(shop, "order.cancelled" if topic != "order.cancelled" else "order.created")
    values: dict[str, tuple[bytes | None, str]] = {
        "null": (None, "undecodable"),
        "empty": (b"", "undecodable"),
        "truncated-id": (b"\x00\x00", "undecodable"),
        "bad-magic": (b"\x01\x00\x00\x00\x01x", "undecodable"),
        "plain-text": (b"plain text", "undecodable"),
        "unknown-schema": (wire(0x7FFFFFF0, b"\x00\x08"), "unknown_schema"),
        "truncated-value": (wire(own, b"\x48ab" if topic in AVRO_TOPICS else b"\x00\x0a\x24ab"), "undecodable"),
        "wrong-type": (wire(other, b"\x00\x0a\x01x"), "wrong_type"),
    }
    if topic not in AVRO_TOPICS:
        values["bad-index"] = (wire(own, b"\x02\x28\x0a\x01x"), "undecodable")
    return values


def bad_headers(saga: str, step: str) -> dict[str, list[tuple[str, str | bytes]]]:
    good = command_headers(saga, step, "forward")
    pairs = list(good.items())

    def without(name: str) -> list[tuple[str, str | bytes]]:
        return [pair for pair in pairs if pair[0] != name]

    def with_value(name: str, value: bytes) -> list[tuple[str, str | bytes]]:
        return [*without(name), (name, value)]

    return {
        "no-headers": [],
        "no-saga-id": without("saga-id"),
        "no-step": without("saga-step"),
        "no-phase": without("saga-phase"),
        "saga-id-no-uuid": list((good | {"saga-id": "not-a-uuid"}).items()),
        "phase-sideways": list((good | {"saga-phase": "sideways"}).items()),
        "saga-id-no-text": with_value("saga-id", b"\xff\xfe"),
        "saga-id-zero-bytes": with_value("saga-id", bytes(36)),
        "saga-id-cut": with_value("saga-id", saga[:-1].encode()),
        "step-too-long": with_value("saga-step", b"s" * 256),
        "step-empty": with_value("saga-step", b""),
        "phase-no-text": with_value("saga-phase", b"forward\0"),
        "attempt-no-number": with_value("saga-attempt", b"1\n"),
        "attempt-negative": with_value("saga-attempt", b"-1"),
        "attempt-too-large": with_value("saga-attempt", b"99999999999"),
        "attempt-zero": list((good | {"saga-attempt": "0"}).items()),
        "two-sagas": [*pairs, ("saga-id", str(uuid.uuid4()))],
        "large-header": [*pairs, ("note", "x" * 20_000)],
        "many-headers": [*pairs, *((f"note-{number}", "x") for number in range(60))],
    }


def dead_letters(shop: Shop, topic: str, keys: set[str]) -> dict[str, object]:
    records = read_until(
        shop.endpoints["KAFKA_BOOTSTRAP"],
        [f"{topic}.dlq"],
        lambda record: (record.key() or b"").decode() in keys,
        len(keys),
        distinct=lambda record: record.key(),
    )
    return {record.key().decode(): record for record in records}


def check_origin(shop: Shop, topic: str, record) -> None:
    """It is what stands at the place that it names."""
    headers = headers_of(record)
    assert headers["dlq-topic"] == topic
    place = (int(headers["dlq-partition"]), int(headers["dlq-offset"]))
    [original] = read_until(
        shop.endpoints["KAFKA_BOOTSTRAP"], [topic], lambda found: (found.partition(), found.offset()) == place
    )
    assert original.key() == record.key()
    assert original.value() == record.value()
    kept = [pair for pair in original.headers() or [] if not pair[0].startswith("retry-")][:48]
    assert (record.headers() or [])[: len(kept)] == kept


@pytest.mark.parametrize("topic", COMMANDS)
def test_commands_that_cannot_be_read_are_dead_letters_and_answered(shop: Shop, topic: str) -> None:
    step, reply_topic = COMMANDS[topic]
    bootstrap, run = shop.endpoints["KAFKA_BOOTSTRAP"], uuid.uuid4().hex[:8]
    expected: dict[str, str] = {}
    answered: dict[str, str] = {}
    for kind, (value, reason) in bad_values(shop, topic).items():
        saga = saga_of_now()
        expected[f"{run}-{kind}"] = reason
        answered[saga] = reason
        send(bootstrap, topic, f"{run}-{kind}", value, command_headers(saga, step, "forward", attempt=3))
    large = f"{run}-large-key-" + "k" * 2000
    expected[large] = "bad_headers"
    send(bootstrap, topic, large, wire(schema_id(shop, topic), b"\x00"), command_headers(saga_of_now(), step, "forward"))
    for kind, headers in bad_headers(saga_of_now(), step).items():
        expected[f"{run}-{kind}"] = "bad_headers"
        send(bootstrap, topic, f"{run}-{kind}", wire(schema_id(shop, topic), b"\x00"), headers)

    found = dead_letters(shop, topic, set(expected))
    assert {key: headers_of(record)["dlq-reason"] for key, record in found.items()} == expected
    for record in list(found.values())[:ORIGINS_CHECKED]:
        check_origin(shop, topic, record)
    for key, record in found.items():
        headers = headers_of(record)
        assert headers["dlq-detail"]
        assert headers["dlq-service"].endswith("-service")
        assert headers["dlq-tries"] == ("3" if key.endswith("unknown-schema") else "1")
        assert headers["dlq-time"].endswith("Z")

    # Whoever waits is told; and everything else went on.
    replies = read_until(
        bootstrap, [reply_topic], lambda record: headers_of(record).get("saga-id") in answered, len(answered)
    )
    assert {headers_of(reply)["saga-outcome"] for reply in replies} == {"retriable"}
    assert {headers_of(reply)["saga-id"]: headers_of(reply)["saga-reason"] for reply in replies} == answered
    assert {headers_of(reply)["saga-attempt"] for reply in replies} == {"3"}
    status, answer = shop.checkout()
    assert status in (200, 202), answer
    assert shop.finished(answer["sagaId"]).step == "COMPLETED"
    service = topic.split(".")[0]
    [(rows,)] = shop.query(service, "select count(*) from saga_inbox where saga_id = any(%s)", list(answered))
    assert rows == 0  # nothing was done, nothing was stored


@pytest.mark.parametrize("topic", REPLIES)
def test_replies_that_cannot_be_understood_are_dead_letters(shop: Shop, topic: str) -> None:
    bootstrap, run = shop.endpoints["KAFKA_BOOTSTRAP"], uuid.uuid4().hex[:8]
    ended = shop.finished(shop.start(shop.input(force_payment_fail=True)).saga.saga_id)
    good = command_headers(ended.saga_id, "charge-payment", "forward") | {"saga-outcome": "succeeded"}
    expected: dict[str, str] = {}
    for kind, (value, reason) in bad_values(shop, topic).items():
        expected[f"{run}-{kind}"] = reason
        send(bootstrap, topic, f"{run}-{kind}", value, good)
    empty = (b"\x02x" + bytes(4 if topic == "inventory.failed" else 2)) if topic in AVRO_TOPICS else b"\x00"
    legible = wire(schema_id(shop, topic), empty)
    for kind, headers in bad_headers(ended.saga_id, "charge-payment").items():
        expected[f"{run}-{kind}"] = "bad_headers"
        send(bootstrap, topic, f"{run}-{kind}", legible, [*headers, ("saga-outcome", "succeeded")])
    found = dead_letters(shop, topic, set(expected))
    assert {key: headers_of(record)["dlq-reason"] for key, record in found.items()} == expected
    assert {headers_of(record)["dlq-service"] for record in found.values()} == {"saga-coordinator"}
    for record in list(found.values())[:ORIGINS_CHECKED]:
        check_origin(shop, topic, record)
    again = shop.finished(shop.start(shop.input(force_payment_fail=True)).saga.saga_id)  # the later records are served
    assert again.state == saga_pb2.SAGA_STATE_COMPENSATED
    after = shop.get(ended.saga_id)
    assert (after.version, after.state) == (ended.version, ended.state)


def test_reply_without_an_outcome_is_a_dead_letter(shop: Shop) -> None:
    ended = shop.finished(shop.start(shop.input(force_payment_fail=True)).saga.saga_id)
    run, good = uuid.uuid4().hex[:8], command_headers(ended.saga_id, "charge-payment", "forward")
    words = {"none": None, "unknown": b"perhaps", "no-text": b"\xff\xfe", "long": b"succeeded" * 100, "padded": b"succeeded "}
    for kind, word in words.items():
        headers = good | ({"saga-outcome": word} if word else {})
        send(shop.endpoints["KAFKA_BOOTSTRAP"], "order.failed", f"{run}-{kind}", wire(schema_id(shop, "order.failed"), b"\x00"),
             headers)
    found = dead_letters(shop, "order.failed", {f"{run}-{kind}" for kind in words})
    assert {headers_of(record)["dlq-reason"] for record in found.values()} == {"no_outcome"}
    assert shop.get(ended.saga_id).version == ended.version


@pytest.mark.parametrize("delay", ["1s", "30s"])
def test_poison_in_a_retry_topic_holds_up_no_other_retry(shop: Shop, delay: str) -> None:
    """Whoever may write there: what can be sent back is judged on the command topic, what cannot is dead at once."""
    topic, bootstrap, run = "shipping.ship.command", shop.endpoints["KAFKA_BOOTSTRAP"], uuid.uuid4().hex[:8]
    good = command_headers(saga_of_now(), "ship", "forward")
    values = {"large": bytes(1_030_000), "null": None, "junk": b"junk", "more-junk": b"junk"}
    if delay == "30s":
        values = {"large": bytes(1_030_000)}  # the others would come back in half a minute
    for kind, value in values.items():
        send(bootstrap, f"{topic}.retry.{delay}", f"{run}-{kind}", value, good)
    found = dead_letters(shop, topic, {f"{run}-{kind}" for kind in values})
    reasons = {key.removeprefix(f"{run}-"): headers_of(record)["dlq-reason"] for key, record in found.items()}
    assert reasons == {kind: "too_large" if kind == "large" else "undecodable" for kind in values}
    headers = headers_of(found[f"{run}-large"])
    assert (headers["dlq-topic"], headers["dlq-value-bytes"]) == (f"{topic}.retry.{delay}", "1030000")


@pytest.mark.parametrize("topic", ["payment.charge.command", "payment.charged"])
def test_records_as_large_as_kafka_takes_them_are_dead_letters_without_their_value(shop: Shop, topic: str) -> None:
    key, bootstrap = f"large-{uuid.uuid4()}", shop.endpoints["KAFKA_BOOTSTRAP"]
    headers = command_headers(saga_of_now(), "charge-payment", "forward") | {"saga-outcome": "succeeded"}
    send(bootstrap, topic, key, bytes(1_030_000), headers)
    dead = dead_letters(shop, topic, {key})[key]
    assert dead.value() is None
    assert headers_of(dead)["dlq-value-bytes"] == "1030000"
    assert shop.finished(shop.start(shop.input()).saga.saga_id).step == "COMPLETED"


def test_long_texts_of_a_reply_are_cut_and_the_saga_goes_on(shop: Shop, stack) -> None:
    stack.suspend("payment")
    try:
        saga = shop.start(shop.input()).saga
        bootstrap = shop.endpoints["KAFKA_BOOTSTRAP"]
        read_until(bootstrap, ["payment.charge.command"], lambda record: record.key() == saga.key.encode())
        value = wire(schema_id(shop, "payment.failed"), b"\x00\x0a" + bytes([len(saga.key)]) + saga.key.encode())
        send(bootstrap, "payment.failed", saga.key, value, command_headers(saga.saga_id, "charge-payment", "forward") | {
            "saga-outcome": "rejected", "saga-reason": "r" * 5000, "saga-detail": "\N{SNOWMAN}\n\x1b" * 2000,
        })
        ended = shop.finished(saga.saga_id)
    finally:
        stack.resume("payment")
    assert ended.state == saga_pb2.SAGA_STATE_COMPENSATED
    [step] = [step for step in ended.steps if step.step_id == "charge-payment"]
    [event] = [event for event in ended.events if event.reason]
    assert (len(event.reason.encode()), len(event.detail.encode()) in range(990, 1001)) == (255, True)
    assert event.detail.startswith("\N{SNOWMAN}??")
    assert step.reason == event.reason


def test_facts_on_reply_topics_are_passed_over(shop: Shop) -> None:
    bootstrap, run = shop.endpoints["KAFKA_BOOTSTRAP"], uuid.uuid4().hex[:8]
    before = metric(shop, "saga_facts_ignored_total")
    fact = {"ce_specversion": "1.0", "ce_id": str(uuid.uuid4()), "ce_source": "test", "ce_type": "PaymentCharged"}
    send(bootstrap, "payment.charged", f"{run}-fact", wire(schema_id(shop, "payment.charged"), b"\x00"), fact)
    send(bootstrap, "payment.charged", f"{run}-poison", wire(schema_id(shop, "payment.charged"), b"\x00"), {})
    assert set(dead_letters(shop, "payment.charged", {f"{run}-poison"})) == {f"{run}-poison"}
    wait_until(lambda: metric(shop, "saga_facts_ignored_total") == before + 1, "the fact is counted")


def metric(shop: Shop, name: str) -> float:
    status, text = http("GET", f"{shop.endpoints['SAGA_HTTP']}/metrics")
    assert status == 200
    [line] = [line for line in text.splitlines() if line.startswith(name + " ")]
    return float(line.split()[-1])


def test_replies_of_unknown_sagas_and_stale_steps_are_counted_without_effect(shop: Shop) -> None:
    ended = shop.finished(shop.start(shop.input(force_payment_fail=True)).saga.saga_id)
    value = wire(schema_id(shop, "payment.charged"), b"\x00")
    names = {why: f'saga_replies_ignored_total{{why="{why}"}}' for why in ("unknown_saga", "unknown_step", "no_effect")}
    before = {why: metric(shop, name) for why, name in names.items()}
    bootstrap, key = shop.endpoints["KAFKA_BOOTSTRAP"], f"ignored-{uuid.uuid4()}"
    outcome = {"saga-outcome": "succeeded"}
    send(bootstrap, "payment.charged", key, value, command_headers(saga_of_now(), "charge-payment", "forward") | outcome)
    send(bootstrap, "payment.charged", key, value, command_headers(ended.saga_id, "no-such-step", "forward") | outcome)
    send(bootstrap, "payment.charged", key, value, command_headers(ended.saga_id, "charge-payment", "forward") | outcome)
    wait_until(
        lambda: all(metric(shop, name) > before[why] for why, name in names.items()), "each is counted by its reason", 20
    )
    after = shop.get(ended.saga_id)
    assert (after.version, after.state) == (ended.version, ended.state)


# ---- handlers that fail ------------------------------------------------------------------------------------------------


@contextmanager
def failing_shipments(shop: Shop, order: str, sqlstate: str) -> Iterator[None]:
    """Every insert of this order's shipment fails, as a bug (P0001) or as something that may pass (40001)."""
    name = f"fail_{uuid.uuid4().hex}"
    with psycopg.connect(shop.endpoints["PG_SHIPPING_DSN"], autocommit=True) as connection:
        connection.execute(
            f"create function {name}() returns trigger language plpgsql as $$ begin if new.order_id = '{order}' then"
            f" raise exception 'the label printer is on fire' using errcode = '{sqlstate}'; end if; return new; end $$"
        )
        connection.execute(f"create trigger {name} before insert on shipments for each row execute function {name}()")
        try:
            yield
        finally:
            connection.execute(f"drop trigger {name} on shipments")
            connection.execute(f"drop function {name}()")


@pytest.fixture(scope="module")
def impatient_checkout(shop: Shop) -> str:
    """The checkout with one attempt to ship: what fails is stuck at once."""
    name = "checkout-impatient"
    source = (ROOT / "deploy" / "shop" / "checkout.yaml").read_text()
    source = source.replace("saga: checkout\n", f"saga: {name}\n").replace("  - id: ship\n", "  - id: ship\n    attempts: 1\n")
    shop.sagas.PutDefinition(saga_service_pb2.PutDefinitionRequest(source=source, file_name=f"{name}.yaml"), timeout=20)
    request = saga_service_pb2.GetDefinitionRequest(name=name)
    wait_until(lambda: shop.sagas.GetDefinition(request, timeout=5).definition.ready, "the definition is ready")
    return name


def test_handler_that_always_fails_is_a_dead_letter_at_once_and_the_rest_flows(shop: Shop, impatient_checkout: str) -> None:
    order = str(uuid.uuid4())
    with failing_shipments(shop, order, "P0001"):
        saga = shop.start(shop.input(order), definition=impatient_checkout).saga
        others = [shop.start(shop.input()).saga.saga_id for _ in range(5)]
        assert {shop.finished(other).state for other in others} == {saga_pb2.SAGA_STATE_COMPLETED}
        headers = headers_of(dead_letters(shop, "shipping.ship.command", {order})[order])
        assert (headers["dlq-reason"], headers["dlq-tries"]) == ("failed", "1")
        assert "on fire" in headers["dlq-detail"]
        assert headers["saga-id"] == saga.saga_id
        assert shop.finished(saga.saga_id).state == saga_pb2.SAGA_STATE_STUCK
    assert shop.shipment_status(order) is None


def test_what_fails_for_a_while_succeeds_through_the_retry_topics(shop: Shop) -> None:
    order = str(uuid.uuid4())
    with failing_shipments(shop, order, "40001"):
        saga = shop.start(shop.input(order)).saga
        [waiting] = read_until(
            shop.endpoints["KAFKA_BOOTSTRAP"], ["shipping.ship.command.retry.1s"], lambda r: r.key() == order.encode()
        )
        assert int(headers_of(waiting)["retry-tries"]) >= 2
        others = [shop.start(shop.input()).saga.saga_id for _ in range(3)]
        assert {shop.finished(other).state for other in others} == {saga_pb2.SAGA_STATE_COMPLETED}
    assert shop.finished(saga.saga_id).state == saga_pb2.SAGA_STATE_COMPLETED
    assert shop.shipment_status(order) == "SHIPPED"


def test_transient_failure_is_a_dead_letter_after_its_tries(shop: Shop, impatient_checkout: str) -> None:
    order = str(uuid.uuid4())
    with failing_shipments(shop, order, "40001"):
        saga = shop.start(shop.input(order), definition=impatient_checkout).saga
        headers = headers_of(dead_letters(shop, "shipping.ship.command", {order})[order])
        assert (headers["dlq-reason"], headers["dlq-tries"]) == ("exhausted", "6")
        assert shop.finished(saga.saga_id).state == saga_pb2.SAGA_STATE_STUCK


def test_compensation_overtakes_a_command_that_waits_in_a_retry_topic(shop: Shop) -> None:
    """Order of a key: the barrier decides, so the late command does nothing."""
    order, saga = str(uuid.uuid4()), saga_of_now()
    bootstrap = shop.endpoints["KAFKA_BOOTSTRAP"]
    registry = SchemaRegistryClient({"url": shop.endpoints["REGISTRY_URL"]})
    ship = wire(
        registry.get_latest_version("shipping.ship.command-value").schema_id,
        b"\x00\x0a\x24" + order.encode() + b"\x1a\x0a\x0a\x06prod-1\x10\x01",
    )
    cancel = wire(
        registry.get_latest_version("shipping.cancel.command-value").schema_id, b"\x00\x0a\x24" + order.encode()
    )
    with failing_shipments(shop, order, "40001"):
        send(bootstrap, "shipping.ship.command", order, ship, command_headers(saga, "ship", "forward"))
        read_until(bootstrap, ["shipping.ship.command.retry.1s"], lambda r: r.key() == order.encode())
        send(bootstrap, "shipping.cancel.command", order, cancel, command_headers(saga, "ship", "compensation"))
        [undone] = read_until(bootstrap, ["shipping.cancelled"], lambda r: r.key() == order.encode())
        assert headers_of(undone)["saga-effect"] == "none"
    [late] = read_until(bootstrap, ["shipping.failed"], lambda r: r.key() == order.encode())
    assert (headers_of(late)["saga-outcome"], headers_of(late)["saga-reason"]) == ("rejected", "cancelled-before")
    assert shop.shipment_status(order) is None


def test_dead_letters_are_durable_before_anything_is_acknowledged(shop: Shop, stack) -> None:
    """Killed with poison in hand, participants and coordinator write it after their restart."""
    bootstrap, keys = shop.endpoints["KAFKA_BOOTSTRAP"], {f"kill-{number}-{uuid.uuid4()}" for number in range(40)}
    for service, topic in (("payment", "payment.charge.command"), ("coordinator", "payment.charged")):
        stack.suspend(service)
        for key in keys:
            send(bootstrap, topic, key, b"junk", command_headers(saga_of_now(), "charge-payment", "forward"))
        stack.resume(service)
        stack.kill(service)
        stack.wait_ready(service)
        assert set(dead_letters(shop, topic, keys)) == keys


def test_health_is_degraded_while_dead_letters_have_no_topic(shop: Shop) -> None:
    topic, bootstrap = "shipping.cancel.command", shop.endpoints["KAFKA_BOOTSTRAP"]
    admin, key = AdminClient({"bootstrap.servers": bootstrap}), uuid.uuid4().hex

    def health() -> dict[str, object]:
        return http("GET", f"{shop.endpoints['SHIPPING_URL']}/health")[1]

    admin.delete_topics([f"{topic}.dlq"])[f"{topic}.dlq"].result(30)
    try:
        send(bootstrap, topic, key, b"plain text", command_headers(saga_of_now(), "ship", "compensation"))
        wait_until(lambda: any(f"{topic}.dlq" in reason for reason in health()["reasons"]), "a reason in /health", 60)
        assert health()["status"] == "degraded"
    finally:
        admin.create_topics([NewTopic(f"{topic}.dlq", 1, 1)])[f"{topic}.dlq"].result(30)
    assert set(dead_letters(shop, topic, {key})) == {key}
    wait_until(lambda: health()["status"] == "healthy", "shipping is healthy again", 60)
