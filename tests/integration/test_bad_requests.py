"""Bad requests to the API: one code, one reason, every field that is wrong, nothing changed, and a server that lives on."""

from __future__ import annotations

import os
import socket
import subprocess
import time
import uuid
from pathlib import Path
from typing import Any

import grpc
import pytest
from conftest import ROOT
from google.protobuf import duration_pb2, timestamp_pb2
from google.rpc import error_details_pb2
from grpc_reflection.v1alpha import reflection_pb2
from saga.v1 import saga_service_pb2
from shop.checkout.v1 import checkout_input_pb2
from shop_client import Shop, http, wait_until
from test_api import details, refusal

UNKNOWN = "01890a5d-ac96-774b-bcce-b302099a8057"
FAR = timestamp_pb2.Timestamp(seconds=2**62)
INVALID, LIMIT = grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.RESOURCE_EXHAUSTED


def counts(shop: Shop) -> list[tuple[Any, ...]]:
    """What the refused requests could have made."""
    return shop.query("saga", "select (select count(*) from sagas), (select count(*) from definition)")


def call(shop: Shop, method: str, fields: dict[str, Any]) -> object:
    request = getattr(saga_service_pb2, f"{method}Request")(**fields)
    answer = getattr(shop.sagas, method)(request, timeout=10)
    return next(answer) if method.startswith("Watch") else answer


def reason(error: grpc.RpcError) -> str:
    info = details(error, error_details_pb2.ErrorInfo)
    assert info.domain == "saga.v1"
    return info.reason


def raw(shop: Shop, method: str, request: bytes, **options: Any) -> object:
    return shop.channel.unary_unary(f"/saga.v1.SagaService/{method}")(request, timeout=20, **options)


START = {"definition": "checkout", "encoded": b""}
ILLEGAL_FIELDS: list[tuple[str, dict[str, Any], set[str]]] = [
    ("StartSaga", {}, {"definition", "input"}),
    ("StartSaga", START | {"labels": {str(number): "" for number in range(33)}}, {"labels"}),
    ("StartSaga", START | {"labels": {"": "x", "n" * 256: "x", "v": "x" * 256}},
     {"labels", f'labels["{"n" * 60}"]', 'labels["v"]'}),
    ("StartSaga", START | {"delay": duration_pb2.Duration(seconds=-1)}, {"delay"}),
    ("StartSaga", START | {"delay": duration_pb2.Duration(seconds=1, nanos=-1)}, {"delay"}),
    ("StartSaga", START | {"delay": duration_pb2.Duration(seconds=2**62)}, {"delay"}),
    ("StartSaga", START | {"start_time": FAR}, {"start_time"}),
    ("StartSaga", START | {"start_time": timestamp_pb2.Timestamp(seconds=-62135596801)}, {"start_time"}),
    ("StartSaga", START | {"saga_id": str(uuid.uuid4())}, {"saga_id"}),
    ("BatchStartSagas", {}, {"requests"}),
    ("BatchStartSagas", {"requests": [saga_service_pb2.StartSagaRequest()] * 1001}, {"requests"}),
    ("GetSaga", {"wait": duration_pb2.Duration(seconds=-5)}, {"saga_id", "wait"}),
    ("GetSaga", {"saga_id": "42", "wait": duration_pb2.Duration(nanos=2**31 - 1)}, {"saga_id", "wait"}),
    ("ListSagas", {"page_size": -1, "order": 99, "page_token": "AAAA"}, {"page_size", "order", "page_token"}),
    ("ListSagas", {"page_token": "A" * 100_000}, {"page_token"}),
    ("ListSagas", {"filter": {"states": [99], "definition_version": -1, "key": "k" * 256}},
     {"filter.states", "filter.definition_version", "filter.key"}),
    ("ListSagas", {"create_time": {"from": FAR}, "update_time": {"before": timestamp_pb2.Timestamp(nanos=-1)}},
     {"create_time.from", "update_time.before"}),
    ("GetSagaLog", {"saga_id": UNKNOWN, "page_size": -1, "page_token": "~"}, {"page_size", "page_token"}),
    ("ListDefinitions", {"page_size": -1}, {"page_size"}),
    ("GetDefinition", {"name": "n" * 256, "version": -1}, {"name", "version"}),
    ("PutDefinition", {"source": "x" * (2**20 + 1), "file_name": "f" * 256}, {"source", "file_name"}),
    ("CancelSaga", {"saga_id": "42", "reason": "r" * 1001}, {"saga_id", "reason"}),
    ("SkipStep", {"step_id": "s" * 256}, {"saga_id", "step_id", "reason"}),
    ("ResolveSaga", {"saga_id": "42", "outcome": 99, "reason": "r"}, {"saga_id", "outcome"}),
    ("RetrySaga", {}, {"saga_id", "reason"}),
    ("WatchSaga", {"saga_id": "42", "after_sequence": -1}, {"saga_id", "after_sequence"}),
    ("WatchSagas", {"position": "AAAA", "include_current": True, "filter": {"states": [99]}}, {"position", "filter.states"}),
]


