"""sagactl check with the participants' databases: clean beside running sagas, and each planted violation is named."""

from __future__ import annotations

import json
import uuid
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone

import psycopg
import pytest
from conftest import ROOT
from psycopg.conninfo import make_conninfo
from shop_client import Shop, wait_until
from test_sagactl import Done, run

ASSERTIONS = ROOT / "deploy" / "shop" / "assertions.yaml"
PARTICIPANTS = ("order", "payment", "inventory", "shipping")


def check_all(shop: Shop, *flags: str, **instead: str) -> Done:
    """With every participant of the shop, and what must be true of its money and goods; `payment=CONNINFO` puts another database in
    the place of a participant's, or adds one."""
    environment = {name: shop.endpoints[name] for name in ("PG_SAGA_DSN", "KAFKA_BOOTSTRAP")}
    databases = {name: shop.endpoints[f"PG_{name.upper()}_DSN"] for name in PARTICIPANTS} | instead
    environment |= {f"SAGACTL_PARTICIPANT_{name.upper()}": conninfo for name, conninfo in databases.items()}
    return run("check", "--assertions", str(ASSERTIONS), *flags, environment=environment)


def moment() -> str:
    """Of now, as --since takes it."""
    return datetime.now(timezone.utc).isoformat()


@pytest.fixture(scope="module")
def since() -> str:
    """Other tests have planted this and that before."""
    return moment()


@pytest.fixture(scope="module")
def sagas(shop: Shop, since: str) -> dict[str, str]:
    inputs = {"completed": {}, "refused": {"force_payment_fail": True}, "undone": {"force_inventory_fail": True}}
    ids = {kind: shop.start(shop.input(**fields)).saga.saga_id for kind, fields in inputs.items()}
    for saga_id in ids.values():
        shop.finished(saga_id)
    return ids


@pytest.fixture
def clean(shop: Shop, sagas: dict[str, str], since: str) -> Iterator[None]:
    """Before and after."""
    assert found(shop, "--since", since) == []
    yield
    assert found(shop, "--since", since) == []


@contextmanager
def planted(shop: Shop, database: str, saga_id: str, sql: str) -> Iterator[None]:
    """What one statement makes of a saga's rows in a participant's inbox; all is as before afterwards."""
    with psycopg.connect(shop.endpoints[f"PG_{database.upper()}_DSN"], autocommit=True) as connection:
        connection.execute("create temp table kept as select * from saga_inbox where saga_id = %s", [saga_id])
        assert connection.execute(sql, {"id": saga_id}).rowcount == 1
        try:
            yield
        finally:
            with connection.transaction():
                connection.execute("delete from saga_inbox where saga_id = %s", [saga_id])
                connection.execute("insert into saga_inbox select * from kept")


def found(shop: Shop, *flags: str, **instead: str) -> list[tuple[str, str | None, str | None, str]]:
    answer = check_all(shop, "-o", "json", *flags, **instead)
    assert answer.returncode in (0, 1), answer.stderr
    violations = json.loads(answer.stdout)["violations"]
    assert all(one["advice"] for one in violations)
    return [(one["invariant"], one.get("saga_id"), one.get("step"), one["text"]) for one in violations]


def test_sagas_of_every_kind_agree_with_the_inboxes(shop: Shop, sagas: dict[str, str], since: str) -> None:
    answer = check_all(shop, "--since", since, "--all-ended")
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert "3 sagas with " in answer.stdout and " of 4 participants" in answer.stdout and "; 5 assertions" in answer.stdout
    rows = sum(shop.query(name, "select count(*) from saga_inbox where saga_id = any(%s::uuid[])", list(sagas.values()))[0][0]
               for name in PARTICIPANTS)
    assert f"; {rows} inbox rows" in answer.stdout


DELETE = "delete from saga_inbox where saga_id = %(id)s and step = '{}' and phase = {}"
UPDATE = "update saga_inbox set {} where saga_id = %(id)s and step = '{}' and phase = {}"
INSERT = "insert into saga_inbox (saga_id, step, phase, outcome) values (%(id)s, '{}', {}, {})"


