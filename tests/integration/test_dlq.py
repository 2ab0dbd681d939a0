"""sagactl dlq: dead letters found, shown decoded, replayed after mending, and dropped."""

from __future__ import annotations

import json
import subprocess
import uuid

import pytest
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from conftest import ROOT
from kafka_tools import command_headers, headers_of, read_until, saga_of_now, send
from saga.v1 import saga_pb2
from shop_client import Shop, wait_until
from test_dead_letters import dead_letters, failing_shipments, impatient_checkout, wire  # noqa: F401
from test_metrics import scrape


def letters(stack, *arguments: str) -> list[dict]:
    shown = stack.sagactl("dlq", "list", "-o", "json", *arguments)
    assert shown.returncode == 0, shown.stderr
    return json.loads(shown.stdout)


def counts(run: subprocess.CompletedProcess[str]) -> dict:
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


def test_replay_after_mending_completes_the_saga(shop: Shop, stack, impatient_checkout: str) -> None:  # noqa: F811
    order = str(uuid.uuid4())
    with failing_shipments(shop, order, "P0001"):
        saga = shop.start(shop.input(order), definition=impatient_checkout).saga.saga_id
        assert shop.finished(saga).state == saga_pb2.SAGA_STATE_STUCK
    [letter] = letters(stack, "--saga", saga)
    assert (letter["topic"], letter["reason"], letter["key"], letter["step"], letter["tries"]) == (
        "shipping.ship.command", "failed", order, "ship", 1,
    )
    assert letter["value"]["order_id"] == order
    assert letter["value"]["items"][0]["product_id"] == "prod-1"

    dry = counts(stack.sagactl("dlq", "replay", "--saga", saga, "--dry-run", "-o", "json"))
    assert dry == {"matched": 1, "replayed": 0, "dryRun": True}
    assert shop.get(saga).state == saga_pb2.SAGA_STATE_STUCK
    assert counts(stack.sagactl("dlq", "replay", letter["id"], "-o", "json"))["replayed"] == 1
    wait_until(lambda: shop.get(saga).state == saga_pb2.SAGA_STATE_COMPLETED, "the saga goes on")
    assert shop.shipment_status(order) == "SHIPPED"
    replayed = read_until(
        shop.endpoints["KAFKA_BOOTSTRAP"], ["shipping.ship.command"], lambda record: record.key() == order.encode(), 2
    )
    assert replayed[0].value() == replayed[1].value()
    assert replayed[0].headers() == replayed[1].headers()

    # Settled: neither listed nor replayed again, but still to be seen.
    assert letters(stack, "--saga", saga) == []
    [seen] = letters(stack, "--saga", saga, "--all")
    assert (seen["id"], seen["settled"]) == (letter["id"], "replayed")
    again = stack.sagactl("dlq", "replay", letter["id"])
    assert again.returncode == 3
    assert letter["id"] in again.stderr


def test_replay_once_the_schema_is_registered_lets_the_saga_go_on(shop: Shop, stack) -> None:
    """A reply in a schema that the registry does not know yet, as from a participant that was deployed too early."""
    registry = SchemaRegistryClient({"url": shop.endpoints["REGISTRY_URL"]})
    bootstrap, scratch = shop.endpoints["KAFKA_BOOTSTRAP"], f"scratch_{uuid.uuid4().hex[:8]}"
    text = (ROOT / "proto" / "shop" / "payment" / "v1" / "payment_failed.proto").read_text()
    stack.suspend("payment")
    try:
        saga = shop.start(shop.input()).saga
        read_until(bootstrap, ["payment.charge.command"], lambda record: record.key() == saga.key.encode())
        number = 1 + registry.register_schema(f"{scratch}-1", Schema(f"{text}message {scratch} {{}}", "PROTOBUF"))
        headers = command_headers(saga.saga_id, "charge-payment", "forward")
        headers |= {"saga-outcome": "rejected", "saga-reason": "mended"}
        send(bootstrap, "payment.failed", saga.key, wire(number, b"\x00"), headers)
        assert headers_of(dead_letters(shop, "payment.failed", {saga.key})[saga.key])["dlq-reason"] == "unknown_schema"
        assert shop.get(saga.saga_id).state == saga_pb2.SAGA_STATE_RUNNING

        mended = text.replace("message PaymentFailed {", f"message PaymentFailed {{\n  string {scratch} = 99;")
        assert registry.register_schema(f"{scratch}-2", Schema(mended, "PROTOBUF")) == number
        assert counts(stack.sagactl("dlq", "replay", "--saga", saga.saga_id, "-o", "json"))["replayed"] == 1
        ended = shop.finished(saga.saga_id)
    finally:
        stack.resume("payment")
    assert ended.state == saga_pb2.SAGA_STATE_COMPENSATED
    assert "mended" in {event.reason for event in ended.events}