@pytest.mark.parametrize(("method", "fields", "expected"), ILLEGAL_FIELDS)
def test_illegal_fields_are_all_named(shop: Shop, method: str, fields: dict[str, Any], expected: set[str]) -> None:
    before = counts(shop)
    error = refusal(call, shop, method, fields)
    assert error.code() == INVALID
    assert reason(error) in ("FIELD_VIOLATIONS", "INPUT_MISFIT")  # the latter where the input is wrong as well
    violations = details(error, error_details_pb2.BadRequest).field_violations
    assert all(violation.description for violation in violations)
    assert expected <= {violation.field for violation in violations}
    assert counts(shop) == before


@pytest.mark.parametrize("text", [b"\xff\xfe", b"a\x00b", b"\xed\xa0\x80"], ids=["no-utf8", "zero-byte", "surrogate"])
def test_strings_that_are_no_text_are_named(shop: Shop, text: bytes) -> None:
    before = counts(shop)
    error = refusal(raw, shop, "StartSaga", b"\x0a" + bytes([len(text)]) + text + b"\x1a" + bytes([len(text)]) + text)
    assert (error.code(), reason(error)) == (INVALID, "FIELD_VIOLATIONS")
    fields = {violation.field for violation in details(error, error_details_pb2.BadRequest).field_violations}
    assert fields == {"definition", "idempotency_key"}
    assert counts(shop) == before


def test_bytes_that_are_no_message_are_undecodable(shop: Shop) -> None:
    for junk in (b"\xff" * 20, b"\x0a\x7fx", b"\x2b\x00"):
        error = refusal(raw, shop, "StartSaga", junk)
        assert (error.code(), reason(error)) == (INVALID, "UNDECODABLE")


@pytest.mark.parametrize("method", [
    "GetSaga", "GetSagaLog", "WatchSaga", "CancelSaga", "PauseSaga", "ResumeSaga", "RetrySaga", "SkipStep", "ResolveSaga",
])
def test_unknown_sagas_are_not_found_and_the_shape_of_ids_is_told(shop: Shop, method: str) -> None:
    fields = {} if method in ("GetSaga", "GetSagaLog", "WatchSaga") else {"reason": "x"}
    fields |= {"SkipStep": {"step_id": "ship"}, "ResolveSaga": {"outcome": 3}}.get(method, {})
    for saga_id, hint in ((UNKNOWN, ""), (str(uuid.uuid4()), "version 7")):
        error = refusal(call, shop, method, {"saga_id": saga_id} | fields)
        assert (error.code(), reason(error)) == (grpc.StatusCode.NOT_FOUND, "SAGA_NOT_FOUND")
        resource = details(error, error_details_pb2.ResourceInfo)
        assert (resource.resource_type, resource.resource_name) == ("saga.v1.Saga", saga_id)
        assert saga_id in error.details() and hint in error.details()
    error = refusal(call, shop, method, {"saga_id": "order-7"} | fields)
    assert error.code() == INVALID
    assert "such as 0" in details(error, error_details_pb2.BadRequest).field_violations[0].description


