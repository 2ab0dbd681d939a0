"""kill -9 of the coordinator and of each service while at least 200 sagas run: everything ends, money and stock agree."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from saga.v1 import saga_pb2
from shop_client import Shop, wait_until

SAGAS = 260
RUNNING_AT_KILL = 200
# Who is stopped while the sagas are started, so that they pile up before it.
DAM = {
    "coordinator": "inventory",
    "order": "payment",
    "payment": "inventory",
    "inventory": "payment",
    "shipping": "payment",
    "registry": "payment",
}


def order_input(shop: Shop, index: int, product: str) -> dict:
    fields: dict = {"total_amount_minor": 100 + index, "items": [{"product_id": product, "quantity": 1 + index % 3}]}
    if index % 7 == 0:
        fields["force_payment_fail"] = True
    elif index % 7 == 1:
        fields["force_inventory_fail"] = True
    return shop.input(str(uuid.uuid4()), **fields)


@pytest.mark.parametrize("victim", list(DAM))
def test_kill_under_load_loses_and_doubles_nothing(shop: Shop, stack, victim: str) -> None:
    product = f"kill-{uuid.uuid4()}"
    stock = 100_000
    shop.restock(product, stock)
    inputs = [order_input(shop, index, product) for index in range(SAGAS)]
    ids = [one["order_id"] for one in inputs]

    stack.suspend(DAM[victim])
    try:
        with ThreadPoolExecutor(16) as pool:
            sagas = [answer.saga.saga_id for answer in pool.map(shop.start, inputs)]
        [(running,)] = shop.query(
            "saga", "select count(*) from sagas where status = 'RUNNING' and order_id = any(%s)", ids
        )
        assert running >= RUNNING_AT_KILL
        stack.kill(victim)
    finally:
        stack.resume(DAM[victim])
    stack.wait_ready(victim)

    def left() -> int:
        return shop.query(
            "saga", "select count(*) from sagas where status = 'RUNNING' and order_id = any(%s)", ids
        )[0][0]

    wait_until(lambda: left() == 0, "every saga ends", 120, 0.2)

    outcome = dict(
        shop.query("saga", "select order_id, status from sagas where order_id = any(%s)", ids)
    )
    assert len(outcome) == SAGAS == len(set(sagas))
    expected = {
        one["order_id"]: "FAILED" if one.get("force_payment_fail") or one.get("force_inventory_fail") else "COMPLETED"
        for one in inputs
    }
    unexpected = shop.query(
        "saga",
        "select s.saga_id, s.order_id, s.status, e.sequence, e.event, e.step_id, e.attempt, e.reason, e.at::text"
        " from sagas s join saga_events e using (saga_id) where s.order_id = any(%s) order by 1, 4",
        [order for order, status in outcome.items() if status != expected[order]],
    )
    assert not unexpected, "\n".join(map(str, unexpected))
    completed = [one for one in inputs if outcome[one["order_id"]] == "COMPLETED"]

    charged = shop.query(
        "payment",
        "select coalesce(sum(amount_minor), 0) from payments where status = 'CHARGED' and order_id::text = any(%s)",
        ids,
    )[0][0]
    assert charged == sum(one["total_amount_minor"] for one in completed)  # I2
    taken = sum(one["items"][0]["quantity"] for one in completed)
    assert shop.stock(product) == (stock - taken, 0)  # I2, I4
    confirmed = shop.query(
        "order", "select count(*) from orders where status = 'CONFIRMED' and order_id::text = any(%s)", ids
    )[0][0]
    assert confirmed == len(completed)
    shipped = shop.query(
        "shipping", "select order_id from shipments where status = 'SHIPPED' and order_id = any(%s) order by 1", ids
    )
    assert [order for (order,) in shipped] == sorted(one["order_id"] for one in completed)

    # I5: every log is gapless, and begins and ends as it must.
    rows = shop.query(
        "saga",
        "select e.saga_id, min(e.sequence), max(e.sequence), count(*) from saga_events e join sagas s using (saga_id)"
        " where s.order_id = any(%s) group by e.saga_id",
        ids,
    )
    assert len(rows) == SAGAS
    assert all(low == 1 and high == count for _, low, high, count in rows)


def test_acknowledged_starts_survive_a_kill_at_random_moments(shop: Shop, stack) -> None:
    """I8: what StartSaga acknowledged is there afterwards; what it did not, can be repeated without a second saga."""
    inputs = [shop.input(str(uuid.uuid4()), force_payment_fail=True) for _ in range(300)]
    with ThreadPoolExecutor(24) as pool:
        futures = [pool.submit(shop.start, one, 5) for one in inputs]
        wait_until(lambda: sum(future.done() for future in futures) >= 60, "some starts are answered")
        stack.kill("coordinator")
        results = [(one, future.exception() is None and future.result().saga.saga_id) for one, future in zip(inputs, futures)]
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
    import grpc

    try:
        return shop.start(one)
    except grpc.RpcError as error:
        assert error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED), error
        return None
