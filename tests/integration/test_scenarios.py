"""The shop's scenarios A, B, C and E, asserted in the services' own databases and in the view `sagas`."""

from __future__ import annotations

import uuid

import psycopg
import pytest
from conftest import ROOT
from kafka_tools import headers_of, read_until
from saga.v1 import saga_pb2, saga_service_pb2
from shop_client import Shop, http, wait_until
from test_check_participants import check_all, moment


@pytest.fixture(scope="module")
def short_checkout(shop: Shop) -> str:
    """The checkout with 2 s for reserving goods."""
    source = (ROOT / "deploy" / "shop" / "checkout.yaml").read_text()
    name = "checkout-short"
    source = source.replace("saga: checkout\n", f"saga: {name}\n").replace(
        "  - id: reserve-inventory\n", "  - id: reserve-inventory\n    timeout: 2s\n"
    )
    shop.sagas.PutDefinition(saga_service_pb2.PutDefinitionRequest(source=source, file_name=f"{name}.yaml"), timeout=20)
    request = saga_service_pb2.GetDefinitionRequest(name=name)
    wait_until(lambda: shop.sagas.GetDefinition(request, timeout=5).definition.ready, "the definition is ready")
    return name


def test_c_success_takes_money_and_stock_once(shop: Shop) -> None:
    before = shop.stock("prod-2")
    status, answer = shop.checkout(items=[{"productId": "prod-2", "quantity": 2}], totalAmount=20)
    assert (status, answer["status"], answer["step"]) == (200, "COMPLETED", "COMPLETED"), answer
    order = answer["orderId"]
    assert shop.saga_row(answer["sagaId"]) == (order, "COMPLETED", "COMPLETED")
    assert shop.order_status(order) == "CONFIRMED"
    assert shop.payment_status(order) == "CHARGED"
    assert shop.reservation_status(order) == "DEDUCTED"
    assert shop.shipment_status(order) == "SHIPPED"
    assert shop.stock("prod-2") == (before[0] - 2, before[1])
    [(amount, currency)] = shop.query(
        "payment", "select amount_minor, currency from payments where order_id::text = %s", order
    )
    assert (amount, currency) == (2000, "USD")


def test_a_refused_payment_cancels_the_order(shop: Shop) -> None:
    before = shop.stock("prod-1")
    status, answer = shop.checkout(forcePaymentFail=True)
    assert (status, answer["status"], answer["step"]) == (200, "FAILED", "PAYMENT_FAILED"), answer
    order = answer["orderId"]
    assert shop.saga_row(answer["sagaId"]) == (order, "FAILED", "PAYMENT_FAILED")
    assert shop.order_status(order) == "CANCELLED"
    assert shop.payment_status(order) == "FAILED"
    assert shop.reservation_status(order) is None
    assert shop.stock("prod-1") == before


def test_b_missing_stock_gives_the_money_back(shop: Shop) -> None:
    before = shop.stock("prod-1")
    status, answer = shop.checkout(forceInventoryFail=True)
    assert (status, answer["status"], answer["step"]) == (200, "FAILED", "INVENTORY_FAILED"), answer
    order = answer["orderId"]
    assert shop.saga_row(answer["sagaId"]) == (order, "FAILED", "INVENTORY_FAILED")
    assert shop.order_status(order) == "CANCELLED"
    assert shop.payment_status(order) == "REFUNDED"
    assert shop.reservation_status(order) == "FAILED"
    assert shop.stock("prod-1") == before
    saga = shop.get(answer["sagaId"])
    milestones = [event.milestone for event in saga.events if event.milestone]
    assert milestones.index("PAYMENT_REFUNDED") < milestones.index("ORDER_CANCELLED")
    assert saga.state == saga_pb2.SAGA_STATE_COMPENSATED


def test_b_real_shortage_is_refused_without_force(shop: Shop) -> None:
    product = f"rare-{uuid.uuid4()}"
    shop.restock(product, 1)
    status, answer = shop.checkout(items=[{"productId": product, "quantity": 2}])
    assert (status, answer["step"]) == (200, "INVENTORY_FAILED"), answer
    assert shop.stock(product) == (1, 0)
    assert shop.payment_status(answer["orderId"]) == "REFUNDED"


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"totalAmount": 1.234}, "totalAmount"),
        ({"totalAmount": "ten"}, "totalAmount"),
        ({"totalAmount": 10, "currency": "XXX"}, "currency"),
        ({"userId": ""}, "userId"),
        ({"items": [{"productId": "prod-1", "quantity": 0}]}, "items[0].quantity"),
        ({"items": [{"quantity": 1}]}, "items[0].productId"),
    ],
)
def test_bad_checkouts_are_refused_by_field(shop: Shop, fields: dict, field: str) -> None:
    status, answer = shop.checkout(**fields)
    assert status == 400, answer
    assert field in [entry["field"] for entry in answer["fields"]], answer