def test_unknown_steps_are_not_found_with_the_nearest_name(shop: Shop) -> None:
    saga = shop.finished(shop.start(shop.input(force_payment_fail=True)).saga.saga_id)
    for step, near in (("chrage-payment", "near is 'charge-payment'"), ("\N{SNOWMAN}", "GetSaga")):
        error = refusal(call, shop, "SkipStep", {"saga_id": saga.saga_id, "step_id": step, "reason": "x"})
        assert (error.code(), reason(error)) == (grpc.StatusCode.NOT_FOUND, "STEP_NOT_FOUND")
        assert details(error, error_details_pb2.ResourceInfo).resource_name == step
        assert near in error.details()
    assert shop.get(saga.saga_id).version == saga.version


def test_a_sequence_beyond_the_log_names_its_field(shop: Shop) -> None:
    saga = shop.finished(shop.start(shop.input(force_payment_fail=True)).saga.saga_id)
    error = refusal(call, shop, "WatchSaga", {"saga_id": saga.saga_id, "after_sequence": saga.version + 1})
    assert (error.code(), reason(error)) == (INVALID, "SEQUENCE_BEYOND_LOG")
    assert details(error, error_details_pb2.BadRequest).field_violations[0].field == "after_sequence"


@pytest.mark.parametrize("form", ["json", "encoded"])
def test_an_input_beyond_its_limit_is_refused_alike_in_both_forms(shop: Shop, form: str) -> None:
    before, given = counts(shop), shop.input(customer_email="x" * 300_000)
    given["items"] = []
    if form == "json":
        error = refusal(shop.start, given)
    else:
        encoded = checkout_input_pb2.CheckoutInput(**given).SerializeToString()
        error = refusal(call, shop, "StartSaga", {"definition": "checkout", "encoded": encoded})
    assert (error.code(), reason(error)) == (LIMIT, "INPUT_TOO_LARGE")
    assert "262144" in error.details()
    with pytest.raises(AssertionError):
        details(error, error_details_pb2.RetryInfo)  # a retry cannot help
    assert counts(shop) == before


def varint(number: int) -> bytes:
    return bytes([number]) if number < 128 else bytes([number & 127 | 128]) + varint(number >> 7)


def field(number: int, content: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(content)) + content


@pytest.mark.parametrize("count", [400_000, 500_000, 900_000])
def test_json_of_very_many_values_does_not_end_the_server(shop: Shop, stack, count: int) -> None:
    """Four bytes of a request for each null; a value takes much more in memory."""
    pid, nulls = stack.pid("coordinator"), b"\x0a\x02\x08\x00" * count
    tree = field(1, field(1, b"items") + field(2, field(6, nulls)))
    error = refusal(raw, shop, "StartSaga", field(1, b"checkout") + field(5, tree))
    assert error.code() in (INVALID, LIMIT)
    assert reason(error) in ("INPUT_MISFIT", "INPUT_TOO_LARGE", "UNDECODABLE")
    assert stack.pid("coordinator") == pid
    stack.check_alive()
    assert shop.start(shop.input(force_payment_fail=True)).saga.saga_id


def memory_kb(pid: int) -> int:
    [line] = [line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1])


def test_compressed_messages_are_refused_before_they_are_undone(shop: Shop, stack) -> None:
    pid = stack.pid("coordinator")
    before = memory_kb(pid)
    bomb = saga_service_pb2.StartSagaRequest(definition="checkout", encoded=bytes(100_000_000)).SerializeToString()
    with grpc.insecure_channel(shop.endpoints["SAGA_GRPC"], options=[("grpc.max_send_message_length", -1)]) as channel:
        start = channel.unary_unary("/saga.v1.SagaService/StartSaga")
        error = refusal(start, bomb, timeout=30, compression=grpc.Compression.Gzip)
        assert error.code() == grpc.StatusCode.UNIMPLEMENTED
        assert memory_kb(pid) - before < 50_000
        assert refusal(start, bomb[:5_000_000], timeout=30).code() == LIMIT


