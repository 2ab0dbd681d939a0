"""The gRPC API as a stranger uses it: reflection, JSON input, idempotency, waits, clear errors."""

from __future__ import annotations

import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from google.protobuf.descriptor_pool import DescriptorPool
from google.rpc import error_details_pb2, status_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from saga.v1 import saga_pb2, saga_service_pb2
from shop_client import Shop
from shop.checkout.v1 import checkout_input_pb2


def details(error: grpc.RpcError, kind: type):
    """The one detail of that kind in `grpc-status-details-bin`."""
    trailers = dict(error.trailing_metadata())
    status = status_pb2.Status.FromString(trailers["grpc-status-details-bin"])
    assert status.code == error.code().value[0]
    for entry in status.details:
        if entry.Is(kind.DESCRIPTOR):
            found = kind()
            entry.Unpack(found)
            return found
    raise AssertionError(f"no {kind.__name__} in {status}")


def refusal(call, *args, **kwargs) -> grpc.RpcError:
    with pytest.raises(grpc.RpcError) as caught:
        call(*args, **kwargs)
    return caught.value


def test_reflection_describes_the_service_without_proto_files(shop: Shop) -> None:
    database = ProtoReflectionDescriptorDatabase(shop.channel)
    services = set(database.get_services())
    assert {"saga.v1.SagaService", "grpc.health.v1.Health"} <= services
    service = DescriptorPool(database).FindServiceByName("saga.v1.SagaService")
    methods = {method.name for method in service.methods}
    assert {"StartSaga", "GetSaga", "PutDefinition", "GetDefinition", "ListDefinitions"} <= methods
    assert service.methods_by_name["StartSaga"].input_type.fields_by_name["definition"].number == 1


def test_reflection_v1_answers_as_v1alpha(shop: Shop) -> None:
    from grpc_reflection.v1alpha import reflection_pb2

    call = shop.channel.stream_stream(
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
        response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
    )
    requests = [
        reflection_pb2.ServerReflectionRequest(list_services=""),
        reflection_pb2.ServerReflectionRequest(file_containing_symbol="saga.v1.Saga"),
        reflection_pb2.ServerReflectionRequest(file_containing_symbol="no.such.Symbol"),
    ]
    listed, found, missing = list(call(iter(requests), timeout=10))
    assert "saga.v1.SagaService" in [service.name for service in listed.list_services_response.service]
    assert found.file_descriptor_response.file_descriptor_proto
    assert missing.error_response.error_code == grpc.StatusCode.NOT_FOUND.value[0]


def test_health_is_serving(shop: Shop) -> None:
    stub = health_pb2_grpc.HealthStub(shop.channel)
    for service in ("", "saga.v1.SagaService"):
        answer = stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=5)
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
    error = refusal(stub.Check, health_pb2.HealthCheckRequest(service="nobody"), timeout=5)
    assert error.code() == grpc.StatusCode.NOT_FOUND


def test_unknown_method_is_unimplemented(shop: Shop) -> None:
    call = shop.channel.unary_unary("/saga.v1.SagaService/NoSuchMethod")
    assert refusal(call, b"", timeout=5).code() == grpc.StatusCode.UNIMPLEMENTED


def test_json_and_encoded_input_start_the_same_saga(shop: Shop) -> None:
    tree = shop.input(total_amount_minor="1000", force_payment_fail=True)
    first = shop.start(tree)
    assert not first.already_existed
    message = checkout_input_pb2.CheckoutInput(
        order_id=tree["order_id"],
        user_id="u-1",
        total_amount_minor=1000,
        currency="USD",
        items=[checkout_input_pb2.CheckoutInput.Item(product_id="prod-1", quantity=1, price_minor=1000)],
        force_payment_fail=True,
    )
    second = shop.sagas.StartSaga(
        saga_service_pb2.StartSagaRequest(
            definition="checkout", idempotency_key=tree["order_id"], encoded=message.SerializeToString()
        ),
        timeout=10,
    )
    assert second.already_existed
    assert second.saga.saga_id == first.saga.saga_id


def test_same_key_with_other_content_is_refused(shop: Shop) -> None:
    tree = shop.input(force_payment_fail=True)
    shop.start(tree)
    error = refusal(shop.start, tree | {"total_amount_minor": 1001})
    assert error.code() == grpc.StatusCode.ALREADY_EXISTS
    assert shop.query("saga", "select count(*) from sagas where order_id = %s", tree["order_id"]) == [(1,)]


def test_concurrent_equal_starts_make_one_saga(shop: Shop) -> None:
    tree = shop.input(force_payment_fail=True)
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: shop.start(tree), range(64)))
    assert len({answer.saga.saga_id for answer in answers}) == 1
    assert sum(not answer.already_existed for answer in answers) == 1


def test_client_may_choose_the_saga_id(shop: Shop) -> None:
    given = shop.start(shop.input(force_payment_fail=True)).saga.saga_id
    chosen = given[:-4] + f"{uuid.uuid4().int & 0xFFFF:04x}"
    answer = shop.start(shop.input(force_payment_fail=True), saga_id=chosen)
    assert answer.saga.saga_id == chosen
    error = refusal(shop.start, shop.input(force_payment_fail=True), saga_id=chosen)
    assert error.code() == grpc.StatusCode.ALREADY_EXISTS


