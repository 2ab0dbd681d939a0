"""Whose call it was: in a saga's log, in the database's view, on the screen, and with a definition's versions."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest
from conftest import BUILD
from google.protobuf import duration_pb2
from harness import Coordinator, TestStack
from saga.v1 import saga_pb2, saga_service_pb2, saga_service_pb2_grpc
from secure_coordinator import Authority, new_token
from shop_client import Shop, wait_until

LATER = duration_pb2.Duration(seconds=3600)  # so that a saga can be cancelled at leisure


@dataclass
class Guarded:
    """A coordinator that asks who calls, over the stack's own servers: one certificate, two tokens."""

    target: str
    authority: Authority
    pair: tuple[Path, Path]
    tokens: dict[str, str]
    folder: Path

    def stub(self, channel: grpc.Channel) -> saga_service_pb2_grpc.SagaServiceStub:
        return saga_service_pb2_grpc.SagaServiceStub(channel)

    def channel(self) -> grpc.Channel:
        certificate, key = (path.read_bytes() for path in self.pair)
        return grpc.secure_channel(self.target, grpc.ssl_channel_credentials(self.authority.certificate.read_bytes(), key, certificate))

    def token(self, name: str) -> list[tuple[str, str]]:
        return [("authorization", f"Bearer {self.tokens[name]}")]