def test_a_full_queue_says_when_to_come_again(shop: Shop, stack) -> None:
    stack.suspend("postgres")
    try:
        calls = [shop.sagas.ListSagas.future(saga_service_pb2.ListSagasRequest(), timeout=60) for _ in range(200)]
        wait_until(lambda: any(one.done() for one in calls), "a call is refused", 10)
        error = next(one for one in calls if one.done()).exception()
        assert (error.code(), reason(error)) == (LIMIT, "QUEUE_FULL")
        assert details(error, error_details_pb2.RetryInfo).retry_delay.ToMilliseconds() > 0
    finally:
        stack.resume("postgres")
    ends = {one.code() for one in calls}  # each has an end
    assert ends <= {grpc.StatusCode.OK, LIMIT, grpc.StatusCode.UNAVAILABLE}
    wait_until(lambda: call(shop, "ListSagas", {}).sagas is not None, "lists are served again")


def test_reflection_answers_nonsense_in_its_own_words(shop: Shop) -> None:
    ask_reflection = shop.channel.stream_stream(
        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
        request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
        response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
    )
    nonsense = [
        reflection_pb2.ServerReflectionRequest(file_by_filename="../../etc/passwd"),
        reflection_pb2.ServerReflectionRequest(file_containing_symbol="x" * 1_000_000),
        reflection_pb2.ServerReflectionRequest(file_containing_symbol="saga.v1." + "." * 1000),
        reflection_pb2.ServerReflectionRequest(all_extension_numbers_of_type="saga.v1.Nothing"),
        reflection_pb2.ServerReflectionRequest(),
    ]
    answers = list(ask_reflection(iter(nonsense * 20), timeout=20))
    assert len(answers) == len(nonsense) * 20
    assert all(answer.HasField("error_response") for answer in answers)


@pytest.mark.parametrize("arguments", [
    ("-X", "GET"), ("-d", "x"), ("-d", "x", "-H", "content-type: text/plain"), ("-d", "x", "-H", "content-type: application/grpc"),
    ("-d", "x", "-H", "content-type: application/grpc", "-H", "te: trailers", "-H", "grpc-timeout: soon"),
    ("-d", "x", "-H", "content-type: application/grpc", "-H", "te: trailers", "-H", "grpc-encoding: zip"),
])
def test_http2_that_is_no_grpc_does_no_harm(shop: Shop, stack, arguments: tuple[str, ...]) -> None:
    before = counts(shop)
    subprocess.run(["curl", "-s", "-m", "3", "--http2-prior-knowledge", *arguments,
                    f"http://{shop.endpoints['SAGA_GRPC']}/saga.v1.SagaService/StartSaga"], capture_output=True, timeout=30)
    assert shop.sagas.ListSagas(saga_service_pb2.ListSagasRequest(page_size=1), timeout=5)
    assert counts(shop) == before


def put_input(shop: Shop, name: str, text: str) -> None:
    status, answer = http("POST", f"{shop.endpoints['REGISTRY_URL']}/subjects/{name}-input/versions",
                          {"schemaType": "PROTOBUF", "schema": text}, {"Content-Type": "application/json"})
    assert status == 200, answer


def put_checkout(shop: Shop, name: str, comment: str) -> int:
    source = (ROOT / "deploy" / "shop" / "checkout.yaml").read_text()
    source = source.replace("saga: checkout\n", f"saga: {name}  # {comment}\n").replace("checkout-input", f"{name}-input")
    request = saga_service_pb2.PutDefinitionRequest(source=source, file_name=f"{name}.yaml")
    version = shop.sagas.PutDefinition(request, timeout=20).definition.version
    asked = saga_service_pb2.GetDefinitionRequest(name=name, version=version)
    wait_until(lambda: shop.sagas.GetDefinition(asked, timeout=5).definition.ready, "the definition is ready")
    return version


