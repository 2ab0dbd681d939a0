"""Rounds of kill -9 at random moments while at least 500 sagas run; tests/fault/run does many of them.

Each client keeps a journal: an acknowledgement is on disk before the client goes on. The seed decides the order of the victims and the
moment: how many sagas have ended since the dam was opened.
"""

from __future__ import annotations

import json
import os
import random
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest
from saga.v1 import saga_service_pb2_grpc
from shop_client import Shop, wait_until
from test_kill import AUDITED, EFFECTS, STOCK, audit, check_logs, check_money_and_stock, count_running, kind, order_input, timelines

__all__ = ["audit"]  # a fixture

pytestmark = pytest.mark.outage
SAGAS = 900
RUNNING_AT_KILL = 500
ENDED_AT_KILL_MAX = 250
CLIENTS = 16
VICTIMS = ("coordinator", "both coordinators", "postgres", "kafka", "payment", "order", "inventory", "shipping", "registry", "checkout")


class Journal:
    """What was acknowledged, as a client would keep it: one line each, on disk before the next request."""

    def __init__(self, path: Path):
        self.path = path
        self.file = path.open("ab", buffering=0)

    def note(self, order_id: str, saga_id: str) -> None:
        self.file.write(json.dumps([order_id, saga_id]).encode() + b"\n")
        os.fsync(self.file.fileno())

    def read(self) -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}
        for line in self.path.read_bytes().splitlines():
            order_id, saga_id = json.loads(line)
            found.setdefault(order_id, set()).add(saga_id)
        return found


class Clients:
    """Start sagas at either coordinator; who gets no answer asks again, with the same key."""

    def __init__(self, shop: Shop, targets: list[str], journal: Journal):
        self.shop = shop
        self.journal = journal
        self.channels = [grpc.insecure_channel(target, [("grpc.max_reconnect_backoff_ms", 500)]) for target in targets]
        self.stubs = [saga_service_pb2_grpc.SagaServiceStub(channel) for channel in self.channels]

    def start(self, one: dict) -> None:
        for attempt in range(600):
            try:
                stub = self.stubs[(hash(one["order_id"]) + attempt) % len(self.stubs)]
                answer = stub.StartSaga(self.shop.start_request(one), timeout=15)
                self.journal.note(one["order_id"], answer.saga.saga_id)
                return
            except grpc.RpcError as error:
                again = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED)
                assert error.code() in again, error
                time.sleep(0.1)
        raise AssertionError(f"no answer in 600 tries for {one['order_id']}")

    def close(self) -> None:
        for channel in self.channels:
            channel.close()


@pytest.fixture(scope="module")
def second(stack) -> Iterator:
    with stack.second_coordinator() as second:
        yield second


def strike(stack, second, victim: str) -> None:
    if victim == "both coordinators":
        second.child.kill()
        stack.kill("coordinator")
    elif victim == "postgres":
        stack.stop_immediately("postgres")
    else:
        stack.kill(victim)


def mend(stack, second, victim: str) -> None:
    if victim == "both coordinators":
        second.start()
        stack.wait_ready("coordinator", 90)
    else:
        stack.wait_ready(victim, 90)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    rounds, seed = metafunc.config.getoption("--rounds"), metafunc.config.getoption("--seed")
    order = list(VICTIMS)
    random.Random(seed).shuffle(order)
    metafunc.parametrize(("victim", "draw"), [
        pytest.param(order[number % len(order)], random.Random(f"{seed} {number}"), id=f"seed{seed}-{number + 1}-{order[number % len(order)]}")
        for number in range(rounds)
    ])


def test_round(shop: Shop, stack, second, audit, tmp_path: Path, victim: str, draw: random.Random) -> None:
    journal = Journal(tmp_path / "journal")
    product = f"round-{uuid.uuid4()}"
    shop.restock(product, STOCK)
    inputs = [order_input(shop, index, product) for index in range(SAGAS)]
    ids = [one["order_id"] for one in inputs]
    dam = "order" if victim == "payment" else "payment"
    moment = draw.randrange(ENDED_AT_KILL_MAX)
    clients = Clients(shop, [shop.endpoints["SAGA_GRPC"], second.target], journal)
    late = len(inputs) * 3 // 4  # the others are started while it happens
    try:
        with ThreadPoolExecutor(CLIENTS) as pool:
            stack.suspend(dam)
            list(pool.map(clients.start, inputs[:late]))
            stack.resume(dam)
            others = [pool.submit(clients.start, one) for one in inputs[late:]]
            wait_until(lambda: ended(shop, ids) >= moment, f"{moment} sagas have ended", 60, 0.002)
            running = count_running(shop, ids)
            strike(stack, second, victim)
            assert running >= RUNNING_AT_KILL
            mend(stack, second, victim)
            for one in others:
                one.result()
        wait_until(lambda: count_running(shop, ids) == 0, "every saga ends", 180, 0.5)  # I1, I11
    finally:
        clients.close()
    check(shop, audit, journal, product, inputs, ids)


def ended(shop: Shop, ids: list[str]) -> int:
    return shop.query("saga", "select count(*) from sagas where status <> 'RUNNING' and order_id = any(%s)", ids)[0][0]


def check(shop: Shop, audit, journal: Journal, product: str, inputs: list[dict], ids: list[str]) -> None:
    sagas = shop.query("saga", "select saga_id::text, order_id, status from sagas where order_id = any(%s)", ids)
    assert {order: {saga} for saga, order, _ in sagas} == journal.read()  # I8: as acknowledged, one saga an order
    outcome = {order: status for _, order, status in sagas}
    wrong = [one["order_id"] for one in inputs
             if outcome[one["order_id"]] != ("COMPLETED" if kind(one) == "completed" else "FAILED")]
    assert not wrong, timelines(shop, wrong)
    check_money_and_stock(shop, product, [one for one in inputs if kind(one) == "completed"], ids)  # I2
    for database in AUDITED:
        written = audit(database)
        doubled = {one["order_id"]: written.get(one["order_id"]) for one in inputs
                   if written.get(one["order_id"], []) != EFFECTS[kind(one)][database]}
        assert not doubled, f"{database}: {len(doubled)} orders, such as {list(doubled.items())[:5]}"  # I4
    check_logs(shop, ids)  # I5
