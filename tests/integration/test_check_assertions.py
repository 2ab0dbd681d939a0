"""sagactl check --assertions (I2): what must be true of the shop's money and goods is true, and each planted violation is named."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from shop_client import Shop
from test_check_participants import check_all, found, sagas, since

__all__ = ["sagas", "since"]  # fixtures


@pytest.fixture(scope="module")
def orders(shop: Shop, sagas: dict[str, str]) -> dict[str, str]:
    return {kind: shop.get(saga_id).key for kind, saga_id in sagas.items()}


@contextmanager
def planted(shop: Shop, database: str, sql: str, undo: str, order: str) -> Iterator[None]:
    with psycopg.connect(shop.endpoints[f"PG_{database.upper()}_DSN"], autocommit=True) as connection:
        assert connection.execute(sql, {"order": order}).rowcount == 1
        try:
            yield
        finally:
            assert connection.execute(undo, {"order": order}).rowcount == 1


ORDER = " where order_id = %(order)s"


@pytest.mark.parametrize(
    ("kind", "database", "sql", "undo", "words"),
    [
        ("completed", "payment", "update payments set amount_minor = 999" + ORDER, "update payments set amount_minor = 1000" + ORDER,
         ["each in full: '{}' is 999 by payment and 1000 by order"]),
        ("completed", "payment", "update payments set status = 'REFUNDED'" + ORDER, "update payments set status = 'CHARGED'" + ORDER,
         ["each in full: '{}' is 0 by payment and 1000 by order"]),
        ("undone", "payment", "update payments set status = 'CHARGED'" + ORDER, "update payments set status = 'REFUNDED'" + ORDER,
         ["each in full: '{}' is 1000 by payment and 0 by order"]),
        ("completed", "inventory", "update reservations set items = '[{{\"product_id\":\"prod-1\",\"quantity\":2}}]'" + ORDER,
         "update reservations set items = '[{{\"product_id\":\"prod-1\",\"quantity\":1}}]'" + ORDER,
         ["has left the stock: '{} prod-1' is 2 by inventory and 1 by order"]),
        ("completed", "shipping", "update shipments set status = 'CANCELLED'" + ORDER, "update shipments set status = 'SHIPPED'" + ORDER,
         ["have a shipment: '{}' is 1 by coordinator and 0 by shipping"]),
        ("refused", "order", "update orders set status = 'CONFIRMED'" + ORDER, "update orders set status = 'CANCELLED'" + ORDER,
         ["each in full: '{}' is 0 by payment and 1000 by order", "has left the stock: '{} prod-1' is 0 by inventory and 1 by order",
          "have a confirmed order: '{}' is 0 by coordinator and 1 by order"]),
        ("completed", "inventory", "update stock set reserved = reserved + 7 where product_id = 'prod-3' and %(order)s <> ''",
         "update stock set reserved = reserved - 7 where product_id = 'prod-3' and %(order)s <> ''",
         ['what its reservations hold: {{"held": 0, "reserved": 7, "product_id": "prod-3"}}']),
    ],
)
def test_a_planted_violation_is_named(
    shop: Shop, sagas: dict[str, str], orders: dict[str, str], since: str,
    kind: str, database: str, sql: str, undo: str, words: list[str],
) -> None:
    assert found(shop, "--since", since) == []
    with planted(shop, database, sql.replace("{{", "{").replace("}}", "}"), undo.replace("{{", "{").replace("}}", "}"), orders[kind]):
        violations = found(shop, "--since", since)
    assert {one[0] for one in violations} == {"I2"}
    texts = [one[3] for one in violations]
    assert len(texts) == len(words), texts
    for text, wanted in zip(texts, words):
        assert text.endswith(wanted.format(orders[kind])), text
    by_key = [saga_id for _, saga_id, _, text in violations if orders[kind] + "'" in text]
    assert set(by_key) <= {sagas[kind]}
    assert found(shop, "--since", since) == []


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "assertions.yaml"


def test_a_file_of_assertions_is_checked_whole(shop: Shop, since: str, file: Path) -> None:
    file.write_text("assertions:\n  - name: one\n    none: {database: order}\n    invariant: I99\n  - nme: two\n    equal: []\n")
    answer = check_all(shop, "--since", since, "--assertions", str(file))
    assert answer.returncode == 2
    for problem in (":3:11: error: 'sql' is missing", ":4:16: error: 'I99' is no invariant: I1 to I14",
                    ":5:5: error: unknown key 'nme'", ":5:5: error: 'name' is missing",
                    ":6:12: error: 'equal' compares two queries, not 0"):
        assert str(file) + problem in answer.stderr


@pytest.mark.parametrize(
    ("database", "sql", "words"),
    [
        ("nowhere", "select 1", "assertion 'mine': no --participant nowhere=… says where 'nowhere' is"),
        ("order", "select x from orders", "assertion 'mine': order: "),
        ("order", "delete from orders returning 1", "assertion 'mine': order: "),
    ],
)
def test_an_assertion_that_cannot_be_asked_is_undecided(
    shop: Shop, sagas: dict[str, str], since: str, file: Path, database: str, sql: str, words: str
) -> None:
    file.write_text(f"assertions: [{{name: mine, none: {{database: {database}, sql: {sql}}}}}]\n")
    answer = check_all(shop, "--since", since, "--assertions", str(file))
    assert answer.returncode == 3, answer.stdout
    assert words in answer.stderr
