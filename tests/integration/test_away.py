"""Broker, registry and database away (docs/outages.md): health says so, calls answer as documented, all goes on by itself.

tests/run --integration -m outage -k away: 8 s each; with --long-outages 60 s.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import grpc
import pytest
import requests
from google.rpc import error_details_pb2, status_pb2
from kafka_tools import read_until, send
from saga.v1 import saga_pb2, saga_service_pb2
from shop_client import Shop, wait_until

pytestmark = pytest.mark.outage
STOCK = 1000
PARTICIPANTS = ("order", "payment", "inventory")
RETRIED = ("order.create.command", "payment.charge.command", "inventory.reserve.command")


@pytest.fixture
def outage_s(request: pytest.FixtureRequest) -> float:
    return 60 if request.config.getoption("--long-outages") else 8


def health(stack, name: str) -> dict:
    answer = requests.get(f"{stack.http_url(name)}/health", timeout=15)
    assert answer.status_code == 200
    return answer.json()


def is_missed(stack, name: str, dependency: str) -> bool:
    said = health(stack, name)
    return (
        said["status"] == "degraded"
        and said["dependencies"][dependency]["status"] == "unavailable"
        and any(reason.startswith(f"{dependency}: ") for reason in said["reasons"])
    )


def is_healthy(stack, name: str) -> bool:
    said = health(stack, name)
    return said["status"] == "healthy" and said["reasons"] == []


def status_of(stack, name: str, path: str) -> int:
    return requests.get(f"{stack.http_url(name)}{path}", timeout=15).status_code


@contextmanager
def lasting(seconds: float) -> Iterator[None]:
    """What happens inside takes at least so long: an outage has a length, whatever is looked at meanwhile."""
    end = time.monotonic() + seconds
    yield
    time.sleep(max(0.0, end - time.monotonic()))


@pytest.fixture
def product(shop: Shop) -> str:
    product = f"away-{uuid.uuid4()}"
    shop.restock(product, STOCK)
    return product


def order_of(shop: Shop, product: str) -> dict:
    return shop.input(str(uuid.uuid4()), items=[{"product_id": product, "quantity": 1, "price_minor": 1000}])


def start_quickly(shop: Shop, product: str) -> str:
    return shop.start(order_of(shop, product), timeout=10).saga.saga_id


def refusal(shop: Shop, one: dict) -> grpc.RpcError:
    with pytest.raises(grpc.RpcError) as caught:
        shop.sagas.StartSaga(shop.start_request(one), timeout=20)
    return caught.value


def details_of(error: grpc.RpcError) -> status_pb2.Status:
    [text] = [value for key, value in error.trailing_metadata() if key == "grpc-status-details-bin"]
    return status_pb2.Status.FromString(text)


def assert_unavailable(error: grpc.RpcError) -> None:
    assert error.code() is grpc.StatusCode.UNAVAILABLE, error
    assert any(detail.Is(error_details_pb2.RetryInfo.DESCRIPTOR) for detail in details_of(error).details), error


def all_end(shop: Shop, sagas: list[str], product: str) -> None:
    """Completed, or undone where the outage was longer than a step may take; either way the stock agrees."""
    states = [shop.finished(saga_id, 180).state for saga_id in set(sagas)]
    assert set(states) <= {saga_pb2.SAGA_STATE_COMPLETED, saga_pb2.SAGA_STATE_COMPENSATED}
    assert shop.stock(product) == (STOCK - states.count(saga_pb2.SAGA_STATE_COMPLETED), 0)


def assert_retries_flow(shop: Shop) -> None:
    """What waits in a retry topic goes back to the service, which finds that it is no command."""
    bootstrap, key = shop.endpoints["KAFKA_BOOTSTRAP"], f"retry-{uuid.uuid4()}"
    for topic in RETRIED:
        send(bootstrap, f"{topic}.retry.1s", key, b"junk", {})
    read_until(bootstrap, [f"{topic}.dlq" for topic in RETRIED], lambda record: record.key() == key.encode(), len(RETRIED), 60,
               distinct=lambda record: record.topic())


@pytest.mark.parametrize("how", ["kill", "suspend"])
def test_broker_away(stack, shop: Shop, product: str, outage_s: float, how: str) -> None:
    assert_retries_flow(shop)  # so that the relays have offsets to their names
    stack.suspend("payment")  # so that some sagas are in the middle
    sagas = [start_quickly(shop, product) for _ in range(20)]
    getattr(stack, how)("kafka")
    stack.resume("payment")
    with lasting(outage_s):
        for name in ("coordinator", *PARTICIPANTS):
            wait_until(lambda name=name: is_missed(stack, name, "kafka"), f"{name} misses the broker", 30)
            assert status_of(stack, name, "/livez") == 200
        # Accepted while the coordinator is a member of its group, refused in words a client can act upon after that.
        kept = [order_of(shop, product) for _ in range(20)]
        for one in kept:
            try:
                sagas.append(shop.start(one).saga.saga_id)
            except grpc.RpcError as error:
                assert_unavailable(error)
        assert shop.get(sagas[0]).state == saga_pb2.SAGA_STATE_RUNNING
    stack.resume("kafka")
    stack.wait_ready("kafka")
    wait_until(lambda: is_healthy(stack, "coordinator"), "the coordinator is healthy again", 60)
    all_end(shop, [*sagas, *(shop.start(one).saga.saga_id for one in kept)], product)
    for name in ("coordinator", *PARTICIPANTS, "checkout"):
        wait_until(lambda name=name: is_healthy(stack, name), f"{name} is healthy again", 60)
    assert_retries_flow(shop)


@pytest.mark.parametrize("how", ["kill", "suspend"])
def test_programs_stop_in_time_while_the_broker_is_away(stack, shop: Shop, product: str, how: str) -> None:
    """With replies, facts and commands in hand that nobody confirms."""
    stack.suspend("payment")
    sagas = [start_quickly(shop, product) for _ in range(20)]
    getattr(stack, how)("kafka")
    stack.resume("payment")
    shop.restock(f"fact-{uuid.uuid4()}", 1)
    try:
        for name in ("payment", "inventory", "order", "coordinator"):
            begin = time.monotonic()
            assert stack.terminate(name, 35) == 0, name
            print(f" {name} ended after {time.monotonic() - begin:.1f} s", end="")
            assert time.monotonic() - begin < 30
    finally:
        stack.resume("kafka")
        stack.wait_ready("kafka")
        for name in ("payment", "inventory", "order", "coordinator"):
            stack.start(name)
    all_end(shop, sagas, product)


def test_registry_away(stack, shop: Shop, product: str, outage_s: float) -> None:
    assert shop.checkout()[0] == 200
    stack.kill("registry")
    with lasting(outage_s):
        for name in ("coordinator", *PARTICIPANTS):
            wait_until(lambda name=name: is_missed(stack, name, "registry"), f"{name} misses the registry", 30)
            assert status_of(stack, name, "/livez") == 200
            assert status_of(stack, name, "/readyz") == 200
        # Schemas in use are known: sagas run as ever.
        for saga_id in [start_quickly(shop, product) for _ in range(20)]:
            assert shop.finished(saga_id).state == saga_pb2.SAGA_STATE_COMPLETED
    stack.wait_ready("registry")
    for name in ("coordinator", *PARTICIPANTS, "checkout"):
        wait_until(lambda name=name: is_healthy(stack, name), f"{name} is healthy again", 60)


@pytest.mark.parametrize("how", ["kill", "suspend"])
def test_database_away(stack, shop: Shop, product: str, outage_s: float, how: str) -> None:
    stack.suspend("payment")
    sagas = [start_quickly(shop, product) for _ in range(20)]
    getattr(stack, how)("postgres")
    stack.resume("payment")
    kept = order_of(shop, product)
    with lasting(outage_s):
        try:
            shop.start(kept, timeout=20)  # accepted, where a backend outlived its killed postmaster by a moment
        except grpc.RpcError as error:
            if error.code() is not grpc.StatusCode.DEADLINE_EXCEEDED:
                assert_unavailable(error)
        for name in ("coordinator", *PARTICIPANTS, "registry"):
            wait_until(lambda name=name: is_missed(stack, name, "database"), f"{name} misses the database", 40)
            assert status_of(stack, name, "/livez") == 200
            assert status_of(stack, name, "/readyz") == 503
        assert_unavailable(refusal(shop, kept))
        with pytest.raises(grpc.RpcError) as caught:
            shop.sagas.GetSaga(saga_service_pb2.GetSagaRequest(saga_id=sagas[0]), timeout=20)
        assert_unavailable(caught.value)
        status, answer = shop.checkout()
        assert status == 503, answer
    stack.resume("postgres")
    stack.wait_ready("postgres")
    for name in ("coordinator", *PARTICIPANTS, "registry", "checkout"):
        wait_until(lambda name=name: is_healthy(stack, name), f"{name} is healthy again", 60)
    all_end(shop, [*sagas, shop.start(kept).saga.saga_id], product)
