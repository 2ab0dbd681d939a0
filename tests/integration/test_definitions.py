"""Definitions: registered once, versioned, and refused with every problem at its place."""

from __future__ import annotations

from pathlib import Path

import grpc
import pytest
from google.rpc import error_details_pb2
from saga.v1 import saga_service_pb2
from shop_client import Shop
from test_api import details, refusal

SOURCE = (Path(__file__).resolve().parents[2] / "deploy" / "shop" / "checkout.yaml").read_text()


def put(shop: Shop, source: str, **fields):
    request = saga_service_pb2.PutDefinitionRequest(source=source, file_name="saga.yaml", **fields)
    return shop.sagas.PutDefinition(request, timeout=20)


def problems(shop: Shop, source: str) -> list[str]:
    """`place: text` of every problem that the source is refused for."""
    error = refusal(put, shop, source)
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT, error
    violations = details(error, error_details_pb2.BadRequest).field_violations
    return [f"{violation.field}: {violation.description}" for violation in violations]


def test_same_source_is_the_same_version(shop: Shop) -> None:
    before = shop.sagas.GetDefinition(saga_service_pb2.GetDefinitionRequest(name="checkout"), timeout=5).definition
    again = put(shop, SOURCE)
    assert not again.created
    assert again.definition.version == before.version
    assert before.source == SOURCE
    assert before.ready
    assert before.step_ids[0] == "create-order"
    subjects = {binding.subject: binding.message for binding in before.schemas}
    assert subjects["checkout-input"] == "shop.checkout.v1.CheckoutInput"
    assert subjects["inventory.reserve.command-value"] == "shop.inventory.v1.ReserveInventory"


def test_other_source_is_the_next_version_and_list_shows_the_newest(shop: Shop) -> None:
    source = SOURCE.replace("saga: checkout", "saga: versioned")
    first = put(shop, source).definition
    second = put(shop, source + "\n# another\n").definition
    assert (first.version, second.version) == (1, 2)
    listed = shop.sagas.ListDefinitions(saga_service_pb2.ListDefinitionsRequest(), timeout=5).definitions
    assert {entry.name: entry.version for entry in listed}["versioned"] == 2
    assert [entry.name for entry in listed] == sorted(entry.name for entry in listed)
    assert all(not entry.source for entry in listed)


def test_validate_only_stores_nothing(shop: Shop) -> None:
    answer = put(shop, SOURCE.replace("saga: checkout", "saga: dry-run"), validate_only=True)
    assert not answer.created
    error = refusal(shop.sagas.GetDefinition, saga_service_pb2.GetDefinitionRequest(name="dry-run"), timeout=5)
    assert error.code() == grpc.StatusCode.NOT_FOUND


@pytest.mark.parametrize(
    ("change", "line_of", "word"),
    [
        (("kind: pivot", "kind: pivto"), "kind: pivto", "pivot"),
        (("id: charge-payment", "id: create-order"), "id: create-order", "create-order"),
        (("payment_id: charge-payment.payment_id", "payment_id: charge-payment.payment_nr"), "payment_nr", "payment_nr"),
        (("payment_id: charge-payment.payment_id", "payment_id: input.total_amount_minor"), "payment_id:", "payment_id"),
        (("amount_minor: input.total_amount_minor", "amount_minor: input.user_id"), "amount_minor:", "user_id"),
        (("command: order.create.command", "command: order.creat.command"), "order.creat.command", "order.creat.command"),
        (("key: order_id", "key: order_nr"), "key: order_nr", "order_nr"),
        (("key: order_id", "keys: order_id"), "keys: order_id", "key"),
        (("      command: order.cancel.command\n", ""), "succeeded: order.cancelled", "command"),
    ],
)
def test_mistakes_are_named_with_file_line_and_column(shop: Shop, change, line_of, word) -> None:
    source = SOURCE.replace("saga: checkout", "saga: broken").replace(*change)
    texts = "\n".join(problems(shop, source))
    lines = [number for number, line in enumerate(source.splitlines(), 1) if line_of in line]
    assert any(f"saga.yaml:{number}:" in texts for number in lines), texts
    assert word in texts


def test_all_mistakes_are_reported_at_once(shop: Shop) -> None:
    source = (
        SOURCE.replace("saga: checkout", "saga: broken")
        .replace("kind: pivot", "kind: pivto")
        .replace("charge-payment.payment_id", "charge-payment.payment_nr")
        .replace("command: inventory.deduct.command", "command: no.such.topic")
    )
    texts = "\n".join(problems(shop, source))
    assert "pivto" in texts and "payment_nr" in texts and "no.such.topic" in texts


def test_yaml_that_is_no_yaml_and_alias_bombs_are_refused(shop: Shop) -> None:
    assert "saga.yaml:" in "\n".join(problems(shop, "saga: [unclosed"))
    bomb = "a: &a [x,x]\nb: &b [*a,*a]\nsaga: broken\n"
    assert "saga.yaml:" in "\n".join(problems(shop, bomb))
