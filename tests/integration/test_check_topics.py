"""sagactl check --topics: clean beside running sagas, duplicates and dead letters; each planted violation is named.

What is planted on a topic stays there, so every test looks only at what is younger than itself.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from confluent_kafka import ConsumerGroupTopicPartitions, Message, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec
from kafka_tools import command_headers, headers_of, read_until, send
from shop_client import Shop, wait_until
from test_check_participants import check_all, found, moment

KINDS = {"completed": {}, "refused": {"force_payment_fail": True}, "undone": {"force_inventory_fail": True}}


@pytest.fixture
def since() -> str:
    return moment()


@pytest.fixture
def sagas(shop: Shop, since: str) -> dict[str, str]:
    ids = {kind: shop.start(shop.input(**fields)).saga.saga_id for kind, fields in KINDS.items()}
    for saga_id in ids.values():
        shop.finished(saga_id)
    assert found(shop, "--since", since, "--topics") == []
    return ids


def new_saga_id() -> str:
    return str(uuid.UUID(int=int(time.time() * 1000) << 80 | 7 << 76 | 2 << 62 | uuid.uuid4().int >> 68))


def record_of(shop: Shop, topic: str, saga_id: str, phase: str = "forward") -> Message:
    def is_wanted(message: Message) -> bool:
        headers = headers_of(message)
        return headers.get("saga-id") == saga_id and headers["saga-phase"] == phase

    return read_until(shop.endpoints["KAFKA_BOOTSTRAP"], [topic], is_wanted)[0]


def send_again(shop: Shop, message: Message, topic: str | None = None, key: str | None = None, **headers: str) -> None:
    changed = headers_of(message) | {name.replace("_", "-"): value for name, value in headers.items()}
    send(shop.endpoints["KAFKA_BOOTSTRAP"], topic or message.topic(), key or message.key().decode(), message.value(), changed)


def named(shop: Shop, since: str) -> list[tuple[str, str | None, str | None, str]]:
    return found(shop, "--since", since, "--topics")


# ---- what is no violation ---------------------------------------------------------------------------------------------------------


def test_commands_and_replies_agree_with_sagas_and_inboxes(shop: Shop, sagas: dict[str, str], since: str) -> None:
    answer = check_all(shop, "--since", since, "--topics", "-o", "json")
    report = json.loads(answer.stdout)
    assert report["violations"] == [] and report["undecided"] == []
    assert set(report["not_looked_at"]) == {"I8", "I10", "I14"}
    assert report["sums"]["records"] >= 2 * (6 + 2 + 4)  # a command and its reply for each


def test_duplicates_and_dead_letters_are_none(shop: Shop, sagas: dict[str, str], since: str) -> None:
    bootstrap = shop.endpoints["KAFKA_BOOTSTRAP"]
    for _ in range(3):
        send_again(shop, record_of(shop, "payment.charge.command", sagas["completed"]))
    send(bootstrap, "shipping.ship.command", "poison", b"?", {"saga-id": "nonsense"})
    send(bootstrap, "payment.charged", "poison", b"?", {"saga-id": "nonsense", "saga-step": "charge-payment"})
    for topic in ("shipping.ship.command.dlq", "payment.charged.dlq"):
        read_until(bootstrap, [topic], lambda message: message.key() == b"poison")
    replies = read_until(bootstrap, ["payment.charged"], lambda message: headers_of(message).get("saga-id") == sagas["completed"], 4)
    assert len({message.value() for message in replies}) == 1
    assert named(shop, since) == []


def test_sagas_that_run_meanwhile_are_none(shop: Shop, since: str) -> None:
    ids = [shop.start(shop.input(str(uuid.uuid4()), force_inventory_fail=n % 3 == 0)).saga.saga_id for n in range(150)]
    ended = "select count(*) from sagas where saga_id = any(%s::uuid[]) and status <> 'RUNNING'"
    rounds = 0
    while shop.query("saga", ended, ids)[0][0] < len(ids) or not rounds:
        assert named(shop, since) == []
        rounds += 1
    assert named(shop, since) == []


# ---- what is ----------------------------------------------------------------------------------------------------------------------


def test_a_command_of_an_unknown_saga_is_named(shop: Shop, sagas: dict[str, str], since: str) -> None:
    stranger = new_saga_id()
    message = record_of(shop, "shipping.ship.command", sagas["completed"])
    send_again(shop, message, key="stranger", saga_id=stranger, saga_command_id=f"{stranger}/ship/forward")
    wait_until(lambda: shop.query("shipping", "select 1 from saga_inbox where saga_id = %s", stranger), "the stranger is served")
    violations = named(shop, since)
    assert {one[:3] for one in violations} == {("I7", stranger, "ship")}
    assert len(violations) == 2  # on the topic, and in the inbox
    assert any("I7: the command on shipping.ship.command, partition" in one[3] and "does not know" in one[3] for one in violations)


def test_a_command_that_no_saga_decided_is_named(shop: Shop, sagas: dict[str, str], since: str) -> None:
    """Somebody gives the money of a completed order back."""
    saga_id = sagas["completed"]
    message = record_of(shop, "payment.refund.command", sagas["undone"], "compensation")
    key = shop.get(saga_id).key
    send_again(shop, message, key=key, saga_id=saga_id, saga_command_id=f"{saga_id}/charge-payment/compensation")
    wait_until(lambda: shop.payment_status(key) == "REFUNDED", "the money is given back")
    texts = {one[0]: one[3] for one in named(shop, since)}
    assert set(texts) == {"I2", "I3", "I7"}
    assert texts["I7"].endswith("is attempt 1, and the saga has decided 0")
    assert texts["I3"] == "I3: its inbox has a compensation that the saga never asked for"
    assert f"'{key}' is 0 by payment and 1000 by order" in texts["I2"]


@pytest.mark.parametrize(
    ("change", "invariants", "words"),
    [
        ({"saga_attempt": "9"}, {"I7"}, "is attempt 9, and the saga has decided 1"),
        ({"key": "another"}, {"I6", "I7"}, "has another key than the saga"),
        ({"saga_step": "nonsense"}, {"I7", "I4"}, "of a step or phase that the saga's definition does not have"),
        ({"topic": "payment.refund.command"}, {"I7"}, "belongs on payment.charge.command"),
    ],
)
def test_a_command_that_was_changed_is_named(
    shop: Shop, sagas: dict[str, str], since: str, change: dict[str, str], invariants: set[str], words: str
) -> None:
    message = record_of(shop, "payment.charge.command", sagas["completed"])
    send_again(shop, message, **change)

    def named_now() -> list:
        violations = named(shop, since)
        return violations if {one[0] for one in violations} >= {"I7"} else []

    violations = wait_until(named_now, "it is named")
    assert {one[0] for one in violations} <= invariants
    assert {one[1] for one in violations} == {sagas["completed"]}
    assert any(one[0] == "I7" and one[3].endswith(words) or words in one[3] for one in violations), violations


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"saga_outcome": "rejected"}, "says rejected, and the inbox does not"),
        ({"topic": "payment.failed", "saga_outcome": "succeeded"}, "belongs on payment.charged, as the inbox has it"),
        ({"key": "another"}, "has another key than the saga"),
        ({"saga_reason": "because"}, "gives the reason 'because', the inbox ''"),
    ],
)
def test_another_reply_to_the_same_command_is_named(
    shop: Shop, sagas: dict[str, str], since: str, change: dict[str, str], words: str
) -> None:
    send_again(shop, record_of(shop, "payment.charged", sagas["completed"]), **change)
    [one] = named(shop, since)
    assert one[:3] == ("I6", sagas["completed"], "charge-payment")
    assert one[3].endswith(words)


def test_a_reply_with_another_value_is_named(shop: Shop, sagas: dict[str, str], since: str) -> None:
    message = record_of(shop, "order.created", sagas["completed"])
    send(shop.endpoints["KAFKA_BOOTSTRAP"], "order.created", message.key().decode(), message.value()[:-1], headers_of(message))
    [one] = named(shop, since)
    assert one[:3] == ("I6", sagas["completed"], "create-order")
    assert one[3].endswith("has another value than the inbox")


@contextmanager
def copied(shop: Shop, saga_id: str) -> Iterator[str]:
    """A saga that only the coordinator's database knows."""
    copy = new_saga_id()
    with psycopg.connect(shop.endpoints["PG_SAGA_DSN"], autocommit=True) as connection:
        for table in ("saga", "saga_log"):
            connection.execute(f"create temp table kept_{table} as select * from {table} where saga_id = %s", [saga_id])
            connection.execute(f"update kept_{table} set saga_id = %s", [copy])
        connection.execute("update kept_saga set idempotency_key = %s", [copy])
        for table in ("saga", "saga_log"):
            connection.execute(f"insert into {table} select * from kept_{table}")
        try:
            yield copy
        finally:
            for table in ("saga", "saga_log"):
                connection.execute(f"delete from {table} where saga_id = %s", [copy])


