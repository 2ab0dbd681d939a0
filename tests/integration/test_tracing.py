"""One trace a saga, over HTTP, gRPC and Kafka: exported spans (read with OpenTelemetry's own messages) have the right parents."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from kafka_tools import headers_of, read_until
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from shop_client import Shop, http, wait_until

TRACED = ("coordinator", "order", "payment", "inventory", "checkout")


class Collector:
    """An OTLP receiver that keeps what it gets."""

    def __init__(self) -> None:
        collector = self
        self.spans: list[tuple[str, Span]] = []
        self.lock = threading.Lock()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                is_right = self.path == "/v1/traces" and self.headers["Content-Type"] == "application/x-protobuf"
                if is_right:
                    collector.take(trace_service_pb2.ExportTraceServiceRequest.FromString(body))
                self.send_response(200 if is_right else 404)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    def take(self, request: trace_service_pb2.ExportTraceServiceRequest) -> None:
        with self.lock:
            for resource in request.resource_spans:
                [service] = [one.value.string_value for one in resource.resource.attributes if one.key == "service.name"]
                for scope in resource.scope_spans:
                    assert scope.scope.name == "amends"
                    self.spans += [(service, span) for span in scope.spans]

    def of_trace(self, trace_id: str) -> list[tuple[str, Span]]:
        with self.lock:
            return [(service, span) for service, span in self.spans if span.trace_id.hex() == trace_id]

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture(scope="module")
def collector(stack) -> Iterator[Collector]:
    collector = Collector()
    for name in TRACED:
        stack.add_arguments(name, "--otlp-endpoint", collector.url)
        stack.restart(name)
    yield collector
    for name in TRACED:
        stack.add_arguments(name)
        stack.restart(name)
    collector.close()


def attributes(span: Span) -> dict[str, str | int]:
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in span.attributes}


def test_scenario_b_is_one_trace_with_the_right_parents(collector: Collector, shop: Shop) -> None:
    """The browser's span -> checkout -> saga -> each attempt -> its handling in the service; and back."""
    trace_id, browser = uuid.uuid4().hex, "00f067aa0ba902b7"
    url = shop.endpoints["CHECKOUT_URL"] + "/checkout"
    status, answer = http("POST", url, {"userId": "u-1", "totalAmount": 49.99, "forceInventoryFail": True},
                          {"traceparent": f"00-{trace_id}-{browser}-01", "tracestate": "shop=1"})
    assert (status, answer["status"]) == (200, "FAILED")
    saga_id = answer["sagaId"]
    expected = {
        "create-order": ("order-service", "order.create.command process"),
        "charge-payment": ("payment-service", "payment.charge.command process"),
        "reserve-inventory": ("inventory-service", "inventory.reserve.command process"),
        "charge-payment compensation": ("payment-service", "payment.refund.command process"),
        "create-order compensation": ("order-service", "order.cancel.command process"),
    }
    count = 2 + 2 * len(expected)
    spans = wait_until(lambda: (found := collector.of_trace(trace_id)) and len(found) >= count and found, "all spans come")
    assert len(spans) == count, [span.name for _, span in spans]
    assert len({span.span_id for _, span in spans}) == count

    def children(parent: bytes) -> list[tuple[str, Span]]:
        return [(service, span) for service, span in spans if span.parent_span_id == parent]

    [(service, request)] = children(bytes.fromhex(browser))
    assert (service, request.name, request.kind) == ("checkout-service", "POST /checkout", Span.SPAN_KIND_SERVER)
    [(service, saga)] = children(request.span_id)
    assert (service, saga.name) == ("saga-coordinator", "saga checkout")
    assert attributes(saga)["saga.id"] == saga_id
    assert attributes(saga)["saga.state"] == "COMPENSATED"
    assert (saga.status.code, saga.status.message) == (Status.STATUS_CODE_ERROR, "INVENTORY_FAILED")

    attempts = dict((span.name, span) for _, span in children(saga.span_id))
    assert attempts.keys() == expected.keys()
    for name, attempt in attempts.items():
        [(service, handled)] = children(attempt.span_id)
        assert (service, handled.name) == expected[name]
        assert (attempt.kind, handled.kind) == (Span.SPAN_KIND_CLIENT, Span.SPAN_KIND_CONSUMER)
        assert attributes(attempt)["saga.step"] == attributes(handled)["saga.step"] == name.split()[0]
        assert attributes(attempt)["saga.id"] == attributes(handled)["saga.id"] == saga_id
        assert saga.start_time_unix_nano <= attempt.start_time_unix_nano < attempt.end_time_unix_nano <= saga.end_time_unix_nano
        is_refused = name == "reserve-inventory"
        assert (attempt.status.code == Status.STATUS_CODE_ERROR) == is_refused
        assert (handled.status.code == Status.STATUS_CODE_ERROR) == is_refused
        assert children(handled.span_id) == []

    # On Kafka: the command names the attempt's span, the reply the span of its handling.
    order = answer["orderId"].encode()
    bootstrap = shop.endpoints["KAFKA_BOOTSTRAP"]
    [command] = read_until(bootstrap, ["payment.charge.command"], lambda record: record.key() == order)
    [reply] = read_until(bootstrap, ["payment.charged"], lambda record: record.key() == order)
    charge = attempts["charge-payment"]
    assert headers_of(command)["traceparent"] == f"00-{trace_id}-{charge.span_id.hex()}-01"
    assert headers_of(command)["tracestate"] == "shop=1"
    assert headers_of(reply)["traceparent"] == f"00-{trace_id}-{children(charge.span_id)[0][1].span_id.hex()}-01"


