"""A few orders of every kind at once, whose clients ask again until they have an answer, and what must be true of them afterwards."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import grpc
import pytest
from conftest import ROOT
from saga.v1 import saga_service_pb2, saga_service_pb2_grpc
from shop_client import Shop, wait_until
from test_check_participants import moment
from test_kill import AUDITED, EFFECTS, STOCK, check_logs, check_money_and_stock, count_running, kind, order_input, timelines

ORDERS = 21
CLIENTS = 8
AGAIN = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED)


class Orders:
    def __init__(self, shop: Shop):
        self.shop = shop
        self.since = moment()
        self.product = f"crowd-{uuid.uuid4()}"
        shop.restock(self.product, STOCK)
        self.inputs = [order_input(shop, index, self.product) for index in range(ORDERS)]
        self.ids = [one["order_id"] for one in self.inputs]
        self.an_order = next(one["order_id"] for one in self.inputs if kind(one) == "completed")
        self.acknowledged: list[Future[str]] = []
        self.channel = grpc.insecure_channel(shop.endpoints["SAGA_GRPC"], [("grpc.max_reconnect_backoff_ms", 200)])
        self.sagas = saga_service_pb2_grpc.SagaServiceStub(self.channel)
        self._clients = ThreadPoolExecutor(CLIENTS)
        self._is_over = threading.Event()

    def close(self) -> None:
        self._is_over.set()
        self._clients.shutdown(cancel_futures=True)
        self.channel.close()

    def order(self, **fields: object) -> None:
        self.acknowledged = [self._clients.submit(self._start, one, fields) for one in self.inputs]

    def _start(self, one: dict, fields: dict) -> str:
        while not self._is_over.is_set():
            try:
                return self.sagas.StartSaga(self.shop.start_request(one, **fields), timeout=15).saga.saga_id
            except grpc.RpcError as error:
                assert error.code() in AGAIN, error
                self._is_over.wait(0.1)
        raise AssertionError("no answer until the test's end")

    def wait_acknowledged(self) -> None:
        for one in self.acknowledged:
            one.result(60)

    def wait_ended(self) -> None:
        self.wait_acknowledged()
        wait_until(lambda: count_running(self.shop, self.ids) == 0, "every saga ends", 60)

    def check(self, audit: Callable[[str], dict[str, list[str]]]) -> None:
        """Nothing lost, nothing twice: I1 to I5, I8."""
        self.wait_ended()
        rows = self.shop.query("saga", "select order_id, saga_id::text, status from sagas where order_id = any(%s)", self.ids)
        assert len(rows) == ORDERS
        assert {order: saga for order, saga, _ in rows} == dict(zip(self.ids, [one.result() for one in self.acknowledged]))
        outcome = {order: status for order, _, status in rows}
        wrong = [one["order_id"] for one in self.inputs
                 if outcome[one["order_id"]] != ("COMPLETED" if kind(one) == "completed" else "FAILED")]
        assert not wrong, timelines(self.shop, wrong)
        completed = [one for one in self.inputs if kind(one) == "completed"]
        check_money_and_stock(self.shop, self.product, completed, self.ids)
        for database in AUDITED:
            written = audit(database)
            doubled = {one["order_id"]: written.get(one["order_id"]) for one in self.inputs
                       if written.get(one["order_id"], []) != EFFECTS[kind(one)][database]}
            assert not doubled, f"{database}: {list(doubled.items())[:5]}"
        check_logs(self.shop, self.ids, self.since)


def put_checkout(shop: Shop, source: str) -> None:
    put = shop.sagas.PutDefinition(saga_service_pb2.PutDefinitionRequest(source=source, file_name="checkout.yaml"), timeout=20)
    request = saga_service_pb2.GetDefinitionRequest(name="checkout")

    def is_ready() -> bool:
        found = shop.sagas.GetDefinition(request, timeout=5).definition
        return found.version == put.definition.version and found.ready

    wait_until(is_ready, "the definition is ready", 60)


@pytest.fixture(scope="module")
def patient(shop: Shop) -> Iterator[None]:
    """Steps that wait for minutes, so that no outcome depends on how fast this machine starts a process."""
    source = (ROOT / "deploy" / "shop" / "checkout.yaml").read_text()
    put_checkout(shop, source.replace("key: order_id\n", "key: order_id\ndefaults: {timeout: 10m}\n"))
    yield
    put_checkout(shop, source)
