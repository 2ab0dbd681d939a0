"""The inbox barrier of every service, driven by a bare Kafka client: duplicates, overtaking, poison."""

from __future__ import annotations

import uuid

import pytest
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.schema_registry.protobuf import ProtobufSerializer
from confluent_kafka.serialization import MessageField, SerializationContext
from kafka_tools import command_headers, headers_of, read_until, saga_of_now, send
from shop_client import Shop, http, wait_until
from shop_messages import PROTOBUF_TOPICS


class Participant:
    """Sends commands as a coordinator would and reads the replies to one order."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.bootstrap = shop.endpoints["KAFKA_BOOTSTRAP"]
        self.registry = SchemaRegistryClient({"url": shop.endpoints["REGISTRY_URL"]})
        self.order = str(uuid.uuid4())
        self.saga = saga_of_now()

    def encode(self, topic: str, fields: dict) -> bytes:
        context = SerializationContext(topic, MessageField.VALUE)
        if topic in PROTOBUF_TOPICS:
            message_class = PROTOBUF_TOPICS[topic]
            serialize = ProtobufSerializer(
                message_class, self.registry, {"use.latest.version": True, "auto.register.schemas": False}
            )
            return serialize(message_class(**fields), context)
        schema = self.registry.get_latest_version(f"{topic}-value").schema
        return AvroSerializer(self.registry, schema, conf={"auto.register.schemas": False, "use.latest.version": True})(
            fields, context
        )

    def command(self, topic: str, step: str, phase: str = "forward", attempt: int = 1, **fields) -> None:
        value = self.encode(topic, {"order_id": self.order} | fields)
        send(self.bootstrap, topic, self.order, value, command_headers(self.saga, step, phase, attempt))

    def replies(self, topic: str, count: int) -> list:
        return read_until(self.bootstrap, [topic], lambda record: record.key() == self.order.encode(), count)


@pytest.fixture
def participant(shop: Shop) -> Participant:
    return Participant(shop)


def charge(participant: Participant, attempt: int = 1) -> None:
    participant.command(
        "payment.charge.command", "charge-payment", attempt=attempt, user_id="u", amount_minor=700, currency="USD"
    )


def test_duplicate_command_gets_the_stored_reply_and_no_second_effect(participant: Participant) -> None:
    charge(participant)
    [first] = participant.replies("payment.charged", 1)
    charge(participant, attempt=2)
    charge(participant, attempt=3)
    replies = participant.replies("payment.charged", 3)
    assert {reply.value() for reply in replies} == {first.value()}  # I6
    assert [headers_of(reply)["saga-attempt"] for reply in replies] == ["1", "2", "3"]
    assert len({headers_of(reply)["ce_id"] for reply in replies}) == 3
    rows = participant.shop.query(
        "payment", "select amount_minor, status from payments where order_id::text = %s", participant.order
    )
    assert rows == [(700, "CHARGED")]  # I4


def test_compensation_that_overtakes_leaves_a_tombstone(participant: Participant) -> None:
    participant.command(
        "payment.refund.command", "charge-payment", "compensation", amount_minor=700, currency="USD"
    )
    [refund] = participant.replies("payment.refunded", 1)
    assert headers_of(refund)["saga-outcome"] == "succeeded"
    assert headers_of(refund)["saga-effect"] == "none"
    charge(participant)
    [late] = participant.replies("payment.failed", 1)
    assert headers_of(late)["saga-outcome"] == "rejected"
    assert headers_of(late)["saga-reason"] == "cancelled-before"
    assert participant.shop.payment_status(participant.order) is None


def test_refund_after_charge_is_an_effect(participant: Participant) -> None:
    charge(participant)
    participant.replies("payment.charged", 1)
    participant.command(
        "payment.refund.command", "charge-payment", "compensation", amount_minor=700, currency="USD"
    )
    [refund] = participant.replies("payment.refunded", 1)
    assert "saga-effect" not in headers_of(refund)
    assert participant.shop.payment_status(participant.order) == "REFUNDED"


def test_refused_compensation_is_answered_retriable_and_holds_up_nobody(participant: Participant) -> None:
    """A definition may name any command as a compensation; what its service refuses leaves the saga stuck, not the service."""
    charge(participant)
    participant.replies("payment.charged", 1)
    participant.command(
        "payment.charge.command", "charge-payment", "compensation", user_id="u", amount_minor=700, currency="USD"
    )
    [refused] = participant.replies("payment.failed", 1)
    assert headers_of(refused)["saga-phase"] == "compensation"
    assert headers_of(refused)["saga-outcome"] == "retriable"
    assert "payment_exists" in headers_of(refused)["saga-detail"]
    assert participant.shop.payment_status(participant.order) == "CHARGED"
    participant.command(
        "payment.refund.command", "charge-payment", "compensation", amount_minor=700, currency="USD"
    )
    participant.replies("payment.refunded", 1)
    assert participant.shop.payment_status(participant.order) == "REFUNDED"  # nothing of the refusal was kept


def test_avro_command_is_served_as_well(participant: Participant) -> None:
    product = f"bare-{participant.order}"
    participant.shop.restock(product, 5)
    items = [{"product_id": product, "quantity": 2}]
    participant.command("inventory.reserve.command", "reserve-inventory", items=items, force_fail=None)
    participant.replies("inventory.reserved", 1)
    assert participant.shop.stock(product) == (3, 2)
    participant.command("inventory.reserve.command", "reserve-inventory", items=items, force_fail=None, attempt=2)
    participant.replies("inventory.reserved", 2)
    assert participant.shop.stock(product) == (3, 2)
    participant.command("inventory.release.command", "reserve-inventory", "compensation")
    participant.replies("inventory.released", 1)
    assert participant.shop.stock(product) == (5, 0)


def test_ship_once_and_call_back(participant: Participant, shop: Shop) -> None:
    items = [{"product_id": "prod-1", "quantity": 1}]
    participant.command("shipping.ship.command", "ship", user_id="u", items=items)
    [first] = participant.replies("shipping.shipped", 1)
    participant.command("shipping.ship.command", "ship", user_id="u", items=items, attempt=2)
    assert {reply.value() for reply in participant.replies("shipping.shipped", 2)} == {first.value()}
    status, shipment = http("GET", f"{shop.endpoints['SHIPPING_URL']}/shipments/{participant.order}")
    assert (status, shipment["status"], shipment["sagaId"]) == (200, "SHIPPED", participant.saga)
    assert shipment["trackingNo"] in first.value().decode(errors="replace")
    participant.command("shipping.cancel.command", "ship", "compensation")
    [called_back] = participant.replies("shipping.cancelled", 1)
    assert "saga-effect" not in headers_of(called_back)
    assert shop.shipment_status(participant.order) == "CANCELLED"


def test_second_shipment_and_shipments_of_nothing_are_refused(participant: Participant, shop: Shop) -> None:
    items = [{"product_id": "prod-1", "quantity": 1}]
    participant.command("shipping.ship.command", "ship", items=[])
    participant.command("shipping.ship.command", "ship-2", items=items)
    participant.command("shipping.ship.command", "ship-3", items=items)
    reasons = [headers_of(reply)["saga-reason"] for reply in participant.replies("shipping.failed", 2)]
    assert sorted(reasons) == ["invalid_command", "shipment_exists"]
    assert shop.shipment_status(participant.order) == "SHIPPED"
    assert http("GET", f"{shop.endpoints['SHIPPING_URL']}/shipments/none")[0] == 404
