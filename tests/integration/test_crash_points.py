"""kill -9 at every crash point of lib/base/crash_points.def, one after another on one stack: each time the process dies exactly
there, is started again, and everything ends with money and stock conserved, nothing done twice, and a clean `sagactl check`.

tests/run --crash-points builds programs that know the points, and runs these; tests/run without it looks only that no point is
without a case, and that usual programs know none.
"""

from __future__ import annotations

import json
import re
import urllib.error
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import grpc
import psycopg
import pytest
from conftest import BUILD, ROOT
from harness import Crash, TestStack
from kafka_tools import command_headers, read_until, send
from operator_trade import Trade
from order_crowd import Orders, patient
from past_sagas import left as sagas_left
from past_sagas import archive_topic, past
from psycopg.conninfo import make_conninfo
from saga.v1 import saga_service_pb2
from shop_client import Shop, http, wait_until
from stack.postgres import SUPERUSER
from test_check_participants import moment
from test_dead_letters import dead_letters, failing_shipments
from test_kill import audit
from test_notices import facts as stuck_facts
from test_notices import left as notices_left
from test_operators import opened_trade
from test_outbox import facts, left

__all__ = ["audit", "opened_trade", "patient"]  # fixtures

ROW = re.compile(r'^CRASH_POINT_ROW\((\w+), (\w+), "[^"]+"\)$', re.MULTILINE)
PASS = re.compile(r"\bCRASH_POINT\((\w+)\);")
DEFINED = {name: who for name, who in ROW.findall((ROOT / "lib" / "base" / "crash_points.def").read_text())}
KINDS = {"COORDINATOR": {"coordinator"}, "PARTICIPANT": {"participant"}, "REGISTRY": {"registry"},
         "BOTH": {"coordinator", "participant"}, "ALL": {"coordinator", "participant", "registry"}}
DATABASES = {"coordinator": "saga", "registry": "registry"}


# ---- one kill, and the orders around it ------------------------------------------------------------------------------


class World(Orders):
    """Orders, and the process that is to die among them."""

    def __init__(self, shop: Shop, stack: TestStack, trade: Callable[[], Trade], victim: str, crash_at: str):
        super().__init__(shop)
        self.stack = stack
        self.trade = trade
        self.victim = victim
        self.crash_at = crash_at

    @contextmanager
    def crash(self, is_starting: bool = False) -> Iterator[Crash]:
        """The victim is armed; it has died where it should when the block is left, and is there again."""
        crash = self.stack.arm(self.victim, self.crash_at, is_starting)
        yield crash
        crash.wait()
        self.stack.wait_ready(self.victim)


# ---- what brings a process to a point --------------------------------------------------------------------------------


def orders(world: World) -> None:
    with world.crash():
        world.order()


def a_start(world: World) -> None:
    with world.crash(is_starting=True):
        pass
    world.order()


def a_take_over(world: World) -> None:
    """The coordinator finds what it had in flight when it was killed."""
    world.stack.suspend("payment")
    world.order()
    world.wait_acknowledged()
    world.stack.kill(world.victim)
    with world.crash(is_starting=True):
        pass
    world.stack.resume("payment")


def a_time_that_comes(world: World) -> None:
    [(now,)] = world.shop.query("saga", "select now()")
    with world.crash():
        world.order(start_time=now + timedelta(seconds=3))


def a_definition(world: World) -> None:
    name = f"crash-{uuid.uuid4().hex[:8]}"
    source = (ROOT / "deploy" / "shop" / "checkout.yaml").read_text().replace("saga: checkout\n", f"saga: {name}\n")
    request = saga_service_pb2.PutDefinitionRequest(source=source, file_name=f"{name}.yaml")
    with world.crash():
        with pytest.raises(grpc.RpcError) as refused:
            world.sagas.PutDefinition(request, timeout=20)
        assert refused.value.code() == grpc.StatusCode.UNAVAILABLE
    assert world.sagas.PutDefinition(request, timeout=20, wait_for_ready=True).definition.version == 1
    get = saga_service_pb2.GetDefinitionRequest(name=name)
    wait_until(lambda: world.sagas.GetDefinition(get, timeout=5).definition.ready, "the definition is ready")
    world.order(definition=name)