@pytest.mark.parametrize(
    ("kind", "database", "sql", "invariant", "step", "words"),
    [
        ("completed", "payment", DELETE.format("charge-payment", 0), "I4", "charge-payment", "its inbox knows nothing of it"),
        ("completed", "payment", UPDATE.format("outcome = 2", "charge-payment", 0), "I6", "charge-payment", "says rejected"),
        ("completed", "payment", UPDATE.format("outcome = 0", "charge-payment", 0), "I6", "charge-payment", "has no reply"),
        ("completed", "payment", INSERT.format("charge-payment", 1, 1), "I3", "charge-payment", "never asked for"),
        ("completed", "order", INSERT.format("nonsense", 0, 1), "I7", "nonsense", "definition does not have"),
        ("completed", "inventory", INSERT.format("charge-payment", 0, 1), "I4", "charge-payment", "is not its own"),
        ("refused", "payment", DELETE.format("charge-payment", 0), "I4", "charge-payment", "holds it refused"),
        ("refused", "payment", UPDATE.format("outcome = 1", "charge-payment", 0), "I6", "charge-payment", "says succeeded"),
        ("refused", "shipping", INSERT.format("ship", 0, 1), "I7", "ship", "never decided"),
        ("undone", "payment", DELETE.format("charge-payment", 1), "I3", "charge-payment", "knows nothing of a compensation"),
        ("undone", "payment", DELETE.format("charge-payment", 0), "I3", "charge-payment", "has no command for"),
        ("undone", "payment", UPDATE.format("outcome = 3", "charge-payment", 0), "I3", "charge-payment", "says a tombstone"),
        ("undone", "payment", UPDATE.format("outcome = 2", "charge-payment", 1), "I3", "charge-payment", "no compensation may be"),
        ("undone", "payment", UPDATE.format("has_no_effect = true", "charge-payment", 1), "I6", "charge-payment", "nothing to undo"),
    ],
)
def test_a_planted_violation_is_named(
    shop: Shop, sagas: dict[str, str], since: str, clean: None,
    kind: str, database: str, sql: str, invariant: str, step: str, words: str,
) -> None:
    with planted(shop, database, sagas[kind], sql):
        [one] = found(shop, "--since", since)
        assert one[:3] == (invariant, sagas[kind], step)
        assert words in one[3]


def test_the_effect_of_an_unknown_saga_is_named(shop: Shop, sagas: dict[str, str], since: str, clean: None) -> None:
    unknown = sagas["completed"][:-4] + "0000"  # of the same millisecond
    with planted(shop, "shipping", unknown, INSERT.format("ship", 0, 1)):
        assert found(shop, "--since", since) == [
            ("I7", unknown, "ship", "I7: the inbox of 'shipping' has a command of a saga that the coordinator does not know")]


def test_since_then_passes_over_an_unknown_saga_of_before(shop: Shop, sagas: dict[str, str], since: str, clean: None) -> None:
    unknown = sagas["completed"][:-4] + "0000"  # which says that it is of now
    sql = "insert into saga_inbox (saga_id, step, phase, outcome, created_at) values (%(id)s, 'ship', 0, 1, '2020-01-31')"
    with planted(shop, "shipping", unknown, sql):
        assert found(shop, "--since", since) == []
        assert [one[:3] for one in found(shop, "--since", "2020-01-30") if one[1] == unknown] == [("I7", unknown, "ship")]


VIEW = """
create schema other;
create table other.inbox as select saga_id || '/' || step || '/' || (array['forward', 'compensation'])[phase + 1] as command_id,
    (array['succeeded', 'rejected', 'tombstone'])[outcome] as outcome, has_no_effect as effect from saga_inbox;
create view other.saga_inbox as select split_part(command_id, '/', 1)::uuid as saga_id, split_part(command_id, '/', 2) as step,
    case split_part(command_id, '/', 3) when 'forward' then 0 else 1 end as phase,
    case outcome when 'succeeded' then 1 when 'rejected' then 2 when 'tombstone' then 3 else 0 end as outcome,
    effect as has_no_effect from other.inbox;
"""


@pytest.fixture
def view(shop: Shop, sagas: dict[str, str]) -> Iterator[str]:
    """A participant without our SDK: an inbox of its own, and a view that shows it."""
    with psycopg.connect(shop.endpoints["PG_PAYMENT_DSN"], autocommit=True) as connection:
        connection.execute(VIEW)
        yield make_conninfo(shop.endpoints["PG_PAYMENT_DSN"], options="-c search_path=other,public")
        connection.execute("drop schema other cascade")