def test_a_start_is_the_same_under_a_newer_version_of_its_definition(shop: Shop) -> None:
    name = f"grown-{uuid.uuid4().hex[:8]}"
    text = (ROOT / "proto" / "shop" / "checkout" / "v1" / "checkout_input.proto").read_text()
    put_input(shop, name, text)
    assert put_checkout(shop, name, "first") == 1
    given = shop.input(force_payment_fail=True)
    first = shop.start(given, definition=name)
    put_input(shop, name, text.replace("bool force_inventory_fail = 8;", "bool force_inventory_fail = 8;\n  string gift = 9;"))
    assert put_checkout(shop, name, "second") == 2

    again = shop.start(given, definition=name)
    assert (again.already_existed, again.saga.saga_id, again.saga.definition_version) == (True, first.saga.saga_id, 1)
    assert shop.start(given | {"gift": ""}, definition=name).saga.saga_id == first.saga.saga_id
    for other in (given | {"gift": "ribbon"}, given | {"user_id": "u-2"}):
        error = refusal(shop.start, other, definition=name)
        assert (error.code(), reason(error)) == (grpc.StatusCode.ALREADY_EXISTS, "SAGA_ALREADY_EXISTS")
    assert shop.query("saga", "select count(*) from sagas where order_id = %s", given["order_id"]) == [(1,)]


STEP = "{{id: s{0}, command: order.create.command, replies: {{succeeded: order.created}}, compensation: none}}"


@pytest.mark.parametrize(("source", "place", "word"), [
    ("saga: broken\nkey: order_id\nsteps:\n" + "".join(f"  - {STEP.format(n)}\n" for n in range(257)), "bad.yaml:4:3", "256"),
    ("saga: broken\nkey: order_id\nsteps: []\n", "bad.yaml:3:8", "1 to 256"),
    ("saga: broken\nkey: order_id\nsaga: again\nsteps: []\n", "bad.yaml:3:1", "saga"),
    ("saga: broken\nstepz: []\n", "bad.yaml:2:1", "steps"),
    ("saga: [unclosed", "bad.yaml:", ""),
    ("saga: \x1b[31m\n", "bad.yaml:1:1", "control characters"),
    ("a: &a [x]\nb: [*a, *a]\n", "bad.yaml:1:4", "anchors"),
    ("[" * 100_000, "bad.yaml:1:", "deep"),
    ("", "", "required"),
], ids=["many-steps", "no-steps", "twice", "unknown-key", "syntax", "control", "alias", "deep", "empty"])
def test_bad_definitions_say_where_by_call_and_by_file(
    shop: Shop, stack, tmp_path: Path, source: str, place: str, word: str
) -> None:
    before = counts(shop)
    error = refusal(call, shop, "PutDefinition", {"source": source, "file_name": "bad.yaml"})
    assert (error.code(), reason(error)) == (INVALID, "DEFINITION_INVALID" if source else "FIELD_VIOLATIONS")
    violations = details(error, error_details_pb2.BadRequest).field_violations
    assert {violation.field for violation in violations} == {"source"}
    assert any(place in violation.description and word in violation.description for violation in violations), violations
    file = tmp_path / "bad.yaml"
    file.write_text(source)
    refused = stack.sagactl("definitions", "put", str(file))
    assert refused.returncode == 2, refused
    assert place in refused.stderr and "\x1b" not in refused.stderr
    assert counts(shop) == before


def test_a_checkout_is_repeated_by_its_key_and_no_other_takes_it(shop: Shop) -> None:
    body = {"userId": "u-1", "totalAmount": 5, "items": [{"productId": "prod-1", "quantity": 1}], "forcePaymentFail": True}
    url, key = shop.endpoints["CHECKOUT_URL"] + "/checkout", {"Idempotency-Key": f"key-{uuid.uuid4()}"}
    status, first = http("POST", url, body, key)
    assert status in (200, 202), first
    assert http("POST", url, body, key)[1]["sagaId"] == first["sagaId"]
    status, answer = http("POST", url, body | {"totalAmount": 6}, key)
    assert (status, answer["error"]) == (409, "already_exists")
    assert shop.query("saga", "select count(*) from sagas where order_id = %s", first["orderId"]) == [(1,)]
    assert http("POST", url, body, {"Idempotency-Key": "k" * 256})[0] == 400


# ---- HTTP ------------------------------------------------------------------------------------------------------------

SERVERS = ["ORDER_URL", "PAYMENT_URL", "INVENTORY_URL", "SHIPPING_URL", "CHECKOUT_URL", "SAGA_HTTP", "REGISTRY_URL"]


