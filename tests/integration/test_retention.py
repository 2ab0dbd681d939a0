"""Finished sagas leave the coordinator's database, archived before: on the real stack."""

from __future__ import annotations

import json
import subprocess
import uuid
from collections.abc import Callable, Iterator

import grpc
import psycopg
import pytest
from google.protobuf import json_format
from harness import TestStack
from kafka_tools import command_headers, headers_of, read_until, send
from past_sagas import archive_topic, left, old_id, past
from saga.v1 import saga_pb2
from shop_client import Shop, http, wait_until
from test_check_participants import found, moment


@pytest.fixture(scope="module")
def finished(shop: Shop) -> list[saga_pb2.Saga]:
    """One that succeeded, and one that was undone."""
    inputs = (shop.input(), shop.input(force_inventory_fail=True))
    return [shop.finished(shop.start(one, labels={"of": "retention"}).saga.saga_id) for one in inputs]


@pytest.fixture
def keeping(stack: TestStack) -> Iterator[Callable[..., None]]:
    """Starts the stack's coordinator anew with these flags; afterwards as it was."""

    def start(*flags: str) -> None:
        stack.add_arguments("coordinator", *flags)
        stack.restart("coordinator")

    yield start
    start()


def metric(shop: Shop, name: str) -> float:
    status, text = http("GET", f"{shop.endpoints['SAGA_HTTP']}/metrics")
    assert status == 200
    [line] = [line for line in text.splitlines() if line.startswith(f"{name} ")]
    return float(line.split()[-1])


def shown(saga: saga_pb2.Saga) -> dict:
    """As `sagactl get -o json` has it, without what a copy has of its own."""
    document = json_format.MessageToDict(saga)
    for own in ("sagaId", "idempotencyKey"):
        document.pop(own)
    return document


def test_finished_sagas_leave_some_time_after_their_end_and_are_archived_before(
        shop: Shop, finished: list[saga_pb2.Saga], keeping: Callable[..., None]) -> None:
    topic = archive_topic(shop)
    leaving = {past(shop, saga.saga_id): saga for saga in finished}
    young = past(shop, finished[0].saga_id, ended_days_ago=29)
    keeping("--keep-sagas", "30d", "--archive-topic", topic)
    wait_until(lambda: left(shop, leaving) == (set(), 0), "they have left")

    records = read_until(shop.endpoints["KAFKA_BOOTSTRAP"], [topic], lambda record: record.key().decode() in leaving, len(leaving),
                         distinct=lambda record: record.key())
    for record in records:
        saga = leaving[record.key().decode()]
        document = json.loads(record.value())
        assert (document.pop("sagaId"), document.pop("idempotencyKey")) == (record.key().decode(),) * 2
        assert document == shown(saga)
        assert len(document["events"]) == saga.version and document["labels"] == {"of": "retention"}
        headers = headers_of(record)
        assert (headers["ce_type"], headers["ce_id"], headers["content-type"]) == (
            "SagaArchived", record.key().decode(), "application/json")
    assert left(shop, [young]) == ({young}, finished[0].version)
    for gone in leaving:
        with pytest.raises(grpc.RpcError) as refused:
            shop.get(gone)
        assert refused.value.code() == grpc.StatusCode.NOT_FOUND
    wait_until(lambda: metric(shop, "saga_removed_total") >= 2, "both are counted")
    wait_until(lambda: metric(shop, "saga_removal_late_seconds") == 0, "nothing is late")
    assert shop.get(finished[0].saga_id).state == finished[0].state


def test_what_the_archive_does_not_take_stays(
        stack: TestStack, shop: Shop, finished: list[saga_pb2.Saga], keeping: Callable[..., None]) -> None:
    kept = past(shop, finished[0].saga_id)
    keeping("--keep-sagas", "30d", "--archive-topic", "saga.archive.absent")
    wait_until(lambda: metric(shop, "saga_removal_late_seconds") > 69 * 24 * 3600, "it is late")
    wait_until(lambda: b"topic 'saga.archive.absent' does not exist" in stack.log("coordinator").read_bytes(), "it is said", deadline_s=60)
    assert left(shop, [kept]) == ({kept}, finished[0].version)
    keeping("--keep-sagas", "0")
    assert left(shop, [kept]) == ({kept}, finished[0].version), "nothing leaves"
    keeping("--keep-sagas", "30d")
    wait_until(lambda: left(shop, [kept]) == (set(), 0), "without an archive it is deleted")


def test_the_check_says_nothing_of_sagas_that_have_left(
        shop: Shop, finished: list[saga_pb2.Saga], keeping: Callable[..., None]) -> None:
    since = moment()
    last = max(past(shop, finished[0].saga_id) for _ in range(2))
    before, after = "01940000-0000-7000-8000-000000000000", "01950000-0000-7000-8000-000000000000"
    assert before < last < after
    keeping("--keep-sagas", "30d")
    wait_until(lambda: left(shop, [last]) == (set(), 0), "it has left")
    with psycopg.connect(shop.endpoints["PG_SHIPPING_DSN"], autocommit=True) as connection:
        row = "insert into saga_inbox (saga_id, step, phase, outcome) values (%s, 'ship', 0, 1)"
        try:
            connection.execute(row, [before])
            connection.execute(row, [after])
            unknown = [one for one in found(shop) if one[1] in (before, after)]
        finally:
            connection.execute("delete from saga_inbox where saga_id = any(%s::uuid[])", [[before, after]])
    assert [(one[0], one[1]) for one in unknown] == [("I7", after)]
    assert found(shop, "--since", since) == []


