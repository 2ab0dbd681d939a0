"""Rounds of kill -9 at random moments while at least 500 sagas run; tests/fault/run does many of them.

Each client keeps a journal: an acknowledgement is on disk before the client goes on. The seed decides the order of the victims and the
moment: how many sagas have ended since the dam was opened. Most orders go to the coordinators, some through the checkout service.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import statistics
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from urllib.error import URLError

import grpc
import psycopg
import pytest
from saga.v1 import saga_service_pb2, saga_service_pb2_grpc
from shop_client import Shop, http, wait_until
from test_check_participants import moment
from test_kill import AUDITED, EFFECTS, STOCK, audit, check_logs, check_money_and_stock, count_running, kind, order_input, timelines

__all__ = ["audit"]  # a fixture

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.outage
SAGAS = 2000
RUNNING_AT_KILL = 500
ENDED_AT_KILL_MAX = 400
CLIENTS = 16
VICTIMS = ("coordinator", "both coordinators", "postgres", "kafka", "payment", "order", "inventory", "shipping", "registry", "checkout",
           "zombie")  # a coordinator that stands still, then goes on with what it knew
ZOMBIE_S, ZOMBIE_LONG_S = 20, 60


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


@dataclass(frozen=True)
class Round:
    victim: str
    acknowledged: int
    running: int  # of those that were acknowledged, at the kill
    heal_s: float  # from the kill until the last saga has ended, and the last client has its answer


@pytest.fixture(scope="module")
def rounds() -> Iterator[list[Round]]:
    """Those that passed; told at the end."""
    done: list[Round] = []
    yield done
    if done:
        running, heal = [one.running for one in done], [one.heal_s for one in done]
        print(
            f"\n{len(done)} rounds passed, {sum(one.acknowledged for one in done)} sagas acknowledged;"
            f" running at the kill: {min(running)} / {statistics.median(running):.0f} / {max(running)} (min / median / max);"
            f" seconds to heal: {min(heal):.1f} / {statistics.median(heal):.1f} / {max(heal):.1f}"
        )


def order_of_key(key: str) -> str:
    """The order's id that the checkout service makes of an Idempotency-Key."""
    digest = bytearray(hashlib.sha256(key.encode()).digest()[:16])
    digest[6] = digest[6] & 0x0F | 0x80
    digest[8] = digest[8] & 0x3F | 0x80
    return str(uuid.UUID(bytes=bytes(digest)))


class Clients:
    """Start sagas at either coordinator or at the front; who gets no answer asks again, with the same key."""

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

    def check_out(self, key: str, one: dict) -> None:
        """The front answers when the saga has ended, or after a while."""
        [item] = one["items"]
        body = {
            "userId": one["user_id"], "totalAmount": f"{one['total_amount_minor'] / 100:.2f}",
            "items": [{"productId": item["product_id"], "quantity": item["quantity"]}],
            "forcePaymentFail": one.get("force_payment_fail", False), "forceInventoryFail": one.get("force_inventory_fail", False),
        }
        for _ in range(600):
            try:
                status, answer = http("POST", self.shop.endpoints["CHECKOUT_URL"] + "/checkout", body, {"Idempotency-Key": key})
            except (URLError, ConnectionError):
                status, answer = 503, None
            if status not in (429, 503, 504):
                assert status in (200, 202) and answer["orderId"] == one["order_id"], (status, answer)
                self.journal.note(answer["orderId"], answer["sagaId"])
                return
            time.sleep(0.1)
        raise AssertionError(f"no answer in 600 tries for {one['order_id']}")

    def close(self) -> None:
        for channel in self.channels:
            channel.close()


@pytest.fixture(scope="module")
def second(stack) -> Iterator:
    with stack.second_coordinator() as second:
        yield second


@pytest.fixture(scope="module")
def patient(shop: Shop, second) -> None:
    """Steps that wait for minutes, so that no outcome depends on how fast this machine starts a broker."""
    source = (ROOT / "deploy" / "shop" / "checkout.yaml").read_text()
    source = source.replace("key: order_id\n", "key: order_id\ndefaults: {timeout: 10m}\n")
    put = shop.sagas.PutDefinition(saga_service_pb2.PutDefinitionRequest(source=source, file_name="checkout.yaml"), timeout=20)
    request = saga_service_pb2.GetDefinitionRequest(name="checkout")

    def is_ready(stub: saga_service_pb2_grpc.SagaServiceStub) -> bool:
        found = stub.GetDefinition(request, timeout=5).definition
        return found.version == put.definition.version and found.ready

    with grpc.insecure_channel(second.target) as channel:
        for stub in (shop.sagas, saga_service_pb2_grpc.SagaServiceStub(channel)):
            wait_until(lambda stub=stub: is_ready(stub), "the definition is ready", 60)