def commands_that_fail_for_a_while(world: World) -> None:
    with world.crash() as crash, failing_shipments(world.shop, world.an_order, "40001"):
        world.order()
        crash.wait()


def illegible_commands(world: World) -> None:
    """Of a saga that has ended: a command that no saga decided would be a violation (I7)."""
    ended = world.shop.finished(world.shop.start(world.shop.input()).saga.saga_id)
    illegible(world, "payment.charge.command", ended.key, ended.saga_id)


def illegible_replies(world: World) -> None:
    """Of no saga: an answer unlike the one in the inbox would be a violation (I6)."""
    illegible(world, "payment.charged", f"crash-{uuid.uuid4()}", str(uuid.uuid4()))


def illegible(world: World, topic: str, key: str, saga_id: str) -> None:
    headers = command_headers(saga_id, "charge-payment", "forward") | {"saga-outcome": "succeeded"}
    with world.crash():
        send(world.shop.endpoints["KAFKA_BOOTSTRAP"], topic, key, b"junk", headers)
    world.order()
    assert set(dead_letters(world.shop, topic, {key})) == {key}


def facts_by_http(world: World) -> None:
    product = f"crash-fact-{uuid.uuid4()}"
    wait_until(lambda: left(world.shop, world.product) == 0, "the earlier fact is told")
    with world.crash():
        world.shop.restock(product, 7)
    assert facts(world.shop, product, 1)
    wait_until(lambda: left(world.shop, product) == 0, "the row is gone")
    world.order()


def a_step_that_is_stuck(world: World) -> None:
    trade = world.trade()
    with world.crash():
        trade.answers[("tell", "forward")] = "rejected"
        saga_id = trade.begin()
    with psycopg.connect(world.shop.endpoints["PG_SAGA_DSN"]) as connection:  # the dead one's claim is over in two minutes
        connection.execute("update saga_notice set due_at = now() where saga_id = %s", [saga_id])
    assert stuck_facts(world.shop, saga_id)
    wait_until(lambda: notices_left(world.shop, saga_id) == 0, "nothing is left to be told")
    trade.mend()
    world.since = moment()  # the trade's participant keeps no inbox
    world.order()


def sagas_that_leave(world: World) -> None:
    """They are archived at least once, whenever it dies, and gone in the end."""
    topic = archive_topic(world.shop)
    ended = world.shop.finished(world.shop.start(world.shop.input()).saga.saga_id)
    leaving = {past(world.shop, ended.saga_id) for _ in range(3)}
    world.stack.add_arguments(world.victim, "--keep-sagas", "30d", "--archive-topic", topic)
    try:
        with world.crash(is_starting=True):
            pass
        wait_until(lambda: sagas_left(world.shop, leaving) == (set(), 0), "they have left")
    finally:
        world.stack.add_arguments(world.victim)
        world.stack.restart(world.victim)
    records = read_until(world.shop.endpoints["KAFKA_BOOTSTRAP"], [topic], lambda record: True, len(leaving),
                         distinct=lambda record: record.key())
    assert {record.key().decode() for record in records} == leaving
    world.order()


def an_empty_database(world: World) -> None:
    """Its tables are made by the next start, however far the one that died had come; then the old ones serve again."""
    stack, database = world.stack, DATABASES.get(world.victim, f"{world.victim}_db")
    name, migrations = f"crash_{uuid.uuid4().hex[:8]}", "select name from schema_migration order by 1"
    with psycopg.connect(stack.stack.postgres.login("postgres", SUPERUSER).dsn, autocommit=True) as admin:
        admin.execute(f"create database {name} owner {database}")
        stack.add_arguments(world.victim, "--postgres", make_conninfo(stack.stack.login(database).conninfo, dbname=name))
        try:
            with world.crash(is_starting=True):
                pass
            with psycopg.connect(make_conninfo(stack.stack.login(database).dsn, dbname=name)) as connection:
                made = connection.execute(migrations).fetchall()
        finally:
            stack.add_arguments(world.victim)
            stack.restart(world.victim)
            admin.execute(f"drop database {name} with (force)")
    assert made == world.shop.query(database.removesuffix("_db"), migrations)
    world.order()


