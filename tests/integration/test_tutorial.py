"""docs/tutorial-python.md, run as it stands there in place of the inventory service: the same scenarios, the same ends."""

from __future__ import annotations

import re
import signal
import sqlite3
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import ROOT
from kafka_tools import command_headers, headers_of, read_until, saga_of_now, send
from saga.v1 import saga_pb2
from shop_client import Shop, wait_until
from test_dead_letters import bad_headers, bad_values, dead_letters
from test_participants import Participant

BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class PythonInventory:
    def __init__(self, shop: Shop, folder: Path) -> None:
        program = folder / "inventory.py"
        program.write_text("\n".join(BLOCK.findall((ROOT / "docs" / "tutorial-python.md").read_text())))
        self.database, self.log = folder / "inventory.db", folder / "inventory.log"
        self.command = [
            sys.executable, program, "--brokers", shop.endpoints["KAFKA_BOOTSTRAP"], "--registry",
            shop.endpoints["REGISTRY_URL"], "--database", self.database,
        ]

    def start(self) -> None:
        with self.log.open("a") as log:
            self.process = subprocess.Popen(self.command, stdout=log, stderr=subprocess.STDOUT)
        wait_until(lambda: "running" in self.log.read_text(), "the Python service runs")

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(30) == 0, self.log.read_text()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def query(self, sql: str, *args: object) -> list[tuple]:
        connection = sqlite3.connect(self.database, timeout=10)
        try:
            rows = connection.execute(sql, args).fetchall()
            connection.commit()
            return rows
        finally:
            connection.close()

    def stock(self, product: str) -> tuple[int, int]:
        [row] = self.query("SELECT available, reserved FROM stock WHERE product_id = ?", product)
        return row


@pytest.fixture
def inventory(shop: Shop, stack, tmp_path: Path) -> Iterator[PythonInventory]:
    inventory = PythonInventory(shop, tmp_path)
    stack.stop("inventory")
    inventory.start()
    try:
        yield inventory
    finally:
        if inventory.process.poll() is None:
            inventory.stop()
        stack.start("inventory")


def test_scenarios_end_as_with_the_service_in_c(shop: Shop, inventory: PythonInventory) -> None:
    status, answer = shop.checkout(items=[{"productId": "prod-2", "quantity": 2}], totalAmount=20)
    assert shop.finished(answer["sagaId"]).step == "COMPLETED"
    assert inventory.stock("prod-2") == (48, 0)
    assert shop.shipment_status(answer["orderId"]) == "SHIPPED"

    status, answer = shop.checkout(forcePaymentFail=True)
    assert shop.finished(answer["sagaId"]).step == "PAYMENT_FAILED"

    for fields in ({"forceInventoryFail": True}, {"items": [{"productId": "prod-3", "quantity": 26}]}):
        status, answer = shop.checkout(**fields)
        saga = shop.finished(answer["sagaId"])
        assert (saga.state, saga.step) == (saga_pb2.SAGA_STATE_COMPENSATED, "INVENTORY_FAILED")
        assert shop.payment_status(answer["orderId"]) == "REFUNDED"
        assert shop.order_status(answer["orderId"]) == "CANCELLED"
    assert inventory.stock("prod-3") == (25, 0)
    assert inventory.query("SELECT count(*) FROM reserved") == [(0,)]


def test_duplicates_and_compensations_that_overtake_are_harmless(shop: Shop, inventory: PythonInventory) -> None:
    once, late = Participant(shop), Participant(shop)
    items = [{"product_id": "prod-1", "quantity": 3}]
    for attempt in (1, 2):
        once.command("inventory.reserve.command", "reserve-inventory", attempt=attempt, items=items, force_fail=None)
        replies = once.replies("inventory.reserved", attempt)
    assert replies[0].value() == replies[1].value()
    assert [headers_of(reply)["saga-attempt"] for reply in replies] == ["1", "2"]
    assert inventory.stock("prod-1") == (97, 3)
    once.command("inventory.release.command", "reserve-inventory", "compensation")
    [released] = once.replies("inventory.released", 1)
    assert "saga-effect" not in headers_of(released)
    assert inventory.stock("prod-1") == (100, 0)

    late.command("inventory.release.command", "reserve-inventory", "compensation")
    [nothing] = late.replies("inventory.released", 1)
    assert (headers_of(nothing)["saga-outcome"], headers_of(nothing)["saga-effect"]) == ("succeeded", "none")
    late.command("inventory.reserve.command", "reserve-inventory", items=items, force_fail=None)
    [refused] = late.replies("inventory.failed", 1)
    assert (headers_of(refused)["saga-outcome"], headers_of(refused)["saga-reason"]) == ("rejected", "cancelled-before")
    assert inventory.stock("prod-1") == (100, 0)