def test_all_bad_fields_of_a_checkout_are_named_at_once(shop: Shop) -> None:
    status, answer = http("POST", shop.endpoints["CHECKOUT_URL"] + "/checkout", {"totalAmount": -1, "currency": "USD"})
    assert status == 400
    assert {"userId", "totalAmount"} <= {entry["field"] for entry in answer["fields"]}, answer


@pytest.mark.parametrize(
    ("amount", "currency", "minor"),
    [(10.01, "USD", 1001), ("0.07", "EUR", 7), (1500, "JPY", 1500), ("1.234", "KWD", 1234), (19.99, "USD", 1999)],
)
def test_decimal_amounts_arrive_exactly(shop: Shop, amount: object, currency: str, minor: int) -> None:
    status, answer = shop.checkout(totalAmount=amount, currency=currency, forceInventoryFail=True)
    assert status == 200, answer
    [(total,)] = shop.query("order", "select total_amount from orders where order_id::text = %s", answer["orderId"])
    [(paid,)] = shop.query(
        "payment", "select amount_minor from payments where order_id::text = %s", answer["orderId"]
    )
    assert int(total) == minor
    assert paid == minor


def test_e_participant_down_beyond_the_timeout_is_compensated(shop: Shop, stack, short_checkout: str) -> None:
    """The step's outcome is unknown, so it is compensated; the late command that arrives after that does nothing."""
    before = shop.stock("prod-1")
    stack.stop("inventory")
    try:
        order = str(uuid.uuid4())
        started = shop.start(shop.input(order), definition=short_checkout).saga
        wait_until(
            lambda: shop.get(started.saga_id).state == saga_pb2.SAGA_STATE_COMPENSATING, "compensation begins", 30
        )
    finally:
        stack.start("inventory")
    saga = shop.finished(started.saga_id, 60)
    assert saga.state == saga_pb2.SAGA_STATE_COMPENSATED
    assert shop.saga_row(saga.saga_id) == (order, "FAILED", "RESERVE_INVENTORY_TIMED_OUT")
    steps = {step.step_id: step.state for step in saga.steps}
    assert steps["reserve-inventory"] in (saga_pb2.STEP_STATE_NOT_NEEDED, saga_pb2.STEP_STATE_COMPENSATED)
    assert shop.order_status(order) == "CANCELLED"
    assert shop.payment_status(order) == "REFUNDED"
    wait_until(
        lambda: shop.query(
            "inventory",
            "select count(*) from saga_inbox where saga_id = %s and step = 'reserve-inventory'",
            saga.saga_id,
        )[0][0]
        == 2,
        "both commands are in the inbox",
    )
    assert shop.stock("prod-1") == before
    assert shop.reservation_status(order) in (None, "FAILED", "RELEASED")


def test_a_success_that_is_later_than_its_timeout_is_undone(shop: Shop, short_checkout: str) -> None:
    """The goods are reserved when the saga has given them up and goes back: they are given back with the rest."""
    since, order, product = moment(), str(uuid.uuid4()), f"late-{uuid.uuid4()}"
    shop.restock(product, 10)
    with psycopg.connect(shop.endpoints["PG_INVENTORY_DSN"]) as other:
        other.execute("lock table reservations in exclusive mode")  # until the block ends
        asked = shop.input(order, items=[{"product_id": product, "quantity": 3, "price_minor": 100}])
        saga_id = shop.start(asked, definition=short_checkout).saga.saga_id
        wait_until(lambda: shop.get(saga_id).state == saga_pb2.SAGA_STATE_COMPENSATING, "compensation begins", 30)
        assert shop.reservation_status(order) is None
    saga = shop.finished(saga_id)
    assert (saga.state, saga.step) == (saga_pb2.SAGA_STATE_COMPENSATED, "RESERVE_INVENTORY_TIMED_OUT")
    what = [(event.event, event.phase) for event in saga.events if event.step_id == "reserve-inventory"]
    assert what.index(("timed_out", saga_pb2.STEP_PHASE_FORWARD)) < what.index(("succeeded", saga_pb2.STEP_PHASE_COMPENSATION))
    [late] = read_until(shop.endpoints["KAFKA_BOOTSTRAP"], ["inventory.reserved"], lambda r: r.key() == order.encode(),
                        distinct=lambda record: record.key())
    assert headers_of(late)["saga-outcome"] == "succeeded"
    [end] = [event for event in saga.events if event.event == "timed_out"]
    assert late.timestamp()[1] >= end.time.ToMilliseconds()
    assert {step.step_id: step.state for step in saga.steps}["reserve-inventory"] == saga_pb2.STEP_STATE_COMPENSATED
    assert (shop.order_status(order), shop.payment_status(order)) == ("CANCELLED", "REFUNDED")
    assert shop.reservation_status(order) == "RELEASED"
    assert shop.stock(product) == (10, 0)
    checked = check_all(shop, "--since", since, "--all-ended")
    assert checked.returncode == 0, checked.stdout + checked.stderr