def a_schema(world: World, context: str = "") -> None:
    """In the default context a registration is one statement; in another one it is a change under a lock."""
    place = f"{world.shop.endpoints['REGISTRY_URL']}{context}/subjects/crash-{uuid.uuid4()}/versions"
    schema = {"schema": json.dumps({"type": "fixed", "name": f"F{uuid.uuid4().hex}", "size": 4})}

    def register() -> tuple[int, Any]:
        return http("POST", place, schema, {"Content-Type": "application/json"})

    with world.crash():
        with pytest.raises((urllib.error.URLError, ConnectionError)):
            register()
    is_there = world.crash_at in ("REGISTRATION_COMMITTED", "CHANGE_AFTER_COMMIT")
    assert http("GET", place)[0] == (200 if is_there else 404)
    status, registered = register()
    assert status == 200, registered
    assert register() == (200, registered)
    assert http("GET", place) == (200, [1])
    world.order()


def a_schema_of_a_context(world: World) -> None:
    a_schema(world, f"/contexts/.crash-{uuid.uuid4().hex[:8]}")


# ---- the cases -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    point: str
    victim: str
    act: Callable[[World], None]
    passes: int = 1

    @property
    def crash_at(self) -> str:
        return self.point if self.passes == 1 else f"{self.point}:{self.passes}"

    @property
    def id(self) -> str:
        return f"{self.crash_at}-{self.victim}" + ("" if self.act is orders else f"-{self.act.__name__}")


