"""Whatever a client sends, the registry says with the documented code what is wrong and where, and goes on serving others."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import time
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from registry_instance import Instance
from shop_client import http as call_http

CONTENT = {"Content-Type": "application/vnd.schemaregistry.v1+json"}
LONG = "n" * 10_000


class Registry:
    def __init__(self, url: str):
        self.url = url

    def send(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        return call_http(method, self.url + path, body, CONTENT)

    def register(self, schema: Any, subject: str | None = None, kind: str = "AVRO", **more: Any) -> tuple[int, Any]:
        text = schema if isinstance(schema, str) else json.dumps(schema)
        body = {"schema": text, "schemaType": kind, **more}
        return self.send("POST", f"/subjects/{subject or uuid.uuid4()}/versions", body)

    def alive(self) -> bool:
        return self.send("GET", "/schemas/types")[0] == 200


@pytest.fixture
def registry(shop) -> Registry:
    return Registry(shop.endpoints["REGISTRY_URL"])


def record(name: str, *fields: Any) -> dict[str, Any]:
    return {"type": "record", "name": name, "fields": list(fields)}


def nested_records(levels: int) -> str:
    text = '"int"'
    for level in range(levels):
        text = f'{{"type":"record","name":"D{level}","fields":[{{"name":"x","type":{text}}}]}}'
    return text


def proto(text: str) -> str:
    return f'syntax = "proto3"; {text}'


AVRO = {
    "deep arrays": ('{"type":"array","items":' * 20_000 + '"int"' + "}" * 20_000, "depth"),
    "deep records": (nested_records(500), "nested more than 128 levels deep"),
    "a union with a branch twice": ('["int", "string", "int"]', "1:19: the union has 'int' twice"),
    "a union in a union": ('["int", ["string"]]', "1:9: "),
    "a name of 10 kB with a wrong character": (record(LONG + "-"), "is not a name"),
    "a field of 10 kB twice": (record("A", {"name": LONG, "type": "int"}, {"name": LONG, "type": "int"}), "twice"),
    "an unknown type of 10 kB": (record("A", {"name": "a", "type": LONG}), "unknown type 'nnn"),
    "a key twice": ('{"type":"record","name":"A","name":"B","fields":[]}', "1:34: not JSON: duplicate object key"),
    "a zero character": ({**record("A"), "doc": "a\0b"}, "U+0000"),
    "cut short": ('{"type":"record","name":"A","fields":[{"na', "1:42: not JSON: premature end of input"),
    "empty": ("", "the schema is empty"),
    "two mistakes": (record("A", {"name": "1", "type": "int"}, {"name": "b", "type": "no"}), "unknown type 'no'"),
}

PROTOBUF = {
    "deep messages": ("".join(f"message M{i} {{" for i in range(5000)) + "}" * 5000, "nested more than 100 levels deep"),
    "a deep option": ("option (x) = " + "{a:" * 5000 + "1" + "}" * 5000 + ";", "nested more than 100 levels deep"),
    "an unknown type of 10 kB": (f"message A {{ {LONG} x = 1; }}", "is not defined"),
    "cut short": ("message A { string a = ", "1:43: Expected field number"),
    "a number twice": ("message A { int32 a = 1; int32 b = 1; }", 'Field number 1 has already been used in "A"'),
    "an import of nothing": ('import "nothing.proto"; message A {}', "nothing.proto"),
}


@pytest.mark.parametrize("what", AVRO)
def test_bad_avro_is_refused_with_its_place(registry: Registry, what: str) -> None:
    schema, reason = AVRO[what]
    status, answer = registry.register(schema)
    assert (status, answer["error_code"]) == (422, 42201)
    assert reason in answer["message"]
    assert len(answer["message"]) < 4000
    assert registry.alive()


@pytest.mark.parametrize("what", PROTOBUF)
def test_bad_protobuf_is_refused_with_its_place(registry: Registry, what: str) -> None:
    text, reason = PROTOBUF[what]
    status, answer = registry.register(proto(text), kind="PROTOBUF")
    assert (status, answer["error_code"]) == (422, 42201)
    assert reason in answer["message"]
    assert len(answer["message"]) < 4000
    assert registry.alive()


@pytest.mark.parametrize("body, reason", (
    (b" ", "line 1, column 1"),
    (b"{", "line 1, column 1"),
    (b'{"schema":"\\"in', "premature end of input"),
    (b'{"schema":"\\"int\\""', "line 1, column 19"),
    (b'{"schema":"\xff\xfe"}', "line 1, column 11: unable to decode byte 0xff"),
    (b'{"schema":"\\ud800"}', "line 1, column 18: invalid Unicode"),
    (b'{"schema":"\\u0000"}', "line 1, column 18: a text holds the character U+0000"),
    (b'{"schema":"\x00"}', "line 1, column 11: control character 0x0"),
    (b'{"schema":"\\"int\\"",\n "schema":"\\"long\\""}', "line 2, column 9: duplicate object key"),
    (b"[" * 100_000, "maximum parsing depth"),
    (b"[]", "no JSON object"),
    (b'{"schema":5}', "schema must be a text"),
    (b'{"schema":"\\"int\\"","references":5}', "references must be a list"),
    (b'{"schema":"\\"int\\"","version":"one"}', "version must be a number"),
))
def test_a_bad_body_is_a_400_with_its_place(registry: Registry, body: bytes, reason: str) -> None:
    status, answer = registry.send("POST", "/subjects/bad-input/versions", body)
    assert (status, answer["error_code"]) == (400, 400)
    assert reason in answer["message"]


def test_an_empty_body_is_a_400(registry: Registry) -> None:
    status, answer = registry.send("POST", "/subjects/bad-input/versions", b"")
    assert (status, answer) == (400, {"error_code": 400, "message": "the body is empty"})


@pytest.mark.parametrize("path, status, code", (
    ("/subjects/%ff/versions", 400, 400),
    ("/subjects/a%00b/versions", 400, 400),
    ("/subjects/%zz/versions", 400, 400),
    ("/subjects" + "/a" * 40, 400, 400),
    ("/subjects/" + "s" * 10_000 + "/versions", 404, 40401),
    ("/subjects/bad-input/versions/0", 422, 42202),
    ("/subjects/bad-input/versions/99999999999999999999", 422, 42202),
    ("/subjects/bad-input/versions/one", 422, 42202),
    ("/schemas/ids/99999999999", 404, 404),
    ("/schemas/ids/-5", 404, 40403),
))
def test_bad_paths_are_told_in_the_words_of_the_api(registry: Registry, path: str, status: int, code: int) -> None:
    found, answer = registry.send("GET", path)
    assert (found, answer["error_code"]) == (status, code)
    assert answer["message"]


def test_a_schema_too_large_to_be_stored_has_a_code_of_its_own(registry: Registry) -> None:
    status, answer = registry.register({**record("Large"), "doc": "x" * 5_000_000})
    assert (status, answer["error_code"]) == (422, 42209)
    assert "more than 4194304 are too large" in answer["message"]


def test_a_subject_of_10_kb_is_refused(registry: Registry) -> None:
    status, answer = registry.register('"int"', "s" * 10_000)
    assert (status, answer["error_code"]) == (422, 42208)


def test_long_names_and_huge_schemas_come_back_as_they_were(registry: Registry) -> None:
    for schema in (record(LONG), [record(f"R{i}") for i in range(5000)],
                   {"type": "enum", "name": "E", "symbols": [f"S{i}" for i in range(20_000)]}):
        status, answer = registry.register(schema)
        assert status == 200, answer
        assert json.loads(registry.send("GET", f"/schemas/ids/{answer['id']}")[1]["schema"]) == schema


def test_a_break_in_each_branch_of_a_huge_union_is_found_soon(registry: Registry) -> None:
    subject = str(uuid.uuid4())
    branches = [record(f"R{i}", {"name": "a", "type": "int"}) for i in range(3000)]
    assert registry.register(branches, subject)[0] == 200
    for branch in branches:
        branch["fields"].append({"name": "b", "type": "int"})
    began = time.monotonic()
    status, answer = registry.register(branches, subject)
    assert (status, answer["error_code"]) == (409, 409)
    assert "READER_FIELD_MISSING_DEFAULT_VALUE" in answer["message"]
    assert time.monotonic() - began < 20  # it was minutes when each place was looked up for nobody


def test_recursive_schemas_are_compared_to_their_end(registry: Registry) -> None:
    def pair(kind: str) -> dict[str, Any]:
        return record("A", {"name": "b", "type": record("B", {"name": "a", "type": ["null", "A"]},
                                                        {"name": "value", "type": kind})})

    subject = str(uuid.uuid4())
    assert registry.register(pair("int"), subject)[0] == 200
    assert registry.register(pair("long"), subject)[0] == 200
    status, answer = registry.register(pair("string"), subject)
    assert status == 409
    assert "/fields/0/type/fields/1/type" in answer["message"]
    assert registry.register(record("Endless", {"name": "next", "type": "Endless"}))[0] == 200


def test_files_that_import_each_other_are_refused(registry: Registry) -> None:
    name = str(uuid.uuid4())
    assert registry.register(proto("package c; message A {}"), f"{name}-a", "PROTOBUF")[0] == 200
    imports_a = [{"name": "a.proto", "subject": f"{name}-a", "version": 1}]
    text = proto('package c; import "a.proto"; message B { A a = 1; }')
    assert registry.register(text, f"{name}-b", "PROTOBUF", references=imports_a)[0] == 200
    imports_b = [{"name": "b.proto", "subject": f"{name}-b", "version": 1}]
    text = proto('package c; import "b.proto"; message A { B b = 1; }')
    status, answer = registry.register(text, f"{name}-a", "PROTOBUF", references=imports_b)
    assert (status, answer["error_code"]) == (422, 42201)
    assert '"c.A" is already defined in file "a.proto"' in answer["message"]


# ---- configs, guids, contexts ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("body, status, code", (
    (b'{"alias":"a\\u0000b"}', 400, 400),
    (b'{"alias":"\xff"}', 400, 400),
    (b'{"alias":""}', 400, 400),
    (b'{"alias":["a"]}', 400, 400),
    (json.dumps({"alias": LONG}).encode(), 422, 42208),
    (b'{"normalize":true,"normalize":false}', 400, 400),
    (b'{"defaultMetadata":' + b'{"a":' * 5000 + b"1" + b"}" * 5001, 400, 400),
    (b'{"defaultRuleSet":{"domainRules":"x"}}', 422, 42210),
    (b'{"defaultRuleSet":{"domainRules":[[[]]]}}', 422, 42210),
    (b'{"defaultRuleSet":{"migrationRules":[{"name":5}]}}', 422, 42210),
    (b'{"compatibility":5}', 422, 42203),
    (b'{"compatibilityGroup":', 400, 400),
))
def test_a_bad_config_is_refused_and_sets_nothing(registry: Registry, body: bytes, status: int, code: int) -> None:
    subject = str(uuid.uuid4())
    found, answer = registry.send("PUT", f"/config/{subject}", body)
    assert (found, answer["error_code"]) == (status, code)
    assert answer["message"]
    assert registry.send("GET", f"/config/{subject}")[0] == 404


def test_aliases_in_a_ring_end_after_one_step(registry: Registry) -> None:
    first, second = str(uuid.uuid4()), str(uuid.uuid4())
    for alias, subject in ((first, second), (second, first), (f"{first}-self", f"{first}-self")):
        assert registry.send("PUT", f"/config/{alias}", {"alias": subject})[0] == 200
    assert registry.register('"int"', first)[0] == 200
    assert registry.send("GET", f"/subjects/{first}/versions/1")[1]["subject"] == second
    assert registry.send("GET", f"/subjects/{first}-self/versions")[0] == 404


def test_long_lists_of_metadata_are_joined_soon(registry: Registry) -> None:
    subject = str(uuid.uuid4())
    names = [f"{LONG[:10]}{i}" for i in range(100_000)]
    assert registry.send("PUT", f"/config/{subject}", {"overrideMetadata": {"sensitive": names}})[0] == 200
    began = time.monotonic()
    status, answer = registry.register('"int"', subject, metadata={"sensitive": [*names[:50_000], "own"]})
    assert status == 200, answer
    assert time.monotonic() - began < 20  # each item with each would take hours
    kept = registry.send("GET", f"/subjects/{subject}/versions/1")[1]["metadata"]["sensitive"]
    assert len(kept) == 100_001


@pytest.mark.parametrize("levels, depth, status", ((10, 40, 200), (30, 120, 422)))
def test_deep_chains_of_references_are_written_out_or_refused(registry: Registry, levels: int, depth: int, status: int) -> None:
    mark = f"a{uuid.uuid4().hex}"
    inner: Any = "int"
    references: list[dict[str, Any]] = []
    for level in range(levels):
        for number in range(depth):
            inner = record(f"{mark}.L{level}D{number}", {"name": "x", "type": inner})
        assert registry.register(inner, f"{mark}-{level}", references=references)[0] == 200
        inner = inner["name"]
        references = [{"name": inner, "subject": f"{mark}-{level}", "version": 1}]
    found, answer = registry.send("GET", f"/subjects/{mark}-{levels - 1}/versions/1?format=resolved")
    assert found == status
    if status == 200:
        assert answer["schema"].count('"type":"record"') == levels * depth
    else:
        assert answer["error_code"] == 42201
        assert "too deep" in answer["message"]


@pytest.mark.parametrize("path", ("/schemas/guids/" + "f" * 10_000, "/schemas/guids/%ff", "/schemas/guids/" + "0" * 36,
                                  "/schemas/guids/0/ids", "/contexts?offset=-1&limit=99999999999999", "/schemas?ruleType=%00",
                                  "/subjects?offset=9223372036854775808"))
def test_bad_numbers_and_guids_are_refused(registry: Registry, path: str) -> None:
    status, answer = registry.send("GET", path)
    assert status in (400, 404)
    assert answer["error_code"] in (400, 40403)
    assert registry.alive()


@pytest.mark.parametrize("name", ("c" * 10_000, "a%0Ab", "%20", "a%22b"))
def test_contexts_of_any_name_are_no_way_into_the_database(registry: Registry, name: str) -> None:
    assert registry.send("DELETE", f"/contexts/{name}")[0] in (404, 422)
    status, answer = registry.send("POST", f"/contexts/{name}/subjects/x/versions", {"schema": '"int"'})
    assert status == 200 or (status, answer["error_code"]) == (422, 42208)
    if status == 200:
        assert registry.send("DELETE", f"/contexts/{name}")[0] == 422
        assert registry.send("DELETE", f"/contexts/{name}/subjects/x")[0] == 200
        assert registry.send("DELETE", f"/contexts/{name}/subjects/x?permanent=true")[0] == 200
        assert registry.send("DELETE", f"/contexts/{name}")[0] == 204
    assert registry.alive()


# ---- connections -----------------------------------------------------------------------------------------------------


def test_ten_thousand_requests_go_over_one_connection(registry: Registry) -> None:
    host = registry.url.removeprefix("http://")
    connection = http.client.HTTPConnection(host, timeout=60)
    connection.connect()
    first = connection.sock
    for number in range(10_000):
        connection.request("GET", "/schemas/types" if number % 3 else "/schemas/ids/2147483600")
        answer = connection.getresponse()
        answer.read()
        assert answer.status == (200 if number % 3 else 404)
    assert connection.sock is first
    connection.close()


def connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=60)


def test_connections_without_requests_keep_nobody_out(start_registry: Callable[..., Instance]) -> None:
    """Beyond its share a client loses its own ones: those that were idle for the longest time."""
    registry = start_registry("--connections-per-client-max", "20")
    crowd = [connect(registry.port) for _ in range(60)]
    for number, idle in enumerate(crowd):
        if number % 2:
            with contextlib.suppress(OSError):  # it had to go already
                idle.sendall(b"GET /subjects HTTP/1.1\r\nHo")
    assert call_http("GET", f"{registry.url}/health")[0] == 200
    assert Registry(registry.url).register('"int"')[0] == 200
    metrics = dict(line.rsplit(" ", 1) for line in call_http("GET", f"{registry.url}/metrics")[1].splitlines() if line[0] != "#")
    assert int(metrics["registry_http_connections"]) <= 20
    assert int(metrics["registry_http_connections_displaced_total"]) >= 40
    assert crowd[0].recv(1) == b""
    for idle in crowd:
        idle.close()


def test_slow_clients_and_bodies_cut_short_hold_up_nobody(start_registry: Callable[..., Instance]) -> None:
    instance = start_registry()
    registry = Registry(instance.url)
    head = b"POST /subjects/slow/versions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n"
    slow = [connect(instance.port) for _ in range(100)]
    for number, client in enumerate(slow):
        client.sendall((head + b'{"schema": "')[:10 + 7 * (number % 20)])
    began = time.monotonic()
    assert registry.register(record(f"R{uuid.uuid4().hex}"))[0] == 200
    assert time.monotonic() - began < 5
    for client in slow[:50]:
        client.close()  # in the middle of the body
    assert registry.alive()
    for client in slow[50:]:
        client.settimeout(30)
        while client.recv(4096):  # the server ends what stands still
            pass
        client.close()
    assert registry.send("GET", "/subjects/slow/versions")[0] == 404


# ---- limits ----------------------------------------------------------------------------------------------------------


def test_too_many_requests_of_one_address_are_a_429_that_says_when(start_registry: Callable[..., Instance]) -> None:
    registry = Registry(start_registry("--rate-limit", "5").url)
    connection = http.client.HTTPConnection(registry.url.removeprefix("http://"), timeout=60)
    answers = []
    for _ in range(50):
        connection.request("GET", "/schemas/types")
        answer = connection.getresponse()
        answers.append((answer.status, answer.getheader("Retry-After"), answer.getheader("Content-Type"), answer.read()))
    refused = [answer for answer in answers if answer[0] == 429]
    assert len(refused) >= 30
    assert answers[0][0] == 200
    assert {retry_after for _, retry_after, _, _ in refused} == {"1"}
    assert refused[0][2] == "application/vnd.schemaregistry.v1+json"
    assert json.loads(refused[0][3])["error_code"] == 429
    assert registry.send("GET", "/readyz")[0] == 200  # probes are never limited
    assert f"registry_rate_limited_total {len(refused)}" in registry.send("GET", "/metrics")[1]


def test_a_body_beyond_the_limit_is_a_413_and_the_connection_lives_on(start_registry: Callable[..., Instance]) -> None:
    registry = Registry(start_registry("--body-bytes-max", "2000").url)
    connection = http.client.HTTPConnection(registry.url.removeprefix("http://"), timeout=60)
    for size, status in ((3000, 413), (1000, 200), (20_000, 413)):
        schema = json.dumps({**record(f"R{uuid.uuid4().hex}"), "doc": "x" * size})
        connection.request("POST", f"/subjects/{uuid.uuid4()}/versions", json.dumps({"schema": schema}), CONTENT)
        answer = connection.getresponse()
        body = json.loads(answer.read())
        assert answer.status == status, body
        if status == 413:
            assert body == {"error_code": 413, "message": "the body is larger than the limit of 2000 bytes"}
