"""Without a collector, which is the default, a caller's trace context goes through as it came."""

from __future__ import annotations

import uuid

from kafka_tools import headers_of, read_until
from shop_client import Shop


def test_without_a_collector_the_context_goes_through_as_it_came(stack, shop: Shop) -> None:
    assert "--otlp-endpoint" not in stack.command_line("coordinator")
    trace_id, order = uuid.uuid4().hex, str(uuid.uuid4())
    given = f"00-{trace_id}-00f067aa0ba902b7-01"
    one = shop.input(order, force_payment_fail=True)
    shop.finished(shop.sagas.StartSaga(shop.start_request(one), metadata=[("traceparent", given)], timeout=10).saga.saga_id)
    for topic in ("payment.charge.command", "payment.failed"):
        [record] = read_until(shop.endpoints["KAFKA_BOOTSTRAP"], [topic], lambda record: record.key() == order.encode())
        assert headers_of(record)["traceparent"] == given
