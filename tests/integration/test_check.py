"""sagactl check: clean after sagas of every kind, and each planted violation is named by its invariant."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from shop_client import Shop
from test_sagactl import Done, run


def check(shop: Shop, *flags: str, database: str = "SAGA") -> Done:
    return run("check", *flags, environment={"SAGACTL_POSTGRES": shop.endpoints[f"PG_{database}_DSN"]})


def violations(shop: Shop, saga_id: str) -> list[tuple[str, str]]:
    answer = check(shop, "-o", "json")
    assert answer.returncode in (0, 1), answer.stderr
    report = json.loads(answer.stdout)
    assert (answer.returncode == 1) == bool(report["violations"])
    return [(entry["invariant"], entry["text"]) for entry in report["violations"] if entry["saga_id"] == saga_id]


@contextmanager
def planted(shop: Shop, saga_id: str, sql: str) -> Iterator[None]:
    """What one statement makes of an ended saga and its log; all is as before afterwards."""
    with psycopg.connect(shop.endpoints["PG_SAGA_DSN"], autocommit=True) as connection:
        connection.execute("create temp table kept_log as select * from saga_log where saga_id = %s", [saga_id])
        connection.execute("create temp table kept_saga as select * from saga where saga_id = %s", [saga_id])
        assert connection.execute(sql, {"id": saga_id}).rowcount in (1, 2)
        try:
            yield
        finally:
            with connection.transaction():
                connection.execute("delete from saga_log where saga_id = %s", [saga_id])
                connection.execute("insert into saga_log select * from kept_log")
                connection.execute("delete from saga where saga_id = %s", [saga_id])
                connection.execute("insert into saga select * from kept_saga")


@pytest.fixture(scope="module")
def ended(shop: Shop) -> str:
    orders = [shop.input(), shop.input(force_payment_fail=True), shop.input(force_inventory_fail=True)]
    ids = [shop.start(order).saga.saga_id for order in orders]
    for saga_id in ids:
        shop.finished(saga_id)
    return ids[2]


def test_the_logs_of_all_sagas_lead_to_their_rows(shop: Shop, ended: str) -> None:
    answer = check(shop, "--idle", "1h")
    assert answer.returncode == 0, answer.stdout
    assert " 0 violations" in answer.stdout
    assert violations(shop, ended) == []


@pytest.mark.parametrize(
    ("sql", "invariant", "words"),
    [
        ("delete from saga_log where saga_id = %(id)s and sequence = 3", "I9", "entry 4 where 3 should be"),
        ("delete from saga_log where saga_id = %(id)s and sequence ="
         " (select max(sequence) from saga_log where saga_id = %(id)s)", "I9", "the row has version"),
        ("update saga_log set event = 2 where saga_id = %(id)s and sequence = 2", "I5", "after entry 2"),
        ("update saga_log set state = 2 where saga_id = %(id)s and sequence = 2", "I5", "after entry 2"),
        ("update saga_log set state = 3 where saga_id = %(id)s and sequence = 2", "I1", "ended COMPLETED with entry 2"),
        ("update saga_log set phase = 1 where saga_id = %(id)s and sequence = 2", "I3", "of a saga that is RUNNING"),
        ("with undone as (select array_agg(sequence order by sequence) as at, array_agg(step order by sequence desc) as step"
         " from saga_log where saga_id = %(id)s and event = 1 and phase = 1)"
         " update saga_log set step = u.step[array_position(u.at, sequence)] from undone u"
         " where saga_id = %(id)s and sequence = any(u.at)", "I3", "undoes step 'create-order' before"),
        ("update saga_log set at = at - interval '1 hour' where saga_id = %(id)s and sequence = 3", "I12", "entry 3 is 3"),
        ("update saga set ended_at = null where saga_id = %(id)s", "I1", "says that it has not ended"),
        ("update saga set due_at = now() where saga_id = %(id)s", "I12", "due at another time"),
        ("update saga_log set step = 'other' where saga_id = %(id)s and sequence = 2", "I5", "step 'other'"),
        ("update saga_log set milestone = 'NONSENSE' where saga_id = %(id)s and event = 2", "I5", "not what the log"),
        ("update saga set data = '\\x02' where saga_id = %(id)s", "I5", "stored saga ends or errs"),
    ],
)
def test_a_planted_violation_is_named(
    shop: Shop, ended: str, sql: str, invariant: str, words: str
) -> None:
    with planted(shop, ended, sql):
        found = violations(shop, ended)
        assert [name for name, _ in found] == [invariant], found
        assert words in found[0][1]
    assert violations(shop, ended) == []


def test_a_saga_that_stands_still_is_named(shop: Shop, ended: str) -> None:
    standing = ("update saga set state = 1, updated_at = now() - interval '1 day', due_at = now() - interval '1 day'"
                " where saga_id = %(id)s")
    with planted(shop, ended, standing):
        assert ("I11", "I11: it is RUNNING, and nothing has happened to it for 86400 s") in [
            (name, text.replace("86401", "86400")) for name, text in violations(shop, ended)]


def test_a_database_that_is_no_coordinators_is_an_error(shop: Shop) -> None:
    answer = check(shop, database="ORDER")
    assert answer.returncode not in (0, 1)
    assert "is this a coordinator's database?" in answer.stderr