def exchange(shop: Shop, server: str, request: bytes, deadline_s: float = 15) -> bytes:
    """The whole answer of a server that closes the connection."""
    host, port = shop.endpoints[server].removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=deadline_s) as connection:
        connection.sendall(request)
        answer = b""
        try:
            while part := connection.recv(65536):
                answer += part
        except ConnectionResetError:
            pass  # it was closed before all of the request was read
        return answer


def ask(shop: Shop, server: str, method: str, path: str, headers: str = "", body: str = "") -> tuple[int, str]:
    text = f"{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n{body}"
    answer = exchange(shop, server, text.encode()).decode(errors="replace")
    assert answer.startswith("HTTP/1.1 "), answer
    return int(answer.split()[1]), answer


@pytest.mark.parametrize("server", SERVERS)
def test_every_server_answers_bad_http_alike(shop: Shop, server: str) -> None:
    status, answer = ask(shop, server, "DELETE", "/health")
    assert status == 405 and "\r\nAllow: HEAD, GET\r\n" in answer
    assert ask(shop, server, "HEAD", "/health")[0] == 200
    assert ask(shop, server, "GET", "/nothing/here")[0] == 404
    for path in ("/../../etc/passwd", "/%2e%2e%2f%2e%2e%2fetc%2fpasswd"):
        status, answer = ask(shop, server, "GET", path)
        assert status == 404 and "root:" not in answer
    for path in ("/%00", "/%zz", "/%ff%fe", "/health?x=%00"):
        assert ask(shop, server, "GET", path)[0] == 400
    assert ask(shop, server, "GET", "/" + "a" * 100_000)[0] in (414, 431)
    assert ask(shop, server, "GET", "/health", f"X-Long: {'x' * 100_000}\r\n")[0] in (413, 431)
    assert ask(shop, server, "GET", "/health", "Content-Length: many\r\n")[0] == 400
    assert ask(shop, server, "GET", "/health")[0] == 200


@pytest.mark.parametrize(("server", "method", "path", "allow"), [
    ("ORDER_URL", "DELETE", "/orders/x", "HEAD, GET"), ("ORDER_URL", "GET", "/orders", "POST"),
    ("INVENTORY_URL", "POST", "/stock/p", "HEAD, GET, PUT"), ("PAYMENT_URL", "PUT", "/payments/x", "HEAD, GET"),
    ("CHECKOUT_URL", "GET", "/checkout", "POST"), ("REGISTRY_URL", "PATCH", "/subjects/s", "POST, DELETE"),
    ("REGISTRY_URL", "DELETE", "/subjects/s/versions", "HEAD, GET, POST"), ("SAGA_HTTP", "POST", "/metrics", "HEAD, GET"),
])
def test_405_says_what_is_allowed(shop: Shop, server: str, method: str, path: str, allow: str) -> None:
    status, answer = ask(shop, server, method, path, "Content-Length: 0\r\n")
    assert status == 405
    assert f"\r\nAllow: {allow}\r\n" in answer


@pytest.mark.parametrize(("body", "word"), [
    ('{"a": 1,\n "a": 2}', "twice"), ('{"a":\n [1,}', "2"), ("[" * 200, "deep"), ('{"a": 01}', "1"), ('{"a": "\\ud800"}', "1"),
    ("", ""), ("null", "object"),
])
@pytest.mark.parametrize(("server", "method", "path"), [
    ("ORDER_URL", "POST", "/orders"), ("INVENTORY_URL", "PUT", "/stock/p"), ("CHECKOUT_URL", "POST", "/checkout"),
])
def test_bad_json_says_where(shop: Shop, server: str, method: str, path: str, body: str, word: str) -> None:
    status, answer = ask(shop, server, method, path, f"Content-Length: {len(body)}\r\n", body)
    assert status == 400
    assert word in answer.split("\r\n\r\n", 1)[1]


