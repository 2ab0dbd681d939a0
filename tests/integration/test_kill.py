"""kill -9 of each process while at least 200 sagas run: everything ends, money and stock agree, nothing happens twice."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from urllib.error import URLError

import grpc
import psycopg
import pytest
from saga.v1 import saga_pb2
from shop_client import Shop, http, wait_until
from test_check_participants import check_all, moment

SAGAS = 600
RUNNING_AT_KILL = 200
STOCK = 100_000
AUDITED = {"order": "orders", "payment": "payments", "inventory": "reservations", "shipping": "shipments"}
# What happens to the rows of an order, each exactly once.
EFFECTS = {
    "completed": {
        "order": ["CONFIRMED", "PENDING"],
        "payment": ["CHARGED"],
        "inventory": ["DEDUCTED", "RESERVED"],
        "shipping": ["SHIPPED"],
    },
    "payment refused": {"order": ["CANCELLED", "PENDING"], "payment": ["FAILED"], "inventory": [], "shipping": []},
    "no stock": {
        "order": ["CANCELLED", "PENDING"],
        "payment": ["CHARGED", "REFUNDED"],
        "inventory": ["FAILED", "RESERVED"],  # the row is written before the stock is looked at, in one transaction
        "shipping": [],
    },
}


@dataclass(frozen=True)
class Kill:
    """The dam stands still while the sagas are started; when it goes on, the flood passes the victim, which is killed once
    the database shows that it is in the middle of it."""

    victim: str
    dam: str
    database: str
    in_the_flood: str


ENDED = "select count(*) from sagas where status <> 'RUNNING' and order_id = any(%s)"
KILLS = (
    Kill("coordinator", "payment", "saga", ENDED),
    Kill("registry", "payment", "saga", ENDED),
    Kill("checkout", "payment", "saga", ENDED),
    Kill("order", "payment", "order", "select count(*) from orders where status <> 'PENDING' and order_id = any(%s)"),
    Kill("payment", "order", "payment", "select count(*) from payments where order_id = any(%s)"),
    Kill("inventory", "payment", "inventory", "select count(*) from reservations where order_id = any(%s)"),
    Kill("shipping", "payment", "shipping", "select count(*) from shipments where order_id = any(%s)"),
)


@pytest.fixture(scope="module")
def audit(shop: Shop) -> Iterator[Callable[[str], dict[str, list[str]]]]:
    """Writes down every write to a business row inside the transaction that does it, so that an effect that happens twice
    shows even where the row looks the same afterwards. Gives all that was written in a service's database, by order."""
    for database, table in AUDITED.items():
        with psycopg.connect(shop.endpoints[f"PG_{database.upper()}_DSN"]) as connection:
            connection.execute("create table test_audit (order_id text, status text)")
            connection.execute(
                "create function test_audit() returns trigger language plpgsql as"
                " $$ begin insert into test_audit values (new.order_id, new.status); return null; end $$"
            )
            connection.execute(
                f"create trigger test_audit after insert or update on {table} for each row execute function test_audit()"
            )

    def read(database: str) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for order, status in shop.query(database, "select order_id, status from test_audit order by 1, 2"):
            found.setdefault(order, []).append(status)
        return found

    yield read
    for database in AUDITED:
        with psycopg.connect(shop.endpoints[f"PG_{database.upper()}_DSN"]) as connection:
            connection.execute("drop function test_audit() cascade")
            connection.execute("drop table test_audit")


def order_input(shop: Shop, index: int, product: str) -> dict:
    fields: dict = {"total_amount_minor": 100 + index, "items": [{"product_id": product, "quantity": 1 + index % 3}]}
    if index % 7 == 0:
        fields["force_payment_fail"] = True
    elif index % 7 == 1:
        fields["force_inventory_fail"] = True
    elif index % 7 == 2:
        fields["items"][0]["quantity"] = STOCK + 1  # a real shortage, not one on purpose
    return shop.input(str(uuid.uuid4()), **fields)


def kind(one: dict) -> str:
    if one.get("force_payment_fail"):
        return "payment refused"
    return "no stock" if one.get("force_inventory_fail") or one["items"][0]["quantity"] > STOCK else "completed"


def count_running(shop: Shop, ids: list[str]) -> int:
    return shop.query("saga", "select count(*) from sagas where status = 'RUNNING' and order_id = any(%s)", ids)[0][0]


@pytest.mark.parametrize("kill", KILLS, ids=lambda kill: kill.victim)
def test_kill_under_load_loses_and_doubles_nothing(shop: Shop, stack, audit, kill: Kill) -> None:
    since = moment()
    product = f"kill-{uuid.uuid4()}"
    shop.restock(product, STOCK)
    inputs = [order_input(shop, index, product) for index in range(SAGAS)]
    ids = [one["order_id"] for one in inputs]

    stack.suspend(kill.dam)
    with ThreadPoolExecutor(16) as pool:
        acknowledged = [answer.saga.saga_id for answer in pool.map(shop.start, inputs)]
    stack.resume(kill.dam)
    wait_until(lambda: shop.query(kill.database, kill.in_the_flood, ids)[0][0], "the flood is there", every_s=0.001)
    stack.kill(kill.victim)
    assert count_running(shop, ids) >= RUNNING_AT_KILL  # now, so at the kill as well
    stack.wait_ready(kill.victim)
    wait_until(lambda: count_running(shop, ids) == 0, "every saga ends", 120, 0.2)

    sagas = shop.query("saga", "select saga_id::text, order_id, status from sagas where order_id = any(%s)", ids)
    assert sorted(saga for saga, _, _ in sagas) == sorted(acknowledged)  # I8
    outcome = {order: status for _, order, status in sagas}
    assert len(outcome) == SAGAS
    wrong = [one["order_id"] for one in inputs
             if outcome[one["order_id"]] != ("COMPLETED" if kind(one) == "completed" else "FAILED")]
    assert not wrong, timelines(shop, wrong)
    check_money_and_stock(shop, product, [one for one in inputs if kind(one) == "completed"], ids)
    for database in AUDITED:
        written = audit(database)
        doubled = {one["order_id"]: written.get(one["order_id"]) for one in inputs
                   if written.get(one["order_id"], []) != EFFECTS[kind(one)][database]}
        assert not doubled, f"{database}: {len(doubled)} orders, such as {list(doubled.items())[:5]}"  # I4
    check_logs(shop, ids, since)