def test_input_that_does_not_fit_names_every_field(shop: Shop) -> None:
    tree = shop.input() | {"total_amount_minor": 1.5, "items": [{"product_id": 7, "quantity": "many"}], "surprise": 1}
    error = refusal(shop.start, tree)
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
    fields = {violation.field for violation in details(error, error_details_pb2.BadRequest).field_violations}
    assert {"input.total_amount_minor", "input.items[0].product_id", "input.items[0].quantity", "input.surprise"} <= fields
    assert "checkout-input" in error.details() + str(details(error, error_details_pb2.BadRequest))
    assert shop.query("saga", "select count(*) from sagas where order_id = %s", tree["order_id"]) == [(0,)]


def test_encoded_input_that_is_no_message_is_refused(shop: Shop) -> None:
    request = saga_service_pb2.StartSagaRequest(definition="checkout", idempotency_key="x", encoded=b"\xff\xff\xff")
    error = refusal(shop.sagas.StartSaga, request, timeout=5)
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert details(error, error_details_pb2.BadRequest).field_violations


def test_every_bad_field_of_a_start_is_named(shop: Shop) -> None:
    request = saga_service_pb2.StartSagaRequest(
        definition="", saga_id="not-a-uuid", idempotency_key="k" * 256, definition_version=-1
    )
    error = refusal(shop.sagas.StartSaga, request, timeout=5)
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
    fields = {violation.field for violation in details(error, error_details_pb2.BadRequest).field_violations}
    assert {"definition", "saga_id", "idempotency_key", "definition_version", "input"} <= fields


def test_unknown_definition_names_the_nearest(shop: Shop) -> None:
    error = refusal(shop.start, shop.input(), definition="chekout")
    assert error.code() == grpc.StatusCode.NOT_FOUND
    assert "checkout" in error.details()


def test_unknown_and_malformed_saga_ids(shop: Shop) -> None:
    assert refusal(shop.get, str(uuid.uuid4())).code() == grpc.StatusCode.NOT_FOUND
    assert refusal(shop.get, "42").code() == grpc.StatusCode.INVALID_ARGUMENT


def test_too_large_input_is_refused(shop: Shop) -> None:
    error = refusal(shop.start, shop.input(customer_email="x" * 300_000))
    assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "262144" in error.details()


def test_undecodable_request_does_not_harm_the_server(shop: Shop) -> None:
    call = shop.channel.unary_unary("/saga.v1.SagaService/StartSaga")
    for garbage in (b"\xff" * 40, b"\x0a\x05ab", b"\x2a\x80\x80\x80\x80\x7f"):
        assert refusal(call, garbage, timeout=5).code() == grpc.StatusCode.INVALID_ARGUMENT
    nested = b""
    for _ in range(5000):
        nested = b"\x0a" + _varint(len(nested) + 0) + nested
    assert refusal(call, b"\x2a" + _varint(len(nested)) + nested, timeout=5).code() == grpc.StatusCode.INVALID_ARGUMENT
    shop.start(shop.input(force_payment_fail=True))


def _varint(number: int) -> bytes:
    out = b""
    while number > 0x7F:
        out += bytes([number & 0x7F | 0x80])
        number >>= 7
    return out + bytes([number])


def test_get_shows_the_timeline(shop: Shop) -> None:
    started = shop.start(shop.input(), labels={"tier": "gold"})
    saga = shop.finished(started.saga.saga_id)
    assert saga.state == saga_pb2.SAGA_STATE_COMPLETED
    assert saga.labels == {"tier": "gold"}
    assert [step.step_id for step in saga.steps] == [
        "create-order", "charge-payment", "reserve-inventory", "confirm-order", "deduct-inventory", "ship",
    ]
    assert all(step.state == saga_pb2.STEP_STATE_SUCCEEDED and step.attempts == 1 for step in saga.steps)
    assert [event.sequence for event in saga.events] == list(range(1, saga.version + 1))
    assert [event.milestone for event in saga.events] == [
        "STARTED", "ORDER_CREATED", "PAYMENT_CHARGED", "INVENTORY_RESERVED", "ORDER_CONFIRMED", "INVENTORY_DEDUCTED",
        "SHIPPING_SHIPPED",
    ]
    times = [event.time.ToNanoseconds() for event in saga.events]
    assert times == sorted(times)
    assert saga.end_time.ToNanoseconds() >= saga.create_time.ToNanoseconds() > 0


def test_wait_ends_with_the_outcome_or_the_callers_deadline(shop: Shop, stack) -> None:
    stack.suspend("inventory")
    try:
        saga_id = shop.start(shop.input()).saga.saga_id
        begun = time.monotonic()
        saga = shop.get(saga_id, wait_s=60, timeout=2)  # the state of that moment, no error
        assert time.monotonic() - begun < 3
        assert saga.state == saga_pb2.SAGA_STATE_RUNNING
        saga = shop.get(saga_id, wait_s=0.3)
        assert saga.state == saga_pb2.SAGA_STATE_RUNNING
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(shop.get, saga_id, 30)
            stack.resume("inventory")
            assert waiting.result(timeout=30).state == saga_pb2.SAGA_STATE_COMPLETED
    finally:
        stack.resume("inventory")


def test_thousand_concurrent_waits_do_not_block_the_server(shop: Shop, stack) -> None:
    stack.suspend("inventory")
    try:
        saga_id = shop.start(shop.input()).saga.saga_id
        request = saga_service_pb2.GetSagaRequest(saga_id=saga_id)
        request.wait.FromSeconds(30)
        waits = [shop.sagas.GetSaga.future(request, timeout=60) for _ in range(1000)]
        assert shop.get(saga_id, timeout=5).state == saga_pb2.SAGA_STATE_RUNNING
        for cancelled in waits[:500]:
            cancelled.cancel()
    finally:
        stack.resume("inventory")
    assert {wait.result(timeout=30).saga.state for wait in waits[500:]} == {saga_pb2.SAGA_STATE_COMPLETED}