def test_a_view_shows_the_inbox_of_a_participant_without_our_sdk(
    shop: Shop, sagas: dict[str, str], since: str, view: str
) -> None:
    assert found(shop, "--since", since, payment=view) == []
    with psycopg.connect(view, autocommit=True) as connection:
        connection.execute("insert into inbox select * from inbox where command_id like %s", [f"{sagas['completed']}%"])
        assert found(shop, "--since", since, payment=view) == [
            ("I4", sagas["completed"], "charge-payment", "I4: the inbox of 'payment' has 2 rows of one command: it has no unique key")]
        connection.execute("delete from inbox where command_id like %s", [f"{sagas['completed']}%"])
        [one] = found(shop, "--since", since, payment=view)
        assert one[:3] == ("I4", sagas["completed"], "charge-payment")


def test_sagas_that_run_meanwhile_are_no_violations(shop: Shop, stack, since: str) -> None:
    begun = moment()
    stack.suspend("inventory")
    try:
        ids = [shop.start(shop.input(str(uuid.uuid4()), force_inventory_fail=n % 2 == 0)).saga.saga_id for n in range(40)]
        reached = "select count(*) from sagas where saga_id = any(%s::uuid[]) and step = 'PAYMENT_CHARGED'"
        wait_until(lambda: shop.query("saga", reached, ids)[0][0] == len(ids), "the payments are charged")
        assert found(shop, "--since", begun) == []
        [one, *_] = all_open = found(shop, "--since", begun, "--all-ended")
        assert len(all_open) == len(ids)
        assert one[0] == "I1" and "it has neither ended nor is it stuck: it is RUNNING" in one[3]
    finally:
        stack.resume("inventory")
    ended = "select count(*) from sagas where saga_id = any(%s::uuid[]) and status <> 'RUNNING'"
    while shop.query("saga", ended, ids)[0][0] < len(ids):
        assert found(shop, "--since", begun) == []
    assert found(shop, "--since", begun, "--all-ended") == []


@pytest.mark.parametrize(
    ("instead", "words"),
    [
        ({"payment": "host=127.0.0.1 port=1"}, "participant 'payment': "),
        ({"payment": "registry"}, "has no table or view saga_inbox"),
    ],
)
def test_what_cannot_be_looked_at_is_undecided(shop: Shop, sagas: dict[str, str], since: str, instead: dict, words: str) -> None:
    if "registry" in instead.values():
        instead = {"payment": shop.endpoints["PG_REGISTRY_DSN"]}
    answer = check_all(shop, "--since", since, **instead)
    assert answer.returncode == 3
    assert words in answer.stderr
    with planted(shop, "order", sagas["completed"], DELETE.format("create-order", 0)):
        assert check_all(shop, "--since", since, **instead).returncode == 1


def test_a_name_that_no_command_goes_to_is_said(shop: Shop, since: str) -> None:
    answer = check_all(shop, "--since", since, paymnt=shop.endpoints["PG_PAYMENT_DSN"])
    assert answer.returncode == 3
    assert "no definition has a command whose topic is 'paymnt' or begins with 'paymnt.'" in answer.stderr


def test_junit_has_a_test_for_each_invariant(shop: Shop, sagas: dict[str, str], since: str) -> None:
    suite = ElementTree.fromstring(check_all(shop, "--since", since, "--format", "junit").stdout).find("testsuite")
    assert (suite.get("failures"), suite.get("errors"), len(suite)) == ("0", "0", 15)
    skipped = {case.get("name").partition(":")[0] for case in suite if case.find("skipped") is not None}
    assert skipped == {"I8", "I10", "I13", "I14"}
    with planted(shop, "payment", sagas["completed"], DELETE.format("charge-payment", 0)):
        answer = check_all(shop, "--since", since, "--format", "junit")
    assert answer.returncode == 1
    suite = ElementTree.fromstring(answer.stdout).find("testsuite")
    [case] = [case for case in suite if case.find("failure") is not None]
    assert suite.get("failures") == "1" and case.get("name").startswith("I4: no effect twice")
    assert f"saga {sagas['completed']}, step charge-payment: I4" in case.find("failure").text
    assert "what to do: " in case.find("failure").text
