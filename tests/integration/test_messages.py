"""Every message of a checkout, read from Kafka by Confluent's own deserializers through our registry."""

from __future__ import annotations

import re
from datetime import datetime

from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.schema_registry.protobuf import ProtobufDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext
from kafka_tools import headers_of, read_until
from shop_client import Shop
from shop_messages import AVRO_TOPICS, PROTOBUF_TOPICS

COPIED = ("saga-id", "saga-step", "saga-phase", "saga-command-id", "correlationid")


def checkout_records(shop: Shop) -> tuple[dict, list]:
    status, answer = shop.checkout(forceInventoryFail=True)
    assert status == 200, answer
    topics = list(PROTOBUF_TOPICS) + list(AVRO_TOPICS)
    order = answer["orderId"].encode()
    # create, charge, reserve, refund, cancel: a command and a reply each
    bootstrap = shop.endpoints["KAFKA_BOOTSTRAP"]
    return answer, read_until(
        bootstrap, topics, lambda record: record.key() == order, 10, distinct=lambda record: record.topic()
    )


def test_confluent_deserializers_read_every_message(shop: Shop) -> None:
    registry = SchemaRegistryClient({"url": shop.endpoints["REGISTRY_URL"]})
    answer, records = checkout_records(shop)
    seen = {}
    for record in records:
        context = SerializationContext(record.topic(), MessageField.VALUE)
        if record.topic() in PROTOBUF_TOPICS:
            message_class = PROTOBUF_TOPICS[record.topic()]
            deserialize = ProtobufDeserializer(message_class, {"use.deprecated.format": False})
            seen[record.topic()] = deserialize(record.value(), context).order_id
        else:
            seen[record.topic()] = AvroDeserializer(registry)(record.value(), context)["order_id"]
    assert seen == {
        topic: answer["orderId"]
        for topic in (
            "order.create.command", "order.created", "payment.charge.command", "payment.charged",
            "inventory.reserve.command", "inventory.failed", "payment.refund.command", "payment.refunded",
            "order.cancel.command", "order.cancelled",
        )
    }


def test_headers_are_as_in_the_contract(shop: Shop) -> None:
    answer, records = checkout_records(shop)
    by_topic = {record.topic(): headers_of(record) for record in records}
    for topic, headers in by_topic.items():
        assert headers["saga-id"] == answer["sagaId"]
        assert headers["saga-command-id"] == "/".join(headers[name] for name in ("saga-id", "saga-step", "saga-phase"))
        assert headers["saga-attempt"] == "1"
        assert headers["ce_specversion"] == "1.0"
        assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", headers["ce_id"])
        assert headers["ce_subject"] == answer["orderId"]
        assert datetime.fromisoformat(headers["ce_time"]).tzinfo is not None
        assert headers["content-type"] == ("application/avro" if topic in AVRO_TOPICS else "application/protobuf")
        assert headers["correlationid"] == answer["sagaId"]
        assert re.search(r"/schemas/ids/\d+$", headers["ce_dataschema"])
    assert len({headers["ce_id"] for headers in by_topic.values()}) == len(by_topic)

    command, reply = by_topic["payment.charge.command"], by_topic["payment.charged"]
    assert command["ce_source"] == "saga-coordinator"
    assert command["ce_type"] == "ChargePayment"
    assert datetime.fromisoformat(command["saga-deadline"]) > datetime.fromisoformat(command["ce_time"])
    assert reply["ce_source"] == "payment-service"
    assert reply["ce_type"] == "PaymentCharged"
    assert reply["saga-outcome"] == "succeeded"
    assert reply["causationid"] == command["ce_id"]
    assert {name: command[name] for name in COPIED} == {name: reply[name] for name in COPIED}
    failed = by_topic["inventory.failed"]
    assert failed["saga-outcome"] == "rejected"
    assert failed["saga-reason"]
    assert by_topic["payment.refund.command"]["saga-phase"] == "compensation"
    assert by_topic["payment.refund.command"]["causationid"] == failed["ce_id"]