def test_bulk_replay_takes_what_the_filter_says(shop: Shop, stack) -> None:
    run, bootstrap = uuid.uuid4().hex[:8], shop.endpoints["KAFKA_BOOTSTRAP"]
    keys = {f"bulk-{run}-{number}" for number in range(20)}
    saga = saga_of_now()
    for key in keys:
        send(bootstrap, "order.create.command", key, b"junk", command_headers(saga, "create-order", "forward"))
    send(bootstrap, "payment.charge.command", f"bulk-{run}-0", b"junk", command_headers(saga, "charge-payment", "forward"))
    dead_letters(shop, "order.create.command", keys)
    dead_letters(shop, "payment.charge.command", {f"bulk-{run}-0"})

    assert len(letters(stack, "--saga", saga)) == 21
    assert {letter["topic"] for letter in letters(stack, "--key", f"bulk-{run}-0")} == {
        "order.create.command", "payment.charge.command",
    }
    lines = stack.sagactl("dlq", "list", "-o", "jsonl", "--saga", saga, "--topic", "order.create.command").stdout
    assert {json.loads(line)["key"] for line in lines.splitlines()} == keys
    filters = ("--saga", saga, "--topic", "order.create.command", "--reason", "undecodable")
    assert counts(stack.sagactl("dlq", "replay", *filters, "-o", "json"))["replayed"] == 20
    # Nothing was mended, so all of it is dead again, under other ids.
    wait_until(lambda: len(letters(stack, *filters)) == 20, "the replayed ones are dead again")
    assert len(letters(stack, *filters, "--all")) == 40


def test_dropped_letters_are_gone_from_the_list(shop: Shop, stack) -> None:
    key = f"drop-{uuid.uuid4()}"
    send(shop.endpoints["KAFKA_BOOTSTRAP"], "payment.charged", key, b"junk", {"saga-id": "x"})
    dead_letters(shop, "payment.charged", {key})
    [letter] = letters(stack, "--key", key)
    assert letter["value"] is None
    assert letter["valueHex"] == b"junk".hex()
    assert letter["valueError"]
    assert counts(stack.sagactl("dlq", "drop", "--key", key, "-o", "json"))["dropped"] == 1
    assert letters(stack, "--key", key) == []
    [seen] = letters(stack, "--key", key, "--all")
    assert seen["settled"] == "dropped"


@pytest.mark.parametrize(
    ("topic", "kind", "metric"),
    [("payment.charge.command", "payment", "participant_dead_letters_open"), ("payment.charged", "coordinator", "saga_dead_letters_open")],
)
def test_open_letters_are_a_metric_until_they_are_settled(shop: Shop, stack, topic: str, kind: str, metric: str) -> None:
    saga, keys = str(uuid.uuid4()), {f"gauge-{uuid.uuid4()}" for _ in range(3)}

    def count() -> int:
        return int(scrape(stack.http_url(kind))[metric].series[f"{metric}{{}}"])

    def listed() -> int:
        return sum(is_own(letter["topic"]) for letter in letters(stack))

    def is_own(name: str) -> bool:
        of_commands = ".command" in name  # or of their retry topics
        return name.startswith("payment.") and of_commands if kind == "payment" else not of_commands

    wait_until(lambda: count() == listed(), f"{metric} says what is open")
    before = count()
    for key in keys:
        send(shop.endpoints["KAFKA_BOOTSTRAP"], topic, key, b"junk", {"saga-id": saga})
    wait_until(lambda: count() == before + 3, f"{metric} rises by 3")
    dropped, replayed, _ = keys
    counts(stack.sagactl("dlq", "drop", "--key", dropped, "-o", "json"))
    wait_until(lambda: count() == before + 2, f"{metric} falls when one is dropped")
    counts(stack.sagactl("dlq", "replay", "--key", replayed, "-o", "json"))  # and dead again
    wait_until(lambda: count() == listed() == before + 2, f"{metric} counts the replayed one once")
    counts(stack.sagactl("dlq", "drop", "--saga", saga, "-o", "json"))
    wait_until(lambda: count() == before, f"{metric} is as before")
    stack.restart(kind)
    wait_until(lambda: count() == before, f"{metric} is the same after a restart")


def test_show_is_for_people(shop: Shop, stack) -> None:
    key = f"show-\x1b[31m{uuid.uuid4()}"
    send(shop.endpoints["KAFKA_BOOTSTRAP"], "payment.charged", key, b"junk", {"saga-id": "x", "note": "\x1b]0;evil\x07"})
    record = dead_letters(shop, "payment.charged", {key})[key]
    letter_id = f"payment.charged.dlq/{record.partition()}/{record.offset()}"
    for arguments in (("list", "--key", key), ("show", letter_id)):
        shown = stack.sagactl("dlq", *arguments)
        assert shown.returncode == 0, shown.stderr
        assert letter_id in shown.stdout
        assert headers_of(record)["dlq-detail"][:20] in shown.stdout
        assert "\x1b" not in shown.stdout  # what is in a record never reaches the terminal as it is
    missing = stack.sagactl("dlq", "show", "payment.charged.dlq/0/999999")
    assert missing.returncode == 3
    assert "999999" in missing.stderr


def test_wrong_usage_changes_nothing(stack) -> None:
    for arguments in (("replay",), ("drop",), ("list", "--reason", "nonsense"), ("show",)):
        refused = stack.sagactl("dlq", *arguments)
        assert refused.returncode == 2, refused
        assert refused.stderr
    away = stack.sagactl("dlq", "list", "--kafka-brokers", "127.0.0.1:1")
    assert away.returncode == 4