# The first commits and commands are those of StartSaga, later ones those of replies.
CASES = (
    Case("MIGRATION_BEFORE_COMMIT", "coordinator", an_empty_database),
    Case("MIGRATION_BEFORE_COMMIT", "shipping", an_empty_database, passes=2),
    Case("MIGRATION_AFTER_COMMIT", "coordinator", an_empty_database, passes=3),
    Case("MIGRATION_AFTER_COMMIT", "shipping", an_empty_database),
    Case("MIGRATION_BEFORE_COMMIT", "registry", an_empty_database),
    Case("MIGRATION_AFTER_COMMIT", "registry", an_empty_database, passes=2),
    Case("PARTITIONS_ASSIGNED", "coordinator", a_start),
    Case("PARTITIONS_ASSIGNED", "order", a_start),
    Case("TAKE_OVER_FOUND", "coordinator", a_take_over),
    Case("REPLIES_POLLED", "coordinator", orders),
    Case("REPLIES_TAKEN", "coordinator", orders, passes=2),
    Case("SWEEP_FOUND_DUE", "coordinator", a_time_that_comes),
    Case("TURN_BEFORE_COMMIT", "coordinator", orders),
    Case("TURN_BEFORE_COMMIT", "coordinator", orders, passes=6),
    Case("TURN_AFTER_COMMIT", "coordinator", orders),
    Case("TURN_AFTER_COMMIT", "coordinator", orders, passes=6),
    Case("TURN_ANSWERED", "coordinator", orders),
    Case("TURN_ANSWERED", "coordinator", orders, passes=5),
    Case("COMMANDS_HALF_PRODUCED", "coordinator", orders, passes=3),
    Case("COMMANDS_PRODUCED", "coordinator", orders, passes=3),
    Case("COMMAND_DELIVERED", "coordinator", orders, passes=20),
    Case("REPLIES_SETTLED", "coordinator", orders),
    Case("REPLY_OFFSETS_STORED", "coordinator", orders, passes=2),
    Case("REPLY_LETTER_DECIDED", "coordinator", illegible_replies),
    Case("REPLY_LETTER_DELIVERED", "coordinator", illegible_replies),
    Case("DEFINITION_BEFORE_COMMIT", "coordinator", a_definition),
    Case("DEFINITION_AFTER_COMMIT", "coordinator", a_definition),
    Case("NOTICES_CLAIMED", "coordinator", a_step_that_is_stuck),
    Case("NOTICES_DELIVERED", "coordinator", a_step_that_is_stuck),
    Case("NOTICES_SETTLED", "coordinator", a_step_that_is_stuck),
    Case("SAGAS_ARCHIVED", "coordinator", sagas_that_leave),
    Case("SAGAS_REMOVED", "coordinator", sagas_that_leave),
    Case("COMMANDS_POLLED", "order", orders, passes=2),
    Case("INBOX_CLAIMED", "inventory", orders),
    Case("EFFECTS_DONE", "payment", orders),
    Case("INBOX_BEFORE_COMMIT", "inventory", orders, passes=2),
    Case("INBOX_AFTER_COMMIT", "payment", orders),
    Case("INBOX_AFTER_COMMIT", "order", orders, passes=3),
    Case("LETTERS_DECIDED", "shipping", commands_that_fail_for_a_while),
    Case("LETTERS_DECIDED", "payment", illegible_commands),
    Case("LETTERS_DELIVERED", "shipping", commands_that_fail_for_a_while),
    Case("LETTERS_DELIVERED", "payment", illegible_commands),
    Case("ANSWERS_PRODUCED", "payment", orders),
    Case("ANSWERS_DELIVERED", "inventory", orders),
    Case("COMMAND_OFFSETS_STORED", "payment", orders, passes=2),
    Case("RETRY_DUE", "shipping", commands_that_fail_for_a_while),
    Case("RETRY_SENT_BACK", "shipping", commands_that_fail_for_a_while),
    Case("RETRY_OFFSETS_STORED", "shipping", commands_that_fail_for_a_while),
    Case("OUTBOX_READ", "inventory", facts_by_http),
    Case("OUTBOX_SENT", "inventory", facts_by_http),
    Case("OUTBOX_BEFORE_COMMIT", "inventory", facts_by_http),
    Case("OUTBOX_AFTER_COMMIT", "inventory", facts_by_http),
    Case("REGISTRATION_CHECKED", "registry", a_schema),
    Case("REGISTRATION_COMMITTED", "registry", a_schema),
    Case("REGISTRATION_COMMITTED", "registry", a_schema_of_a_context),
    Case("CHANGE_BEFORE_COMMIT", "registry", a_schema_of_a_context),
    Case("CHANGE_AFTER_COMMIT", "registry", a_schema_of_a_context),
)


@pytest.mark.crash
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_nothing_is_lost_or_done_twice(
    shop: Shop, stack: TestStack, audit, patient: None, request: pytest.FixtureRequest, case: Case
) -> None:
    trade = lambda: request.getfixturevalue("opened_trade")  # noqa: E731 - few of them need it
    with closing(World(shop, stack, trade, case.victim, case.crash_at)) as world:
        case.act(world)
        world.check(audit)


# ---- the list itself -------------------------------------------------------------------------------------------------


def test_every_crash_point_has_a_case_for_everyone_who_passes_it() -> None:
    """The cases fail where a point is not reached."""
    covered: dict[str, set[str]] = {}
    for case in CASES:
        covered.setdefault(case.point, set()).add(case.victim if case.victim in DATABASES else "participant")
    assert covered == {name: KINDS[who] for name, who in DEFINED.items()}


def test_every_crash_point_stands_at_one_place_in_the_code() -> None:
    found = Counter(
        name for folder in ("coordinator", "lib", "participants", "schema-registry") for file in (ROOT / folder).rglob("*.c")
        for name in PASS.findall(file.read_text())
    )
    assert found == Counter(DEFINED.keys())
    text = (ROOT / "ARCHITECTURE.md").read_text()
    assert [name for name in DEFINED if f"`{name}`" not in text] == []


def test_usual_programs_have_no_crash_points() -> None:
    for name in ("saga-coordinator", "schema-registry", "order-service", "payment-service", "inventory-service", "shipping-service"):
        assert b"AMENDS_CRASH_AT" not in (BUILD / "bin" / name).read_bytes(), name
