"""`sagactl schema list`, `get`, `diff`, `decode` and `register` against a real registry and broker."""

from __future__ import annotations

import json
import uuid
from pathlib import Path

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic
from schema_trees import write
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


def test_decode_shows_extensions_that_an_import_declares(stack, registered: Registered) -> None:
    head = 'syntax = "proto2";\npackage t;\n'
    base = registered.subject.replace("commands", "base")
    notes = registered.subject.replace("commands", "notes")
    texts = {base: head + "message Thing { optional string name = 1; extensions 100 to 199; }",
             notes: head + 'import "base.proto"; extend Thing { optional string note = 100; }',
             registered.subject: head + 'import "base.proto"; import "notes.proto"; message All { optional Thing thing = 1; }'}
    references: list[dict[str, object]] = []
    for subject, name in ((base, "base.proto"), (notes, "notes.proto"), (registered.subject, "")):
        body = {"schema": texts[subject], "schemaType": "PROTOBUF", "references": references}
        status, answer = http("POST", f"{registered.url}/subjects/{subject}/versions", body, CONTENT)
        assert status == 200, answer
        references = [*references, {"name": name, "subject": subject, "version": 1}]
    message = b"\0" + answer["id"].to_bytes(4, "big") + b"\0" + b"\x0a\x08" + b"\x0a\x01x" + b"\xa2\x06\x02hi"
    shown = json.loads(stack.sagactl("schema", "decode", "--hex", message.hex()).stdout)
    assert shown["value"] == {"thing": {"name": "x", "[t.note]": "hi"}}


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


# ---- register --------------------------------------------------------------------------------------------------------


@pytest.fixture
def tree(tmp_path: Path) -> tuple[Path, str]:
    """Schemas that import each other, with names of the test's own."""
    mark = f"t{uuid.uuid4().hex[:12]}"
    files = {
        f"{mark}-order.proto": f'syntax = "proto3"; package {mark}; import "{mark}/money.proto";'
                               f'import "google/protobuf/timestamp.proto";'
                               f"message Order {{ {mark}.Money total = 1; google.protobuf.Timestamp at = 2; }}",
        f"{mark}/money.proto": f'syntax = "proto3"; package {mark}; import "{mark}/unit.proto";'
                               f"message Money {{ int64 minor = 1; Unit unit = 2; }}",
        f"{mark}/unit.proto": f'syntax = "proto3"; package {mark}; enum Unit {{ UNIT_NONE = 0; }}',
        f"{mark}-stock.avsc": json.dumps({"type": "record", "name": "Stock", "namespace": mark,
                                          "fields": [{"name": "price", "type": "Price"}]}),
        f"parts/{mark}.avsc": json.dumps({"type": "record", "name": "Price", "namespace": mark,
                                          "fields": [{"name": "minor", "type": "long"}]}),
    }
    return write(tmp_path / "tree", files), mark


def subjects_of(stack) -> list[str]:
    return stack.sagactl("schema", "list", "-o", "json").stdout


def told(run) -> list[dict[str, object]]:
    return [json.loads(line) for line in run.stdout.splitlines()]


def test_register_takes_a_tree_in_the_order_of_its_imports(stack, tree: tuple[Path, str]) -> None:
    folder, mark = tree
    run = stack.sagactl("schema", "register", str(folder), "-o", "json")
    assert run.returncode == 0, run.stderr
    made = told(run)
    names = [row["subject"] for row in made]
    assert set(names) == {f"{mark}/unit.proto", f"{mark}/money.proto", f"{mark}-order-value", f"{mark}.Price",
                          f"{mark}-stock-value"}
    for before, after in ((f"{mark}/unit.proto", f"{mark}/money.proto"), (f"{mark}/money.proto", f"{mark}-order-value"),
                          (f"{mark}.Price", f"{mark}-stock-value")):
        assert names.index(before) < names.index(after)
    url = stack.endpoints["REGISTRY_URL"]
    order = http("GET", f"{url}/subjects/{mark}-order-value/versions/latest")[1]
    assert order["references"] == [{"name": f"{mark}/money.proto", "subject": f"{mark}/money.proto", "version": 1}]
    stock = http("GET", f"{url}/subjects/{mark}-stock-value/versions/latest")[1]
    assert stock["references"] == [{"name": f"{mark}.Price", "subject": f"{mark}.Price", "version": 1}]
    assert told(stack.sagactl("schema", "register", str(folder), "-o", "json")) == made  # again: nothing changes


def test_register_dry_run_asks_and_changes_nothing(stack, tree: tuple[Path, str]) -> None:
    folder, mark = tree
    run = stack.sagactl("schema", "register", str(folder), "--dry-run", "-o", "json")
    assert run.returncode == 0, run.stderr
    assert {row["outcome"] for row in told(run)} == {"new"}
    assert mark not in subjects_of(stack)
    assert stack.sagactl("schema", "register", str(folder)).returncode == 0
    run = stack.sagactl("schema", "register", str(folder), "--dry-run", "-o", "json")
    assert {row["outcome"] for row in told(run)} == {"known"}
    price = folder / "parts" / f"{mark}.avsc"
    price.write_text(price.read_text().replace('"long"', '"int"'))
    run = stack.sagactl("schema", "register", str(folder), "--dry-run")
    assert run.returncode == 1
    assert "TYPE_MISMATCH" in run.stderr
    assert f"{mark}-stock-value is not registered: its import '{mark}.Price' is not" in run.stderr
    assert f"{mark}-order-value" in run.stdout  # the others are told all the same


def test_register_follows_the_map_and_sends_nothing_while_a_file_has_errors(stack, tree: tuple[Path, str]) -> None:
    folder, mark = tree
    subjects = folder / "subjects.yaml"
    subjects.write_text(f"subjects:\n  - {{subject: {mark}-a, schema: {mark}-order.proto}}\n"
                        f"  - {{subject: {mark}-b, schema: {mark}/money.proto}}\n")
    order = folder / f"{mark}-order.proto"
    whole = order.read_text()
    order.write_text(whole.replace("total = 1", "total = 0"))
    run = stack.sagactl("schema", "register", "--map", str(subjects))
    assert run.returncode == 2
    assert f"{order}:1:" in run.stderr
    assert mark not in subjects_of(stack)
    order.write_text(whole)
    run = stack.sagactl("schema", "register", "--map", str(subjects), "-o", "json")
    assert [row["subject"] for row in told(run)] == [f"{mark}/unit.proto", f"{mark}-b", f"{mark}-a"]
    answer = http("GET", f"{stack.endpoints['REGISTRY_URL']}/subjects/{mark}-a/versions/1")[1]
    assert answer["references"] == [{"name": f"{mark}/money.proto", "subject": f"{mark}-b", "version": 1}]