def check_money_and_stock(shop: Shop, product: str, completed: list[dict], ids: list[str]) -> None:
    """I2, from the services' own databases."""
    [(charges, refunds)] = shop.query(
        "payment",
        "select coalesce(sum(amount_minor) filter (where status in ('CHARGED', 'REFUNDED')), 0),"
        " coalesce(sum(amount_minor) filter (where status = 'REFUNDED'), 0) from payments where order_id = any(%s)",
        ids,
    )
    assert refunds > 0
    assert charges - refunds == sum(one["total_amount_minor"] for one in completed)
    taken = sum(one["items"][0]["quantity"] for one in completed)
    assert shop.stock(product) == (STOCK - taken, 0)


def check_logs(shop: Shop, ids: list[str], since: str) -> None:
    """I5: every log is gapless and begins with the start; I4: no command succeeds twice in it. Then what sagactl check says of all
    that was started since then."""
    rows = shop.query(
        "saga",
        "select e.saga_id, e.sequence, e.event, e.step_id, e.phase from saga_events e join sagas s using (saga_id)"
        " where s.order_id = any(%s) order by 1, 2",
        ids,
    )
    logs: dict[str, list[tuple]] = {}
    for saga, *event in rows:
        logs.setdefault(saga, []).append(tuple(event))
    assert len(logs) == len(ids)
    for saga, events in logs.items():
        assert [event[0] for event in events] == list(range(1, len(events) + 1)), saga
        assert events[0][1] in ("started", "scheduled"), saga
        successes = Counter(event[2:] for event in events if event[1] == "succeeded")
        assert successes.most_common(1)[0][1] == 1, (saga, successes)
    checked = check_all(shop, "--since", since, "--all-ended", "--topics")
    assert checked.returncode == 0, checked.stdout + checked.stderr


def timelines(shop: Shop, orders: list[str]) -> str:
    rows = shop.query(
        "saga",
        "select s.saga_id, s.order_id, s.status, e.sequence, e.event, e.step_id, e.attempt, e.reason, e.at::text"
        " from sagas s join saga_events e using (saga_id) where s.order_id = any(%s) order by 1, 4",
        orders,
    )
    return "\n".join(map(str, rows[:50]))


def test_checkouts_that_lost_the_front_are_repeated_without_a_second_order(shop: Shop, stack) -> None:
    """The front is killed while it waits for outcomes; a client that repeats with its Idempotency-Key gets that order."""
    user = f"u-{uuid.uuid4()}"
    body = {"userId": user, "totalAmount": 10, "forcePaymentFail": True}
    keys = [str(uuid.uuid4()) for _ in range(60)]
    url = shop.endpoints["CHECKOUT_URL"] + "/checkout"

    def post(key: str) -> tuple[int, object]:
        try:
            return http("POST", url, body, {"Idempotency-Key": key})
        except (URLError, ConnectionError) as error:
            return 0, error

    def started() -> int:
        return shop.query("order", "select count(*) from orders where user_id = %s", user)[0][0]

    stack.suspend("payment")
    with ThreadPoolExecutor(len(keys)) as pool:
        posts = [pool.submit(post, key) for key in keys]
        wait_until(lambda: started() == len(keys), "the sagas are started")
        stack.kill("checkout")
        assert {future.result()[0] for future in posts} == {0}
    stack.resume("payment")
    stack.wait_ready("checkout")
    with ThreadPoolExecutor(len(keys)) as pool:
        answers = list(pool.map(post, keys))
    assert {(status, answer["status"]) for status, answer in answers} == {(200, "FAILED")}
    assert len({answer["orderId"] for _, answer in answers}) == len(keys) == started()


def test_acknowledged_starts_survive_a_kill_at_random_moments(shop: Shop, stack) -> None:
    """I8: what StartSaga acknowledged is there afterwards; what it did not, can be repeated without a second saga."""
    inputs = [shop.input(str(uuid.uuid4()), force_payment_fail=True) for _ in range(300)]
    with ThreadPoolExecutor(24) as pool:
        futures = [pool.submit(shop.start, one, 5) for one in inputs]
        wait_until(lambda: sum(future.done() for future in futures) >= 60, "some starts are answered")
        stack.kill("coordinator")
        pool.shutdown(cancel_futures=True)
    answered = [not future.cancelled() and future.exception() is None for future in futures]
    results = [(one, is_answered and future.result().saga.saga_id) for one, is_answered, future in zip(inputs, answered, futures)]
    stack.wait_ready("coordinator")
    assert any(saga_id for _, saga_id in results)
    for one, saga_id in results:
        again = wait_until(lambda one=one: _start_quietly(shop, one), "the repeated start is answered", 30)
        if saga_id:
            assert again.saga.saga_id == saga_id
            assert again.already_existed
    for one, _ in results:
        saga = shop.finished(shop.start(one).saga.saga_id)
        assert saga.state == saga_pb2.SAGA_STATE_COMPENSATED


def _start_quietly(shop: Shop, one: dict):
    try:
        return shop.start(one)
    except grpc.RpcError as error:
        assert error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED), error
        return None
