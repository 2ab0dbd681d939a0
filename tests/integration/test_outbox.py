"""Facts born by HTTP: told once the change is committed, in order, whatever is away or dies in between."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext
from kafka_tools import headers_of, read_until
from shop_client import Shop, http, wait_until

TOPIC = "inventory.restocked"


def facts(shop: Shop, product: str, count: int) -> list:
    return read_until(shop.endpoints["KAFKA_BOOTSTRAP"], [TOPIC], lambda r: r.key() == product.encode(), count)


def decoded(shop: Shop, record) -> dict:
    registry = SchemaRegistryClient({"url": shop.endpoints["REGISTRY_URL"]})
    return AvroDeserializer(registry)(record.value(), SerializationContext(TOPIC, MessageField.VALUE))


def left(shop: Shop, product: str) -> int:
    return shop.query("inventory", "select count(*) from saga_outbox where key = %s", product)[0][0]


def test_a_change_by_http_is_told_as_a_cloud_event(shop: Shop) -> None:
    product = f"told-{uuid.uuid4()}"
    shop.restock(product, 7)
    [record] = facts(shop, product, 1)
    assert decoded(shop, record) == {"product_id": product, "available": 7, "reserved": 0}
    headers = headers_of(record)
    assert (headers["ce_type"], headers["ce_source"]) == ("InventoryRestocked", "inventory-service")
    assert (headers["ce_subject"], headers["correlationid"]) == (product, product)
    assert headers["content-type"] == "application/avro"
    assert uuid.UUID(headers["ce_id"]).version == 7
    assert not [name for name in headers if name.startswith("saga-")]
    wait_until(lambda: left(shop, product) == 0, "the row goes when Kafka has it")


def test_facts_of_one_key_keep_their_order(shop: Shop) -> None:
    product = f"order-{uuid.uuid4()}"
    for available in range(1, 31):
        shop.restock(product, available)
    assert [decoded(shop, record)["available"] for record in facts(shop, product, 30)] == list(range(1, 31))


def test_what_is_rolled_back_is_not_told(shop: Shop) -> None:
    product = f"undone-{uuid.uuid4()}"
    name = f"refuse_{uuid.uuid4().hex}"
    with psycopg.connect(shop.endpoints["PG_INVENTORY_DSN"], autocommit=True) as connection:
        connection.execute(
            f"create function {name}() returns trigger language plpgsql as $$ begin if new.key = '{product}' then"
            " raise exception 'no room for facts'; end if; return new; end $$"
        )
        connection.execute(f"create trigger {name} before insert on saga_outbox for each row execute function {name}()")
        try:
            status, _ = http("PUT", f"{shop.endpoints['INVENTORY_URL']}/stock/{product}", {"available": 5})
            assert status >= 500
        finally:
            connection.execute(f"drop trigger {name} on saga_outbox")
            connection.execute(f"drop function {name}()")
    assert shop.query("inventory", "select count(*) from stock where product_id = %s", product) == [(0,)]
    shop.restock(product, 6)
    assert decoded(shop, facts(shop, product, 1)[0])["available"] == 6  # the first that was ever told


def test_facts_wait_for_the_broker_and_survive_a_kill(shop: Shop, stack) -> None:
    product = f"wait-{uuid.uuid4()}"
    stack.suspend("kafka")
    try:
        shop.restock(product, 3)  # answered, though nobody can be told now
        assert left(shop, product) == 1
        stack.kill("inventory")
    finally:
        stack.resume("kafka")
    stack.wait_ready("inventory")
    assert decoded(shop, facts(shop, product, 1)[0])["available"] == 3
    wait_until(lambda: left(shop, product) == 0, "the row goes when Kafka has it")


def test_a_fact_that_fits_no_schema_holds_up_no_other(shop: Shop) -> None:
    bad, good = f"bad-{uuid.uuid4()}", f"good-{uuid.uuid4()}"
    with psycopg.connect(shop.endpoints["PG_INVENTORY_DSN"]) as connection:
        connection.execute(
            "insert into saga_outbox (ce_id, topic, key, value, correlation_id)"
            " values (gen_random_uuid(), %s, %s, '{\"available\": \"many\"}', 'x')",
            (TOPIC, bad),
        )
    shop.restock(good, 1)
    facts(shop, good, 1)
    [(problem,)] = shop.query("inventory", "select problem from saga_outbox where key = %s", bad)
    assert "available" in problem


@contextmanager
def small_topic(shop: Shop, limit: int) -> Iterator[None]:
    admin = AdminClient({"bootstrap.servers": shop.endpoints["KAFKA_BOOTSTRAP"]})

    def alter(operation: AlterConfigOpType) -> None:
        entry = ConfigEntry("max.message.bytes", str(limit), incremental_operation=operation)
        resource = ConfigResource(ResourceType.TOPIC, TOPIC, incremental_configs=[entry])
        admin.incremental_alter_configs([resource])[resource].result(30)

    alter(AlterConfigOpType.SET)
    try:
        yield
    finally:
        alter(AlterConfigOpType.DELETE)


@pytest.mark.parametrize("size", [5_000, 1_500_000], ids=["for the broker", "for the client"])
def test_a_fact_that_is_too_large_holds_up_no_other(shop: Shop, size: int) -> None:
    bad, goods = f"large-{uuid.uuid4()}", [f"good-{uuid.uuid4()}" for _ in range(3)]
    with small_topic(shop, 2000), psycopg.connect(shop.endpoints["PG_INVENTORY_DSN"]) as connection:
        for number, key in enumerate([goods[0], bad, *goods[1:]]):  # one transaction, so one batch
            product = key if key != bad else "x" * size
            connection.execute(
                "insert into saga_outbox (ce_id, topic, key, value, correlation_id) values"
                " (gen_random_uuid(), %s, %s, jsonb_build_object('product_id', %s::text, 'available', %s, 'reserved', 0), 'x')",
                (TOPIC, key, product, number),
            )
        connection.commit()
        for good in goods:
            facts(shop, good, 1)
        wait_until(lambda: sum(left(shop, good) for good in goods) == 0, "the others go")
    [(problem,)] = shop.query("inventory", "select problem from saga_outbox where key = %s", bad)
    assert "MSG_SIZE_TOO_LARGE" in problem
    _, text = http("GET", f"{shop.endpoints['INVENTORY_URL']}/metrics")
    [line] = [line for line in text.splitlines() if line.startswith('participant_facts_total{result="set_aside"}')]
    assert float(line.split()[-1]) >= 1