def test_a_saga_without_a_caller_has_a_trace_of_its_own_id(collector: Collector, shop: Shop) -> None:
    saga_id = shop.start(shop.input(force_payment_fail=True)).saga.saga_id
    shop.finished(saga_id)
    trace_id = uuid.UUID(saga_id).hex
    wait_until(lambda: len(collector.of_trace(trace_id)) == 1 + 2 * 3, "its spans come")
    [root] = [span for _, span in collector.of_trace(trace_id) if not span.parent_span_id]
    assert root.name == "saga checkout"


def test_an_attempt_that_another_coordinator_ends_keeps_its_parents(collector: Collector, stack, shop: Shop) -> None:
    stack.suspend("payment")
    saga_id = shop.start(shop.input()).saga.saga_id
    stack.kill("coordinator")
    stack.resume("payment")
    stack.wait_ready("coordinator")
    assert shop.finished(saga_id).step == "COMPLETED"
    trace_id = uuid.UUID(saga_id).hex

    def roots_and_orphans() -> tuple[int, int]:
        spans = [span for _, span in collector.of_trace(trace_id)]
        ids = {span.span_id for span in spans}
        orphans = [span for span in spans if span.parent_span_id and span.parent_span_id not in ids]
        return len(spans) - len([span for span in spans if span.parent_span_id]), len(orphans)

    wait_until(lambda: roots_and_orphans() == (1, 0), "one root, and every parent is there")


def test_an_unsampled_trace_is_handed_on_but_not_exported(collector: Collector, shop: Shop) -> None:
    trace_id = uuid.uuid4().hex
    one = shop.input(force_payment_fail=True)
    metadata = [("traceparent", f"00-{trace_id}-00f067aa0ba902b7-00")]
    saga_id = shop.sagas.StartSaga(shop.start_request(one), metadata=metadata, timeout=10).saga.saga_id
    shop.finished(saga_id)
    [command] = read_until(shop.endpoints["KAFKA_BOOTSTRAP"], ["payment.charge.command"],
                           lambda record: record.key() == one["order_id"].encode())
    assert headers_of(command)["traceparent"].startswith(f"00-{trace_id}-")
    assert headers_of(command)["traceparent"].endswith("-00")
    later = shop.start(shop.input(force_payment_fail=True)).saga.saga_id
    wait_until(lambda: collector.of_trace(uuid.UUID(later).hex), "a later trace comes")
    assert collector.of_trace(trace_id) == []