def test_an_answered_command_that_is_not_on_its_topic_is_named(shop: Shop, sagas: dict[str, str], since: str) -> None:
    with copied(shop, sagas["undone"]) as copy:
        violations = [one for one in named(shop, since) if one[0] == "I7"]
    assert {one[1] for one in violations} == {copy}
    assert {(one[2], one[3].split()[2]) for one in violations} == {
        ("create-order", "forward"), ("charge-payment", "forward"), ("reserve-inventory", "forward"),
        ("create-order", "compensation"), ("charge-payment", "compensation")}
    assert violations[0][3] == "I7: its forward command was answered, and is not on order.create.command"
    assert named(shop, since) == []


def test_more_commands_than_memory_has_room_for_are_compared_in_parts(shop: Shop, since: str) -> None:
    ids = [shop.start(shop.input(str(uuid.uuid4()))).saga.saga_id for _ in range(100)]
    for saga_id in ids:
        shop.finished(saga_id)
    [records] = {json.loads(check_all(shop, "--since", since, "--topics", "-o", "json").stdout)["sums"]["records"] for _ in range(2)}
    with copied(shop, ids[0]) as copy:
        report = json.loads(check_all(shop, "--since", since, "--topics", "--at-once", "50", "-o", "json").stdout)
    assert report["sums"]["records"] >= 8 * records
    missing = [one for one in report["violations"] if one["invariant"] == "I7"]
    assert {one["saga_id"] for one in missing} == {copy}
    assert len(missing) == len({one["step"] for one in missing}) == 6


