"""`sagactl schema list`, `get`, `diff` and `decode` against a real registry and broker."""

from __future__ import annotations

import json
import uuid
from pathlib import Path

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic
from shop_client import http

CONTENT = {"Content-Type": "application/vnd.schemaregistry.v1+json"}
MESSAGE = 'syntax = "proto3";\npackage t;\nmessage Thing {\n  string name = 1;\n  int64 amount = 2;\n}\n'


def record(*fields: str) -> str:
    return json.dumps({"type": "record", "name": "Thing", "fields": [{"name": name, "type": "int", "default": 0} for name in fields]})


class Registered:
    def __init__(self, url: str):
        self.url = url
        self.subject = f"commands-{uuid.uuid4()}-value"

    def add(self, schema: str, kind: str = "AVRO") -> int:
        status, answer = http("POST", f"{self.url}/subjects/{self.subject}/versions", {"schema": schema, "schemaType": kind}, CONTENT)
        assert status == 200, answer
        return answer["id"]


@pytest.fixture
def registered(shop) -> Registered:
    return Registered(shop.endpoints["REGISTRY_URL"])


def test_list_and_get_show_what_is_registered(stack, registered: Registered) -> None:
    first = registered.add(record("a"))
    second = registered.add(record("a", "b"))
    run = stack.sagactl("schema", "list", registered.subject, "-o", "json")
    assert json.loads(run.stdout) == [{"subject": registered.subject, "version": 2, "id": second, "schemaType": "AVRO"}]
    assert registered.subject in stack.sagactl("schema", "list").stdout
    run = stack.sagactl("schema", "get", registered.subject, "--subject-version", "1", "-o", "json")
    answer = json.loads(run.stdout)
    assert (answer["id"], answer["version"], answer["schemaType"]) == (first, 1, "AVRO")
    assert [field["name"] for field in json.loads(answer["schema"])["fields"]] == ["a"]
    for arguments in ((registered.subject,), ("--id", str(second))):
        run = stack.sagactl("schema", "get", *arguments)
        assert [field["name"] for field in json.loads(run.stdout)["fields"]] == ["a", "b"]


def test_what_is_not_there_exits_with_3(stack, registered: Registered) -> None:
    assert stack.sagactl("schema", "get", registered.subject).returncode == 3
    assert stack.sagactl("schema", "get", "--id", "2147483647").returncode == 3
    assert stack.sagactl("schema", "get").returncode == 2
    registered.add(record("a"))
    assert stack.sagactl("schema", "diff", registered.subject).returncode == 3


def test_diff_shows_lines_that_came_and_went(stack, registered: Registered, tmp_path: Path) -> None:
    registered.add(MESSAGE, "PROTOBUF")
    registered.add(MESSAGE.replace("int64 amount", "int64 total"), "PROTOBUF")
    lines = stack.sagactl("schema", "diff", registered.subject).stdout.splitlines()
    assert [line for line in lines if line[0] != " "] == ["-   int64 amount = 2;", "+   int64 total = 2;"]
    path = tmp_path / "thing.proto"
    path.write_text(MESSAGE)
    lines = stack.sagactl("schema", "diff", registered.subject, str(path)).stdout.splitlines()
    assert [line for line in lines if line[0] != " "] == ["-   int64 total = 2;", "+   int64 amount = 2;"]
    run = stack.sagactl("schema", "diff", registered.subject, str(path), "--from", "1")
    assert (run.returncode, run.stdout) == (0, "")


def test_decode_takes_hex_files_and_records(stack, registered: Registered, tmp_path: Path) -> None:
    schema_id = registered.add(MESSAGE, "PROTOBUF")
    message = b"\0" + schema_id.to_bytes(4, "big") + b"\0" + b"\x0a\x03pen\x10\x2a"
    expected = {"schemaId": schema_id, "message": "t.Thing", "value": {"name": "pen", "amount": 42}}
    assert json.loads(stack.sagactl("schema", "decode", "--hex", message.hex(" ")).stdout) == expected
    path = tmp_path / "message"
    path.write_bytes(message)
    assert json.loads(stack.sagactl("schema", "decode", str(path)).stdout) == expected

    topic = f"decode-{uuid.uuid4()}"
    broker = {"bootstrap.servers": stack.endpoints["KAFKA_BOOTSTRAP"]}
    admin = AdminClient(broker)
    admin.create_topics([NewTopic(topic, 1, 1)])[topic].result(30)
    producer = Producer(broker)
    for value in (b"no wire format", message, None):
        producer.produce(topic, value, key="k", partition=0)
    assert producer.flush(30) == 0
    run = stack.sagactl("schema", "decode", "--topic", topic, "--offset", "0", "--count", "10")
    damaged, decoded, empty = (json.loads(line) for line in run.stdout.splitlines())
    assert run.returncode == 1
    assert damaged["error"]
    assert decoded == {"partition": 0, "offset": 1, "key": "k", **expected}
    assert empty == {"partition": 0, "offset": 2, "key": "k", "value": None}
    [line] = stack.sagactl("schema", "decode", "--topic", topic).stdout.splitlines()
    assert json.loads(line)["offset"] == 2


def test_decode_knows_the_messages_that_lack_their_indexes(stack, registered: Registered) -> None:
    schema_id = registered.add(MESSAGE, "PROTOBUF")
    message = b"\0" + schema_id.to_bytes(4, "big") + b"\x0a\x03pen\x10\x2a"
    run = stack.sagactl("schema", "decode", "--hex", message.hex())
    assert run.returncode == 1
    assert "message indexes after the schema id are missing" in run.stderr


@pytest.mark.parametrize("arguments", [(), ("--hex", "0g"), ("--hex", "012"), ("nowhere",), ("--topic", "t", "--hex", "00")])
def test_decode_refuses_what_makes_no_sense(stack, arguments: tuple[str, ...]) -> None:
    run = stack.sagactl("schema", "decode", *arguments)
    assert run.returncode == 2
    assert run.stderr


def test_decode_of_an_unknown_topic_is_not_found(stack) -> None:
    assert stack.sagactl("schema", "decode", "--topic", f"none-{uuid.uuid4()}").returncode == 3