@pytest.fixture(scope="module")
def guarded(stack: TestStack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    folder = tmp_path_factory.mktemp("guarded")
    authority = Authority(folder)
    certificate, key = authority.issue("server", "IP:127.0.0.1")
    lines = {name: new_token(BUILD / "bin" / "sagactl", name, role) for name, role in (("ann", "operator"), ("chief", "admin"))}
    access = folder / "access"
    access.write_text("\n".join(["certificate shop starter shop.internal", *(line for _, line in lines.values())]) + "\n")
    access.chmod(0o640)
    flags = ("--tls-cert", certificate, "--tls-key", key, "--tls-client-ca", authority.certificate, "--access-file", access)
    coordinator = Coordinator(stack, "saga", ("--instance", "guarded", *map(str, flags)))  # its /readyz needs a certificate, too
    coordinator.spawn()
    try:
        one = Guarded(coordinator.target, authority, authority.issue("shop", "DNS:shop.internal"),
                      {name: token for name, (token, _) in lines.items()}, folder)
        with one.channel() as channel:
            wait_until(lambda: knows_checkout(one.stub(channel)), "the guarded coordinator can start checkouts")
        yield one
    finally:
        coordinator.child.kill()


def knows_checkout(stub: saga_service_pb2_grpc.SagaServiceStub) -> bool:
    try:
        return stub.GetDefinition(saga_service_pb2.GetDefinitionRequest(name="checkout"), timeout=5).definition.ready
    except grpc.RpcError as error:
        assert error.code() == grpc.StatusCode.UNAVAILABLE, error
        return False


def log_of(shop: Shop, saga_id: str) -> list[saga_pb2.SagaEvent]:
    return list(shop.sagas.GetSagaLog(saga_service_pb2.GetSagaLogRequest(saga_id=saga_id), timeout=10).events)


def who(events: list[saga_pb2.SagaEvent]) -> list[tuple[str, ...]]:
    """What, by whom, and for a cancel, why."""
    return [(event.event, event.actor, event.detail) if event.event == "cancelled" else (event.event, event.actor) for event in events]


def test_the_log_says_who_started_and_who_cancelled_and_why(shop: Shop, guarded: Guarded) -> None:
    with guarded.channel() as channel:
        stub = guarded.stub(channel)
        saga_id = stub.StartSaga(shop.start_request(shop.input(), delay=LATER), timeout=10).saga.saga_id
        stub.CancelSaga(saga_service_pb2.CancelSagaRequest(saga_id=saga_id, reason="wrong prices"), timeout=10,
                        metadata=guarded.token("ann"))
    wanted = [("scheduled", "shop"), ("cancelled", "ann", "wrong prices")]
    assert who(log_of(shop, saga_id)) == wanted
    assert who(list(shop.get(saga_id).events)) == wanted
    watched = shop.sagas.WatchSaga(saga_service_pb2.WatchSagaRequest(saga_id=saga_id), timeout=10)
    assert who([event for message in watched for event in message.events]) == wanted
    assert shop.query("saga", "select event, actor from saga_events where saga_id = %s order by sequence", saga_id) == \
        [("scheduled", "shop"), ("cancelled", "ann")]


def test_what_no_call_caused_has_nobody_and_an_open_coordinator_knows_nobody(shop: Shop) -> None:
    saga_id = shop.start(shop.input()).saga.saga_id
    shop.finished(saga_id)
    actors = [event.actor for event in log_of(shop, saga_id)]
    assert actors[0] == "anonymous" and set(actors[1:]) == {""}, actors


def test_each_saga_of_a_batch_has_its_starter(shop: Shop, guarded: Guarded) -> None:
    request = saga_service_pb2.BatchStartSagasRequest(requests=[shop.start_request(shop.input(), delay=LATER) for _ in range(3)])
    with guarded.channel() as channel:
        results = guarded.stub(channel).BatchStartSagas(request, timeout=10, metadata=guarded.token("ann")).results
    assert [who(log_of(shop, result.response.saga.saga_id)) for result in results] == [[("scheduled", "ann")]] * 3


def test_a_repeated_start_or_cancel_leaves_the_first_ones_name(shop: Shop, guarded: Guarded) -> None:
    start = shop.start_request(shop.input(), delay=LATER)
    with guarded.channel() as channel:
        saga_id = guarded.stub(channel).StartSaga(start, timeout=10).saga.saga_id
        again = guarded.stub(channel).StartSaga(start, timeout=10, metadata=guarded.token("ann"))
        assert again.already_existed
        cancel = saga_service_pb2.CancelSagaRequest(saga_id=saga_id, reason="first")
        guarded.stub(channel).CancelSaga(cancel, timeout=10, metadata=guarded.token("chief"))
        cancel.reason = "second"
        assert guarded.stub(channel).CancelSaga(cancel, timeout=10, metadata=guarded.token("ann")).already_turned_back
    assert who(log_of(shop, saga_id)) == [("scheduled", "shop"), ("cancelled", "chief", "first")]


def test_over_a_unix_socket_callers_have_names_too(stack: TestStack, shop: Shop, guarded: Guarded) -> None:
    path = guarded.folder / "grpc.sock"
    arguments = ("--instance", "on-a-socket", "--grpc-listen", f"unix:{path}", "--access-file", str(guarded.folder / "access"))
    with stack.second_coordinator(arguments=arguments), grpc.insecure_channel(f"unix:{path}") as channel:
        stub = guarded.stub(channel)
        start = shop.start_request(shop.input(), delay=LATER)
        saga_id = wait_until(lambda: start_if_ready(stub, start, guarded.token("ann")), "a start over the socket")
    assert who(log_of(shop, saga_id)) == [("scheduled", "ann")]


def start_if_ready(stub: saga_service_pb2_grpc.SagaServiceStub, request: saga_service_pb2.StartSagaRequest,
                   metadata: list[tuple[str, str]]) -> str:
    try:
        return stub.StartSaga(request, timeout=5, metadata=metadata).saga.saga_id
    except grpc.RpcError as error:
        assert error.code() == grpc.StatusCode.UNAVAILABLE, error
        return ""


def test_sagactl_shows_by_whose_call(stack: TestStack, shop: Shop, guarded: Guarded) -> None:
    with guarded.channel() as channel:
        saga_id = guarded.stub(channel).StartSaga(shop.start_request(shop.input(), delay=LATER), timeout=10).saga.saga_id
    token_file, certificate, key = guarded.folder / "ann.token", *guarded.pair
    token_file.write_text(guarded.tokens["ann"])
    token_file.chmod(0o600)
    cancelled = stack.sagactl("--address", guarded.target, "--saga-ca", str(guarded.authority.certificate), "--saga-cert",
                              str(certificate), "--saga-key", str(key), "--saga-token-file", str(token_file), "cancel", saga_id,
                              "--reason", "the customer called")
    assert cancelled.returncode == 0, cancelled.stderr
    log = stack.sagactl("log", saga_id).stdout.splitlines()
    assert " BY " in log[0] and "shop" in log[1].split() and "ann" in log[2].split()
    assert "by ann: the customer called" in stack.sagactl("watch", saga_id).stdout
    assert "by ann: the customer called" in stack.sagactl("get", saga_id).stdout
    events = [json.loads(line) for line in stack.sagactl("log", saga_id, "-o", "jsonl").stdout.splitlines()]
    assert [event["actor"] for event in events] == ["shop", "ann"]


def test_a_definitions_version_keeps_who_registered_it(stack: TestStack, shop: Shop, guarded: Guarded) -> None:
    source = shop.sagas.GetDefinition(saga_service_pb2.GetDefinitionRequest(name="checkout"), timeout=10).definition.source
    source = source.replace("saga: checkout", "saga: audited")
    with guarded.channel() as channel:
        put = guarded.stub(channel).PutDefinition
        made = put(saga_service_pb2.PutDefinitionRequest(source=source), timeout=30, metadata=guarded.token("chief"))
        assert made.created and made.definition.creator == "chief"
    again = shop.sagas.PutDefinition(saga_service_pb2.PutDefinitionRequest(source=source), timeout=30)
    assert not again.created and again.definition.creator == "chief"
    second = shop.sagas.PutDefinition(saga_service_pb2.PutDefinitionRequest(source=source + "\n# changed\n"), timeout=30)
    assert second.created and second.definition.creator == "anonymous"
    shown = stack.sagactl("definitions", "get", "audited", "--definition-version", "1").stdout.splitlines()
    assert shown[1].startswith("  registered 20") and shown[1].endswith(" by chief")
