"""The registry as @kafkajs/confluent-schema-registry uses it, and what it writes as ours read it. Needs node and npm."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import subprocess
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from conftest import ROOT
from fastavro import parse_schema, schemaless_reader
from shop_client import Shop, http

SOURCE = ROOT / "tests" / "conformance" / "kafkajs"
FOLDER = ROOT / "build" / "kafkajs"
CONTENT = {"Content-Type": "application/vnd.schemaregistry.v1+json"}


def install() -> None:
    """The package and what it needs, once for a version of package.json."""
    stamp = FOLDER / "stamp"
    wanted = hashlib.sha256((SOURCE / "package.json").read_bytes()).hexdigest()
    if not stamp.exists() or stamp.read_text() != wanted:
        shutil.rmtree(FOLDER, ignore_errors=True)
        FOLDER.mkdir(parents=True)
        shutil.copy(SOURCE / "package.json", FOLDER)
        command = ["npm", "install", "--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts", "--loglevel=error"]
        done = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=300)
        assert done.returncode == 0, done.stdout + done.stderr
        stamp.write_text(wanted)
    shutil.copy(SOURCE / "client.js", FOLDER)


@pytest.fixture(scope="module")
def run(shop: Shop) -> Callable[..., list[Any]]:
    if not shutil.which("node") or not shutil.which("npm"):
        pytest.skip("node and npm are not installed: apt-get install nodejs npm")
    install()

    def run(*calls: list[Any]) -> list[Any]:
        request = json.dumps({"url": shop.endpoints["REGISTRY_URL"], "calls": calls})
        done = subprocess.run(["node", "client.js"], cwd=FOLDER, input=request, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    return run


@pytest.fixture
def subject() -> str:
    return f"kafkajs-{uuid.uuid4()}"


def avro(*more: dict[str, Any]) -> dict[str, Any]:
    fields = [{"name": "id", "type": "string"}, {"name": "cents", "type": "long"}, *more]
    return {"type": "record", "name": "Sent", "namespace": "shop", "fields": fields}


def values(answers: list[Any]) -> list[Any]:
    assert all("value" in answer for answer in answers), answers
    return [answer["value"] for answer in answers]


def register(subject: str, schema: Any, kind: str = "AVRO", **options: Any) -> list[Any]:
    text = schema if isinstance(schema, str) else json.dumps(schema)
    return ["register", {"type": kind, "schema": text}, {"subject": subject, **options}]


def test_avro_is_registered_found_written_and_read(run: Callable[..., list[Any]], stack, subject: str) -> None:
    message = {"id": "o-1", "cents": 1999}
    first, again, latest, found = values(run(register(subject, avro()), register(subject, avro()),
                                             ["getLatestSchemaId", subject], ["getRegistryId", subject, 1]))
    assert first == again
    assert {latest, found} == {first["id"]}
    [written] = values(run(["encode", first["id"], message]))
    data = bytes.fromhex(written["hex"])
    assert data[:5] == b"\0" + first["id"].to_bytes(4, "big")
    assert schemaless_reader(io.BytesIO(data[5:]), parse_schema(avro())) == message
    assert values(run(["decode", written])) == [message]
    assert json.loads(stack.sagactl("schema", "decode", "--hex", data.hex()).stdout)["value"] == message


def test_protobuf_is_registered_and_its_missing_indexes_are_told(run: Callable[..., list[Any]], stack, subject: str) -> None:
    message = {"orderId": "o-1", "cents": 7}
    text = 'syntax = "proto3";\npackage shop;\nmessage Sent { string order_id = 1; int32 cents = 2; }\n'
    first, again = values(run(register(subject, text, "PROTOBUF"), register(subject, text, "PROTOBUF")))
    assert first == again
    [written] = values(run(["encode", first["id"], message]))
    assert values(run(["decode", written])) == [message]
    told = stack.sagactl("schema", "decode", "--hex", written["hex"])
    assert "message indexes after the schema id are missing" in told.stderr


def test_a_level_is_set_with_the_first_schema_and_kept(run: Callable[..., list[Any]], shop: Shop, subject: str) -> None:
    """It asks config/SUBJECT, takes a 404 for "none", and PUTs its level after the first registration."""
    values(run(register(subject, avro(), compatibility="FULL")))
    url = f"{shop.endpoints['REGISTRY_URL']}/config/{subject}"
    assert http("GET", url, None, CONTENT) == (200, {"compatibilityLevel": "FULL"})
    other, = run(register(subject, avro(), compatibility="NONE"))
    assert "compat" in other["error"].lower()


def test_a_breaking_schema_is_refused(run: Callable[..., list[Any]], subject: str) -> None:
    ok, broken, grown = run(register(subject, avro()), register(subject, avro({"name": "new", "type": "int"})),
                            register(subject, avro({"name": "new", "type": "int", "default": 0})))
    assert "value" in ok and "value" in grown
    assert broken["status"] == 409
    assert "incompatible" in broken["error"]


def test_an_older_message_is_read_with_its_own_schema(run: Callable[..., list[Any]], subject: str) -> None:
    old, new = values(run(register(subject, avro()),
                          register(subject, avro({"name": "carrier", "type": "string", "default": "dhl"}))))
    assert old["id"] != new["id"]
    written, = values(run(["encode", old["id"], {"id": "o-2", "cents": 5}]))
    assert values(run(["decode", written])) == [{"id": "o-2", "cents": 5}]


def test_what_is_unknown_is_told(run: Callable[..., list[Any]], subject: str) -> None:
    no_subject, no_id = run(["getLatestSchemaId", subject], ["getSchema", 2147483000])
    assert no_subject["status"] == 404 and "not found" in no_subject["error"]
    assert no_id["status"] == 404
