"""Bad input to the shop's services, by HTTP and by command: a clear answer that names what is wrong, and nothing changed."""

from __future__ import annotations

import uuid

import pytest
from kafka_tools import headers_of
from shop_client import Shop, http, wait_until
from test_participants import Participant

LONG = "x" * 256


def counts(shop: Shop) -> tuple:
    """How many rows there are of all that these requests could have made."""
    return (
        shop.query("order", "select count(*) from orders")[0][0],
        shop.query("inventory", "select count(*), coalesce(sum(available), 0) from stock")[0],
        shop.query("inventory", "select count(*) from saga_outbox")[0][0],
    )


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "word"),
    [
        ("PUT", "/stock/p", b"{no json", 400, "JSON"),
        ("PUT", "/stock/p", b"[1]", 400, "object"),
        ("PUT", "/stock/p", b"", 400, "JSON"),
        ("PUT", "/stock/p", {}, 400, "available"),
        ("PUT", "/stock/p", {"available": -1}, 400, "available"),
        ("PUT", "/stock/p", {"available": "many"}, 400, "available"),
        ("PUT", "/stock/p", {"available": 1.5}, 400, "available"),
        ("PUT", "/stock/p", {"available": 10**13}, 400, "available"),
        ("PUT", f"/stock/{LONG}", {"available": 1}, 400, "product"),
        ("POST", "/stock", {"available": 1}, 405, "GET"),
        ("DELETE", "/stock/prod-1", None, 405, "PUT"),
        ("GET", "/stock/none", None, 404, "none"),
        ("GET", "/nothing", None, 404, "/nothing"),
        ("PUT", "/stock/p", b'{"available": "' + b"x" * 1_100_000 + b'"}', 413, ""),
    ],
)
def test_inventory_refuses_by_http(shop: Shop, method: str, path: str, body: object, status: int, word: str) -> None:
    check_refusal(shop, "INVENTORY_URL", method, path, body, status, word)


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "word"),
    [
        ("POST", "/orders", b"{no json", 400, "JSON"),
        ("POST", "/orders", {"userId": "u", "items": [], "totalAmount": 1}, 400, "items"),
        ("POST", "/orders", {"userId": "u", "items": [{"productId": "p", "quantity": 0}], "total": 1}, 400, "items[0].quantity"),
        ("POST", "/orders", {"userId": "u", "items": [{"quantity": 1}], "total": 1}, 400, "items[0].productId"),
        ("POST", "/orders", {"userId": LONG, "items": [{"productId": "p", "quantity": 1}], "total": 1}, 400, "userId"),
        ("POST", "/orders", {"userId": "u", "items": [{"productId": "p", "quantity": 1}], "total": 1.005}, 400, "totalAmount"),
        ("POST", "/orders", {"userId": "u", "items": [{"productId": "p", "quantity": 1}], "total": -1}, 400, "totalAmount"),
        ("POST", "/orders", {"userId": "u", "items": [{"productId": "p", "quantity": 1}], "total": 1, "currency": "XXX"}, 400,
         "currency"),
        ("PATCH", "/orders/none/status", {"status": "CANCELLED"}, 404, "none"),
        ("DELETE", "/orders/none", None, 405, "GET"),
        ("GET", "/orders/none", None, 404, "none"),
    ],
)
def test_orders_refuse_by_http(shop: Shop, method: str, path: str, body: object, status: int, word: str) -> None:
    check_refusal(shop, "ORDER_URL", method, path, body, status, word)


def check_refusal(shop: Shop, url: str, method: str, path: str, body: object, status: int, word: str) -> None:
    wait_until(lambda: shop.query("inventory", "select count(*) from saga_outbox where problem is null") == [(0,)], "quiet")
    before = counts(shop)
    found, answer = http(method, shop.endpoints[url] + path, body)
    assert found == status, answer
    assert word in str(answer)
    assert counts(shop) == before


def test_all_that_is_wrong_with_an_order_is_named_at_once(shop: Shop) -> None:
    status, answer = http("POST", shop.endpoints["ORDER_URL"] + "/orders", {"items": [{}], "currency": "XXX"})
    assert status == 400
    assert {entry["field"] for entry in answer["fields"]} == {
        "userId", "items[0].productId", "items[0].quantity", "currency", "totalAmount",
    }
    assert all(entry["message"] for entry in answer["fields"])


def test_an_order_of_a_running_saga_or_a_decided_one_is_not_changed(shop: Shop, stack) -> None:
    stack.suspend("payment")
    try:
        order = shop.start(shop.input()).saga.key
        wait_until(lambda: shop.order_status(order) == "PENDING", "the order is there")
        place = f"{shop.endpoints['ORDER_URL']}/orders/{order}/status"
        status, answer = http("PATCH", place, {"status": "CANCELLED"})
        assert (status, shop.order_status(order)) == (409, "PENDING"), answer
        assert "saga" in str(answer)
        assert http("PATCH", place, {"status": "SHIPPED"})[0] == 400
    finally:
        stack.resume("payment")
    wait_until(lambda: shop.order_status(order) == "CONFIRMED", "the saga decides")
    status, answer = http("PATCH", place, {"status": "CANCELLED"})
    assert (status, shop.order_status(order)) == (409, "CONFIRMED"), answer


ITEM = {"product_id": "prod-1", "quantity": 1}


@pytest.mark.parametrize(
    ("topic", "step", "reply", "fields", "word"),
    [
        ("order.create.command", "create-order", "order.failed",
         {"total_amount_minor": -1, "currency": "USD", "items": [ITEM]}, "amount"),
        ("order.create.command", "create-order", "order.failed",
         {"total_amount_minor": 1, "currency": "dollars", "items": [ITEM]}, "currency"),
        ("order.create.command", "create-order", "order.failed", {"total_amount_minor": 1, "currency": "USD"}, "items"),
        ("payment.charge.command", "charge-payment", "payment.failed", {"amount_minor": 0, "currency": "USD"}, "amount"),
        ("payment.charge.command", "charge-payment", "payment.failed", {"amount_minor": 5, "currency": ""}, "currency"),
        ("inventory.reserve.command", "reserve-inventory", "inventory.failed", {"items": [], "force_fail": None}, "items"),
        ("inventory.reserve.command", "reserve-inventory", "inventory.failed",
         {"items": [{"product_id": "prod-1", "quantity": -5}], "force_fail": None}, "quantity"),
        ("inventory.reserve.command", "reserve-inventory", "inventory.failed",
         {"items": [{"product_id": "", "quantity": 1}], "force_fail": None}, "product"),
        ("shipping.ship.command", "ship", "shipping.failed", {"items": [{"product_id": "p", "quantity": 0}]}, "quantity"),
    ],
)
def test_a_legible_command_that_makes_no_sense_is_rejected(
    shop: Shop, topic: str, step: str, reply: str, fields: dict, word: str
) -> None:
    """A refusal of the business, not poison: it is final, stored, and the same for a duplicate."""
    participant = Participant(shop)
    stock = shop.stock("prod-1")
    for attempt in (1, 2):
        participant.command(topic, step, attempt=attempt, **fields)
    replies = participant.replies(reply, 2)
    assert replies[0].value() == replies[1].value()
    for each in replies:
        headers = headers_of(each)
        assert (headers["saga-outcome"], headers["saga-reason"]) == ("rejected", "invalid_command")
        assert word in headers["saga-detail"]
    assert shop.order_status(participant.order) is None
    assert shop.payment_status(participant.order) is None
    assert shop.reservation_status(participant.order) is None
    assert shop.shipment_status(participant.order) is None
    assert shop.stock("prod-1") == stock
