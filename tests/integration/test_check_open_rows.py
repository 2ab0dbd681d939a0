"""sagactl check: each way in which the table of open sagas may disagree with a saga is named."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from flow_trade import ONE_STEP, Participant
from harness import TestStack
from shop_client import Shop, wait_until
from test_check import violations


@contextmanager
def planted(shop: Shop, saga_id: str, sql: str) -> Iterator[None]:
    """What one statement makes of a saga's open row; it is as before afterwards."""
    with psycopg.connect(shop.endpoints["PG_SAGA_DSN"], autocommit=True) as connection:
        connection.execute("create temp table kept as select * from saga_open where saga_id = %s", [saga_id])
        assert connection.execute(sql, {"id": saga_id}).rowcount == 1
        try:
            yield
        finally:
            with connection.transaction():
                connection.execute("delete from saga_open where saga_id = %s", [saga_id])
                connection.execute("insert into saga_open select * from kept")


@pytest.fixture(scope="module")
def waiting(stack: TestStack, shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A saga whose command is in flight, and would be sent again after minutes."""
    participant = Participant(stack, shop)
    participant.start(tmp_path_factory.mktemp("open-rows"), {participant.name: ONE_STEP.replace("resend: 1m", "resend: 4m")})
    participant.wait_startable(participant.name)
    participant.answer_all(1)
    saga_id = participant.begin(participant.name)
    wait_until(lambda: participant.open() == [saga_id], "its command has come")
    assert violations(shop, saga_id) == []
    yield saga_id
    participant.answer(saga_id)
    shop.finished(saga_id)
    participant.stop()


@pytest.mark.parametrize(
    ("sql", "invariant", "words"),
    [
        ("delete from saga_open where saga_id = %(id)s", "I1", "it is RUNNING, and saga_open does not have it"),
        ("update saga_open set state = 6 where saga_id = %(id)s", "I1", "saga_open says STUCK"),
        ("update saga_open set is_paused = true where saga_id = %(id)s", "I1", "saga_open says RUNNING, paused,"),
        ("update saga_open set definition_id = 0 where saga_id = %(id)s", "I1", "of definition 0"),
        ("update saga_open set look_at = look_at + interval '2 seconds' where saga_id = %(id)s", "I12", "another time than when it is due"),
        ("update saga_open set look_at = 'infinity' where saga_id = %(id)s", "I12", "another time than when it is due"),
        ("update saga_open set look_at = look_at - interval '1 minute' where saga_id = %(id)s", "I12", "another time than when it is due"),
        ("update saga_open set is_patient = false where saga_id = %(id)s", "I7", "is sent again late"),
    ],
)
def test_an_open_row_that_disagrees_with_its_saga_is_named(shop: Shop, waiting: str, sql: str, invariant: str, words: str) -> None:
    with planted(shop, waiting, sql):
        found = violations(shop, waiting)
        assert [name for name, _ in found] == [invariant], found
        assert words in found[0][1]
    assert violations(shop, waiting) == []


def test_an_open_row_of_a_saga_that_has_ended_is_named(shop: Shop) -> None:
    saga_id = shop.finished(shop.start(shop.input()).saga.saga_id).saga_id
    assert violations(shop, saga_id) == []
    with planted(shop, saga_id, "insert into saga_open select saga_id, 'infinity', definition_id, state, false, false"
                                " from saga where saga_id = %(id)s"):
        assert violations(shop, saga_id) == [("I1", "I1: it is COMPLETED, and saga_open still has it")]
    assert violations(shop, saga_id) == []


@pytest.mark.parametrize("stray", ["00000000-0000-7000-8000-000000000000", "ffffffff-ffff-7fff-bfff-ffffffffffff", str(uuid.uuid4())])
def test_an_open_row_without_a_saga_is_named(shop: Shop, stray: str) -> None:
    with planted(shop, stray, "insert into saga_open values (%(id)s, 'infinity', 1, 1, false, false)"):
        assert violations(shop, stray) == [("I1", "I1: saga_open has it, and no such saga is there")]
    assert violations(shop, stray) == []