def strike(stack, second, victim: str) -> None:
    if victim == "both coordinators":
        second.child.kill()
        stack.kill("coordinator")
    elif victim == "postgres":
        stack.stop_immediately("postgres")
    elif victim == "zombie":
        stack.suspend("coordinator")
    else:
        stack.kill(victim)


def mend(stack, second, victim: str, zombie_s: float) -> None:
    if victim == "both coordinators":
        second.start()
        stack.wait_ready("coordinator", 90)
    elif victim == "zombie":
        time.sleep(zombie_s)  # the other one has taken over long before
        stack.resume("coordinator")
        stack.wait_ready("coordinator", 90)
    else:
        stack.wait_ready(victim, 90)


def victims(config: pytest.Config) -> tuple[str, ...]:
    chosen = config.getoption("--victim")
    assert set(chosen) <= set(VICTIMS), f"--victim is one of {', '.join(VICTIMS)}"
    return tuple(chosen) or VICTIMS


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "victim" not in metafunc.fixturenames:
        return
    rounds, seed = metafunc.config.getoption("--rounds"), metafunc.config.getoption("--seed")
    order = list(victims(metafunc.config))
    random.Random(seed).shuffle(order)
    metafunc.parametrize(("victim", "draw"), [
        pytest.param(order[number % len(order)], random.Random(f"{seed} {number}"), id=f"seed{seed}-{number + 1}-{order[number % len(order)]}")
        for number in range(rounds)
    ])


def test_round(
    shop: Shop, stack, second, audit, patient, rounds: list[Round], tmp_path: Path, victim: str, draw: random.Random,
    request: pytest.FixtureRequest,
) -> None:
    zombie_s = ZOMBIE_LONG_S if request.config.getoption("--long-outages") else ZOMBIE_S
    since = moment()
    journal = Journal(tmp_path / "journal")
    product = f"round-{uuid.uuid4()}"
    shop.restock(product, STOCK)
    inputs = [order_input(shop, index, product) for index in range(SAGAS)]
    early = SAGAS * 3 // 4  # the others are started while it happens, every second one at the front
    keys = {index: f"round-{uuid.uuid4()}" for index in range(early, SAGAS, 2)}
    for index, key in keys.items():
        inputs[index]["order_id"] = order_of_key(key)
    ids = [one["order_id"] for one in inputs]
    dam = "order" if victim == "payment" else "payment"
    ended_at_kill = draw.randrange(ENDED_AT_KILL_MAX)
    clients = Clients(shop, [shop.endpoints["SAGA_GRPC"], second.target], journal)
    try:
        with ThreadPoolExecutor(CLIENTS) as pool:
            stack.suspend(dam)
            list(pool.map(clients.start, inputs[:early]))
            stack.resume(dam)
            others = [
                pool.submit(clients.check_out, keys[index], inputs[index]) if index in keys
                else pool.submit(clients.start, inputs[index])
                for index in range(early, SAGAS)
            ]
            wait_for_ended(shop, ids, ended_at_kill)
            strike(stack, second, victim)
            killed_at, killed_s = datetime.now(timezone.utc), time.monotonic()
            mend(stack, second, victim, zombie_s)
            for one in others:
                one.result()
        wait_until(lambda: count_running(shop, ids) == 0, "every saga ends", 180, 0.1)  # I1, I11
        heal_s = time.monotonic() - killed_s
    finally:
        clients.close()
    check(shop, audit, journal, product, inputs, ids, since)
    running = count_ended_after(shop, ids[:early], killed_at)
    print(f" {victim} killed after {ended_at_kill} had ended: {running} running, healed in {heal_s:.1f} s ", end="")
    assert running >= RUNNING_AT_KILL
    rounds.append(Round(victim, len(journal.read()), running, heal_s))


def test_every_victim_had_its_turn(rounds: list[Round], request: pytest.FixtureRequest) -> None:
    wanted = request.config.getoption("--rounds")
    turns = Counter(one.victim for one in rounds)
    assert sum(turns.values()) == wanted, "rounds have failed"
    assert len(turns) == min(wanted, len(victims(request.config)))
    assert max(turns.values()) - min(turns.values()) <= 1


def count_ended_after(shop: Shop, ids: list[str], at: datetime) -> int:
    """All of them had been acknowledged then, so these ran."""
    return shop.query("saga", "select count(*) from sagas where order_id = any(%s) and ended_at > %s", ids, at)[0][0]


def wait_for_ended(shop: Shop, ids: list[str], wanted: int) -> None:
    with psycopg.connect(shop.endpoints["PG_SAGA_DSN"], autocommit=True) as connection:

        def ended() -> int:
            sql = "select count(*) from sagas where status <> 'RUNNING' and order_id = any(%s)"
            return connection.execute(sql, (ids,)).fetchone()[0]

        wait_until(lambda: ended() >= wanted, f"{wanted} sagas have ended", 60, 0.002)


def check(shop: Shop, audit, journal: Journal, product: str, inputs: list[dict], ids: list[str], since: str) -> None:
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
    check_logs(shop, ids, since)  # I5 and all others
