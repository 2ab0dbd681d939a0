"""The registry as Confluent's clients use it: register, look up, by id, versions, compatibility, config."""

from __future__ import annotations

import json
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from confluent_kafka.schema_registry import (
    ConfigCompatibilityLevel,
    Metadata,
    MetadataProperties,
    Schema,
    SchemaRegistryClient,
    ServerConfig,
    dual_schema_id_deserializer,
    header_schema_id_serializer,
)
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.schema_registry.error import SchemaRegistryError
from confluent_kafka.serialization import MessageField, SerializationContext
from shop_client import Shop, http


def record(name: str, *fields: dict) -> str:
    return json.dumps({"type": "record", "name": name, "fields": list(fields)})


TEXT = {"name": "order_id", "type": "string"}
NEW_WITHOUT_DEFAULT = {"name": "added", "type": "int"}
NEW_WITH_DEFAULT = {"name": "added", "type": "int", "default": 0}


@pytest.fixture
def registry(shop: Shop) -> SchemaRegistryClient:
    return SchemaRegistryClient({"url": shop.endpoints["REGISTRY_URL"]})


@pytest.fixture
def subject() -> str:
    return f"test-{uuid.uuid4()}"


def test_register_is_idempotent_and_shares_ids(registry: SchemaRegistryClient, subject: str) -> None:
    schema = Schema(record("Thing" + uuid.uuid4().hex, TEXT), "AVRO")
    first = registry.register_schema(subject, schema)
    assert registry.register_schema(subject, schema) == first
    assert registry.register_schema(subject + "-2", schema) == first
    assert registry.get_versions(subject) == [1]
    assert registry.lookup_schema(subject, schema).version == 1
    assert json.loads(registry.get_schema(first).schema_str)["fields"][0]["name"] == "order_id"


def test_incompatible_change_is_refused_with_the_place(shop: Shop, registry: SchemaRegistryClient, subject: str) -> None:
    registry.register_schema(subject, Schema(record("Thing", TEXT), "AVRO"))
    with pytest.raises(SchemaRegistryError) as caught:
        registry.register_schema(subject, Schema(record("Thing", TEXT, NEW_WITHOUT_DEFAULT), "AVRO"))
    assert caught.value.http_status_code == 409
    assert "added" in str(caught.value)
    assert registry.get_versions(subject) == [1]
    registry.register_schema(subject, Schema(record("Thing", TEXT, NEW_WITH_DEFAULT), "AVRO"))
    assert registry.get_latest_version(subject).version == 2


def test_compatibility_can_be_asked_and_configured(registry: SchemaRegistryClient, subject: str) -> None:
    registry.register_schema(subject, Schema(record("Thing", TEXT), "AVRO"))
    breaking = Schema(record("Thing", TEXT, NEW_WITHOUT_DEFAULT), "AVRO")
    assert not registry.test_compatibility(subject, breaking)
    registry.set_compatibility(subject, "FORWARD")
    assert registry.get_compatibility(subject) == "FORWARD"
    assert registry.test_compatibility(subject, breaking)


def test_guids_in_headers_lead_to_the_schema(shop: Shop, registry: SchemaRegistryClient, subject: str) -> None:
    serialize = AvroSerializer(registry, record("Thing" + uuid.uuid4().hex, TEXT), conf={"schema.id.serializer": header_schema_id_serializer})
    context = SerializationContext(subject, MessageField.VALUE, [])
    message = serialize({"order_id": "long enough"}, context)
    [(_, header)] = context.headers
    assert len(header) == 17  # a magic byte and the guid; the id is in neither header nor message
    other = SchemaRegistryClient({"url": shop.endpoints["REGISTRY_URL"]})  # with nothing in its cache
    read = AvroDeserializer(other, conf={"schema.id.deserializer": dual_schema_id_deserializer})
    assert read(message, SerializationContext(subject, MessageField.VALUE, context.headers)) == {"order_id": "long enough"}


def test_a_config_as_the_client_writes_it(registry: SchemaRegistryClient, subject: str) -> None:
    owner = Metadata(tags=None, properties=MetadataProperties({"owner": "a"}), sensitive=None)
    registry.set_config(subject, ServerConfig(compatibility=ConfigCompatibilityLevel.FULL, compatibility_group="major", default_metadata=owner))
    config = registry.get_config(subject)
    assert config.compatibility_level == ConfigCompatibilityLevel.FULL
    assert config.compatibility_group == "major"
    registry.register_schema(subject, Schema(record("Thing", TEXT), "AVRO"))
    assert registry.get_latest_version(subject).schema.metadata.properties.properties == {"owner": "a"}
    assert registry.get_latest_with_metadata(subject, {"owner": "a"}).version == 1


def test_protobuf_text_and_verdict(registry: SchemaRegistryClient, subject: str) -> None:
    old = 'syntax = "proto3"; package t.v1; message Thing { string id = 1; int32 n = 2; }'
    registry.register_schema(subject, Schema(old, "PROTOBUF"))
    assert registry.test_compatibility(subject, Schema(old.replace("int32", "int64"), "PROTOBUF"))
    assert not registry.test_compatibility(subject, Schema(old.replace("int32", "string"), "PROTOBUF"))
    assert "message Thing" in registry.get_latest_version(subject).schema.schema_str


def test_bad_schemas_say_what_is_wrong(shop: Shop, subject: str) -> None:
    url = f"{shop.endpoints['REGISTRY_URL']}/subjects/{subject}/versions"
    headers = {"Content-Type": "application/vnd.schemaregistry.v1+json"}
    for body, wanted in (
        ({"schema": "{\"type\": \"record\", \"name\": \"A\"}"}, (422, 42201)),
        ({"schema": "message {", "schemaType": "PROTOBUF"}, (422, 42201)),
        ({"schema": "{}", "schemaType": "XML"}, (422, 42201)),
        (b"{not json", (400, 400)),
    ):
        status, answer = http("POST", url, body, headers)
        assert (status, answer["error_code"]) == wanted
        assert answer["message"]
    assert http("GET", f"{shop.endpoints['REGISTRY_URL']}/subjects/{subject}/versions")[1]["error_code"] == 40401


def test_concurrent_registrations_give_one_id_and_gapless_versions(registry: SchemaRegistryClient, subject: str) -> None:
    registry.set_compatibility(subject, "NONE")
    schemas = [Schema(record("Thing", TEXT, {"name": f"f{index}", "type": "int"}), "AVRO") for index in range(12)]
    with ThreadPoolExecutor(12) as pool:
        ids = list(pool.map(lambda index: registry.register_schema(subject, schemas[index % 12]), range(48)))
    assert len(set(ids)) == 12
    assert registry.get_versions(subject) == list(range(1, 13))


def test_acknowledged_schema_survives_a_kill(shop: Shop, stack, subject: str) -> None:
    client = SchemaRegistryClient({"url": shop.endpoints["REGISTRY_URL"]})
    schema = Schema(record("Kept", TEXT), "AVRO")
    schema_id = client.register_schema(subject, schema)
    stack.kill("registry")
    stack.wait_ready("registry")
    fresh = SchemaRegistryClient({"url": shop.endpoints["REGISTRY_URL"]})
    assert fresh.get_schema(schema_id).schema_str
    assert fresh.register_schema(subject, schema) == schema_id