def test_what_a_group_has_gone_over_is_named(shop: Shop, stack, sagas: dict[str, str], since: str) -> None:
    """A participant that stores offsets before it has answered, and dies then."""
    bootstrap = shop.endpoints["KAFKA_BOOTSTRAP"]
    admin = AdminClient({"bootstrap.servers": bootstrap})
    group, topic = "shipping-service", "shipping.ship.command"

    def is_left() -> bool:
        return not admin.describe_consumer_groups([group])[group].result().members

    stack.suspend("shipping")
    try:
        wait_until(is_left, "its session is over", 30)
        saga_id = shop.start(shop.input()).saga.saga_id
        command = record_of(shop, topic, saga_id)
        send(bootstrap, topic, "poison", b"?", command_headers("nonsense", "ship", "forward"))
        [poison] = read_until(bootstrap, [topic], lambda one: one.key() == b"poison" and headers_of(one)["saga-id"] == "nonsense"
                              and one.timestamp()[1] >= command.timestamp()[1])
        assert named(shop, since) == []
        passed = [TopicPartition(topic, number) for number in range(6)]
        ends = admin.list_offsets({one: OffsetSpec.latest() for one in passed})
        over = [TopicPartition(topic, one.partition, ends[one].result().offset) for one in passed]
        admin.alter_consumer_group_offsets([ConsumerGroupTopicPartitions(group, over)])[group].result()
        violations = named(shop, since)
    finally:
        stack.resume("shipping")
    texts = {one[1:3]: one[3] for one in violations}
    place = "I13: the record on shipping.ship.command, partition {}, offset {} was passed over"
    assert texts[(saga_id, "ship")].startswith(place.format(command.partition(), command.offset()))
    assert texts[(None, None)].startswith(place.format(poison.partition(), poison.offset()))
    assert {one[0] for one in violations} == {"I13"} and len(violations) == 2
    shop.finished(saga_id)  # the coordinator has sent it once more
    wait_until(lambda: [one[1] for one in named(shop, since)] == [None], "the poison alone stays lost")


# ---- what cannot be looked at -----------------------------------------------------------------------------------------------------


def test_a_broker_that_is_away_leaves_it_undecided(shop: Shop, sagas: dict[str, str], since: str) -> None:
    answer = check_all(shop, "--since", since, "--topics", "--kafka-brokers", "127.0.0.1:1")
    assert answer.returncode == 3
    assert "cannot decide: topics: " in answer.stderr
    assert "3 sagas with " in answer.stdout