def test_inquiries_are_answered_as_the_command_was_or_refuse_it_for_good(shop: Shop, inventory: PythonInventory) -> None:
    done, late = Participant(shop), Participant(shop)
    items = [{"product_id": "prod-1", "quantity": 3}]
    done.command("inventory.reserve.command", "reserve-inventory", items=items, force_fail=None)
    done.replies("inventory.reserved", 1)
    done.command("inventory.inquire.command", "reserve-inventory", "inquiry")
    first, answer = done.replies("inventory.reserved", 2)
    assert answer.value() == first.value()
    assert (headers_of(answer)["saga-phase"], headers_of(answer)["saga-outcome"]) == ("inquiry", "succeeded")

    late.command("inventory.inquire.command", "reserve-inventory", "inquiry")
    late.replies("inventory.failed", 1)
    late.command("inventory.reserve.command", "reserve-inventory", items=items, force_fail=None)
    for reply in late.replies("inventory.failed", 2):
        assert (headers_of(reply)["saga-outcome"], headers_of(reply)["saga-reason"]) == ("rejected", "not-known-here")
    assert inventory.stock("prod-1") == (97, 3)


def test_kill_loses_and_doubles_nothing(shop: Shop, inventory: PythonInventory) -> None:
    inputs = [shop.input(items=[{"product_id": "prod-1", "quantity": 1, "price_minor": 1000}]) for _ in range(60)]
    sagas = [shop.start(one).saga.saga_id for one in inputs[:30]]
    wait_until(lambda: inventory.query("SELECT count(*) FROM inbox")[0][0] >= 5, "some are under way")
    inventory.kill()
    sagas += [shop.start(one).saga.saga_id for one in inputs[30:]]
    inventory.start()
    assert {shop.finished(saga, 90).state for saga in sagas} == {saga_pb2.SAGA_STATE_COMPLETED}
    assert inventory.stock("prod-1") == (40, 0)


def test_poison_goes_to_the_dead_letters_and_the_rest_flows(shop: Shop, inventory: PythonInventory) -> None:
    topic, run = "inventory.reserve.command", uuid.uuid4().hex[:8]
    expected: dict[str, str] = {}
    answered: set[str] = set()
    for kind, (value, reason) in bad_values(shop, topic).items():
        if kind == "wrong-type":
            continue  # the tutorial says that it does not look at that
        saga = saga_of_now()
        answered.add(saga)
        expected[f"{run}-{kind}"] = reason
        send(shop.endpoints["KAFKA_BOOTSTRAP"], topic, f"{run}-{kind}", value,
             command_headers(saga, "reserve-inventory", "forward"))
    for kind in ("no-headers", "no-saga-id", "no-phase", "phase-sideways"):
        expected[f"{run}-{kind}"] = "bad_headers"
        send(shop.endpoints["KAFKA_BOOTSTRAP"], topic, f"{run}-{kind}", b"junk",
             bad_headers(saga_of_now(), "reserve-inventory")[kind])
    found = dead_letters(shop, topic, set(expected))
    assert {key: headers_of(record)["dlq-reason"] for key, record in found.items()} == expected
    replies = read_until(
        shop.endpoints["KAFKA_BOOTSTRAP"], ["inventory.failed"], lambda r: headers_of(r).get("saga-id") in answered, len(answered)
    )
    assert {headers_of(reply)["saga-outcome"] for reply in replies} == {"retriable"}
    assert shop.finished(shop.start(shop.input()).saga.saga_id).state == saga_pb2.SAGA_STATE_COMPLETED
