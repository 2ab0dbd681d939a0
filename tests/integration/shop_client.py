"""The shop as the tests see it: checkouts over HTTP, sagas over gRPC, and the services' own databases."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import grpc
import psycopg
from google.protobuf import duration_pb2, json_format, struct_pb2
from saga.v1 import saga_pb2, saga_service_pb2, saga_service_pb2_grpc

TERMINAL = {
    saga_pb2.SAGA_STATE_COMPLETED,
    saga_pb2.SAGA_STATE_COMPENSATED,
    saga_pb2.SAGA_STATE_FAILED,
}


def wait_until(
    condition: Callable[[], Any], what: str, deadline_s: float = 30.0, every_s: float = 0.05
) -> Any:
    """The first true value of `condition`; fails with `what` and the last value when the deadline is over."""
    end = time.monotonic() + deadline_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"{what}: not within {deadline_s} s (last: {value!r})")
        time.sleep(every_s)


def http(method: str, url: str, body: Any = None, headers: Mapping[str, str] | None = None) -> tuple[int, Any]:
    data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, method=method, headers=dict(headers or {}))
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            status, text = answer.status, answer.read()
    except urllib.error.HTTPError as error:
        status, text = error.code, error.read()
    try:
        return status, json.loads(text) if text else None
    except ValueError:
        return status, text.decode(errors="replace")


@dataclass
class Shop:
    endpoints: Mapping[str, str]

    def __post_init__(self) -> None:
        # gRPC waits up to two minutes between its attempts to connect: longer than a test's deadline after an outage.
        self.channel = grpc.insecure_channel(self.endpoints["SAGA_GRPC"], [("grpc.max_reconnect_backoff_ms", 500)])
        self.sagas = saga_service_pb2_grpc.SagaServiceStub(self.channel)

    def close(self) -> None:
        self.channel.close()

    # ---- checkouts and sagas -------------------------------------------------------------------------------------

    def checkout(self, **fields: Any) -> tuple[int, Any]:
        body = {"userId": "u-1", "totalAmount": 49.99, "items": [{"productId": "prod-1", "quantity": 1}]} | fields
        return http("POST", self.endpoints["CHECKOUT_URL"] + "/checkout", body)

    @staticmethod
    def input(order_id: str | None = None, **fields: Any) -> dict[str, Any]:
        return {
            "order_id": order_id or str(uuid.uuid4()),
            "user_id": "u-1",
            "total_amount_minor": 1000,
            "currency": "USD",
            "items": [{"product_id": "prod-1", "quantity": 1, "price_minor": 1000}],
        } | fields

    def start(self, input: dict[str, Any], timeout: float = 10, **fields: Any) -> saga_service_pb2.StartSagaResponse:
        return self.sagas.StartSaga(self.start_request(input, **fields), timeout=timeout, wait_for_ready=True)

    @staticmethod
    def start_request(input: dict[str, Any], **fields: Any) -> saga_service_pb2.StartSagaRequest:
        tree = struct_pb2.Struct()
        json_format.ParseDict(input, tree)
        fields = {"definition": "checkout", "idempotency_key": input.get("order_id", "")} | fields
        return saga_service_pb2.StartSagaRequest(json=tree, **fields)

    def get(self, saga_id: str, wait_s: float = 0, timeout: float = 60) -> saga_pb2.Saga:
        wait = duration_pb2.Duration(seconds=int(wait_s), nanos=int(wait_s % 1 * 1e9)) if wait_s else None
        request = saga_service_pb2.GetSagaRequest(saga_id=saga_id, wait=wait)
        return self.sagas.GetSaga(request, timeout=timeout, wait_for_ready=True).saga

    def finished(self, saga_id: str, deadline_s: float = 60) -> saga_pb2.Saga:
        def ended() -> saga_pb2.Saga | None:
            saga = self.get(saga_id, wait_s=5)
            return saga if saga.state in TERMINAL or saga.state == saga_pb2.SAGA_STATE_STUCK else None

        return wait_until(ended, f"saga {saga_id} ends", deadline_s)

    # ---- databases -----------------------------------------------------------------------------------------------

    def query(self, database: str, sql: str, *args: Any) -> list[tuple[Any, ...]]:
        """Rows from one of the databases: saga, registry, order, payment, inventory or shipping."""
        with psycopg.connect(self.endpoints[f"PG_{database.upper()}_DSN"]) as connection:
            return connection.execute(sql, args).fetchall()

    def saga_row(self, saga_id: str) -> tuple[str, str, str]:
        [(order_id, status, step)] = self.query(
            "saga", "select order_id, status, step from sagas where saga_id = %s", saga_id
        )
        return order_id, status, step

    def order_status(self, order_id: str) -> str | None:
        rows = self.query("order", "select status from orders where order_id::text = %s", order_id)
        return rows[0][0] if rows else None

    def payment_status(self, order_id: str) -> str | None:
        rows = self.query("payment", "select status from payments where order_id::text = %s", order_id)
        return rows[0][0] if rows else None

    def reservation_status(self, order_id: str) -> str | None:
        rows = self.query("inventory", "select status from reservations where order_id::text = %s", order_id)
        return rows[0][0] if rows else None

    def shipment_status(self, order_id: str) -> str | None:
        rows = self.query("shipping", "select status from shipments where order_id = %s", order_id)
        return rows[0][0] if rows else None

    def stock(self, product: str) -> tuple[int, int]:
        [(available, reserved)] = self.query(
            "inventory", "select available, reserved from stock where product_id = %s", product
        )
        return available, reserved

    def restock(self, product: str, available: int) -> None:
        status, answer = http("PUT", f"{self.endpoints['INVENTORY_URL']}/stock/{product}", {"available": available})
        assert status in (200, 201), answer