@pytest.mark.parametrize(("flags", "said"), [
    (("--keep-sagas", "9s"), "--keep-sagas '9s': must be 0, or from 10s to 36500d"),
    (("--keep-sagas", "99999999999d"), "--keep-sagas '99999999999d': must be 0, or from 10s to 36500d"),
    (("--archive-topic", "bad topic!"), "--archive-topic 'bad topic!': must be 1 to 249 of letters, digits, '.', '_' and '-'"),
    (("--archive-topic", ".."), "--archive-topic '..': must be"),
    (("--archive-topic", "x" * 250), "x': must be 1 to 249 of"),
    (("--stuck-topic", "ä"), "--stuck-topic 'ä': must be 1 to 249 of"),
])
def test_flags_that_cannot_be_meant_are_refused(stack: TestStack, flags: tuple[str, ...], said: str) -> None:
    answer = subprocess.run([stack.program("saga-coordinator"), *flags], capture_output=True, text=True, timeout=20)
    assert answer.returncode == 2 and said in answer.stderr, answer.stderr


def test_an_archive_of_what_never_leaves_is_refused(stack: TestStack) -> None:
    def check(topic: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([stack.program("saga-coordinator"), "--keep-sagas", "0", "--archive-topic", topic, "config", "check"],
                              capture_output=True, text=True, timeout=20)
    assert "--archive-topic 'x': nothing leaves: set keep-sagas, too" in check("x").stderr
    assert check("x").returncode == 78
    assert check("none").returncode == 0, "none is no topic"


def test_limits_that_limit_nobody_are_refused_by_the_key_that_was_written(stack: TestStack, tmp_path: Path) -> None:
    file = tmp_path / "limits.conf"
    file.write_text("max-in-flight.payment = q\nmax-in-flight.pay ment = 5\nmax-in-flight.pay_ment = 5\n"
                    "max-open-sagas.Book_Trip = 5\nmax-open-sagas.book-trip = 5\n")
    answer = subprocess.run([stack.program("saga-coordinator"), "--config", file, "--max-in-flight-of", "pay.charge=5", "config", "check"],
                            capture_output=True, text=True, timeout=20)
    assert answer.returncode == 78
    assert [line.removeprefix("saga-coordinator: ") for line in answer.stderr.splitlines()][:-1] == [
        f"{file}:1: max-in-flight.payment 'q': must be from 0 to 1000000000",
        f"{file}:2: max-in-flight.pay ment '5': limits nobody: a participant is the first word of a topic: letters, digits, '_' and '-'",
        "--max-in-flight-of 'pay.charge=5': limits nobody: a participant is the first word of a topic: letters, digits, '_' and '-'",
        f"{file}:4: max-open-sagas.Book_Trip '5': limits nobody: a definition's name is a-z, 0-9 and -",
    ]


@pytest.mark.parametrize(("value", "status"), [("59m", 2), ("1h", 0), ("36500d", 0), ("36501d", 2), ("20000000d", 2)])
def test_an_inbox_is_kept_for_an_hour_to_a_hundred_years(stack: TestStack, value: str, status: int) -> None:
    answer = subprocess.run([stack.program("order-service"), "--inbox-keep", value, "config", "check"],
                            capture_output=True, text=True, timeout=20)
    assert answer.returncode == status, answer.stderr
    assert status == 0 or f"--inbox-keep '{value}': must be 0, or from 1h to 36500d" in answer.stderr


def test_inbox_rows_leave_and_what_they_answered_is_not_done_again(stack: TestStack, shop: Shop) -> None:
    """An order of long ago: its row is gone, so its command must not be done, however often it comes."""
    saga = shop.finished(shop.start(shop.input()).saga.saga_id)
    columns = "step, phase, outcome, reply_topic, reply_type, reply_format, reply_value, reason, detail, has_no_effect"
    gone, kept = old_id(), str(uuid.uuid4())
    with psycopg.connect(shop.endpoints["PG_SAGA_DSN"]) as coordinator:  # it has left there, too
        coordinator.execute("update saga_departed set last_id = greatest(last_id, %s::uuid)", [gone])
    insert = (f"insert into saga_inbox (saga_id, created_at, {columns}) select %s::uuid, now() - interval '46 days', {columns}"
              " from saga_inbox where saga_id = %s and step = 'charge-payment'")
    with psycopg.connect(shop.endpoints["PG_PAYMENT_DSN"], autocommit=True) as connection:
        try:
            for one in (gone, kept):
                assert connection.execute(insert, [one, saga.saga_id]).rowcount == 1
            stack.restart("payment")
            there = "select saga_id::text from saga_inbox where saga_id = any(%s::uuid[])"
            wait_until(lambda: connection.execute(there, [[gone, kept]]).fetchall() == [(kept,)], "one leaves, and only that one")
            [(is_marked,)] = connection.execute("select before > now() - interval '47 days' from saga_inbox_cut").fetchall()
            assert is_marked
        finally:
            connection.execute("delete from saga_inbox where saga_id = any(%s::uuid[])", [[gone, kept]])
    [command] = read_until(shop.endpoints["KAFKA_BOOTSTRAP"], ["payment.charge.command"],
                           lambda record: headers_of(record).get("saga-id") == saga.saga_id)
    late = command_headers(gone, "charge-payment", "forward")
    charges = "select count(*) from payments where order_id = %s"
    before = shop.query("payment", charges, saga.key)
    send(shop.endpoints["KAFKA_BOOTSTRAP"], "payment.charge.command", f"late-{gone}", command.value(), late)
    [letter] = read_until(shop.endpoints["KAFKA_BOOTSTRAP"], ["payment.charge.command.dlq"],
                          lambda record: headers_of(record).get("saga-id") == gone)
    assert headers_of(letter)["dlq-reason"] == "too_old"
    assert shop.query("payment", charges, saga.key) == before