@pytest.mark.parametrize(("server", "method", "path"), [
    ("ORDER_URL", "POST", "/orders"), ("INVENTORY_URL", "PUT", "/stock/p"), ("CHECKOUT_URL", "POST", "/checkout"),
    ("REGISTRY_URL", "POST", "/subjects/s/versions"),
])
def test_bodies_of_another_type_are_refused(shop: Shop, server: str, method: str, path: str) -> None:
    assert ask(shop, server, method, path, "Content-Type: text/xml\r\nContent-Length: 4\r\n", "<a/>")[0] == 415


def test_slow_headers_hold_up_nobody(shop: Shop) -> None:
    host, port = shop.endpoints["ORDER_URL"].removeprefix("http://").split(":")
    slow = [socket.create_connection((host, int(port)), timeout=20) for _ in range(20)]
    begun = time.monotonic()
    for connection in slow:
        connection.sendall(b"GET /health HTTP/1.1\r\nX-Slow: ")
    assert ask(shop, "ORDER_URL", "GET", "/health")[0] == 200
    assert time.monotonic() - begun < 5
    for connection in slow:
        while connection.recv(1000):  # until it is closed, after 10 s without a byte
            pass
        connection.close()


# ---- command line and configuration -----------------------------------------------------------------------------------


def run(stack, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([stack.program(arguments[0]), *arguments[1:]], capture_output=True, text=True, timeout=30,
                          stdin=subprocess.DEVNULL, env={"PATH": os.environ["PATH"], **environment})


@pytest.mark.parametrize("program", ["saga-coordinator", "schema-registry", "checkout-service", "order-service"])
def test_all_that_is_wrong_with_a_configuration_is_said_at_once(stack, tmp_path: Path, program: str) -> None:
    """Code 78, with key, where it stands, and what would do."""
    secret, file = tmp_path / "open.key", tmp_path / "bad.conf"
    secret.write_text("secret")
    secret.chmod(0o644)
    file.write_text("log-levl = info\nno equals sign\nlog-level = loud\n")
    refused = run(stack, program, "--config", str(file), LOG_FORMAT="xml", REGISTRY_POSTGRES="dbname=none")
    assert refused.returncode == 78, refused.stderr
    for words in ((f"{file}:1:", "log-levl", "log-level"), (f"{file}:2:", "KEY = VALUE"),
                  (f"{file}:3:", "loud", "error warn info debug"), ("LOG_FORMAT", "xml", "logfmt")):
        assert any(all(word in line for word in words) for line in refused.stderr.splitlines()), (words, refused.stderr)
    flag = {"saga-coordinator": "--tls-key", "schema-registry": "--tls-key"}.get(program)
    if flag:
        refused = run(stack, program, flag, str(secret), "--tls-cert", str(tmp_path / "absent"), REGISTRY_POSTGRES="dbname=none")
        assert refused.returncode == 78
        assert "open to every user" in refused.stderr and "absent" in refused.stderr
        assert "secret" not in refused.stderr


@pytest.mark.parametrize(("arguments", "words"), [
    (("sagactl",), "no command"),
    (("sagactl", "strat"), "did you mean 'start'"),
    (("sagactl", "list", "--limt", "5"), "--limit"),
    (("sagactl", "list", "--limit", "many", "--output", "yaml"), "whole number"),
    (("sagactl", "get", "order-7"), "no saga id"),
    (("sagactl", "wait", UNKNOWN, "--timeout", "5 parsecs"), "duration"),
    (("sagactl", "dlq", "list", "--reason", "to_large"), "too_large"),
    (("sagactl", "definitions", "put", "/nowhere.yaml"), "/nowhere.yaml"),
    (("saga-coordinator", "--htp-port", "1"), "--http-port"),
    (("saga-coordinator", "--http-port", "99999", "stray"), "65535"),
    (("schema-registry", "--postgress", "x"), "--postgres"),
    (("order-service", "--kafka-broker", "x"), "--kafka-brokers"),
])
def test_wrong_usage_is_refused_with_the_nearest_words(stack, arguments: tuple[str, ...], words: str) -> None:
    refused = run(stack, *arguments)
    assert refused.returncode == 2, refused
    assert words in refused.stderr
    assert not refused.stdout
