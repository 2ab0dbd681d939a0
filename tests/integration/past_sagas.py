"""Sagas of long ago: copies of finished ones under ids of that time, which no participant knows of."""

from __future__ import annotations

import uuid
from collections.abc import Iterable

import psycopg
from confluent_kafka.admin import AdminClient, NewTopic
from shop_client import Shop

OLD_MS = 1_735_689_600_000  # 1 January 2025: older than every id that is made while tests run

COLUMNS = ("version, created_at, updated_at, due_at, sent_boot, definition_id, state, definition_name, key, milestone, "
           "sent_by, labels, input")
LOG_COLUMNS = "sequence, at, attempt, event, phase, state, has_no_effect, step, milestone, reason, detail, reply, actor"


def old_id() -> str:
    number = uuid.uuid4().int & ~(0xFFFFFFFFFFFF << 80) & ~(0xF << 76) | OLD_MS << 80 | 7 << 76
    return str(uuid.UUID(int=number))


def past(shop: Shop, saga_id: str, ended_days_ago: int = 100) -> str:
    """The copy's id."""
    copy = old_id()
    with psycopg.connect(shop.endpoints["PG_SAGA_DSN"]) as connection:
        made = connection.execute(
            f"insert into saga (saga_id, idempotency_key, ended_at, data, {COLUMNS}) select %(copy)s::uuid, %(copy)s,"
            " now() - %(days)s * interval '1 day',"
            " overlay(data placing uuid_send(%(copy)s::uuid) from position(uuid_send(saga_id) in data)),"
            f" {COLUMNS} from saga where saga_id = %(id)s and ended_at is not null",
            {"copy": copy, "id": saga_id, "days": ended_days_ago})
        assert made.rowcount == 1
        connection.execute(f"insert into saga_log (saga_id, {LOG_COLUMNS}) select %s::uuid, {LOG_COLUMNS} from saga_log"
                           " where saga_id = %s order by sequence", [copy, saga_id])
    return copy


def left(shop: Shop, ids: Iterable[str]) -> tuple[set[str], int]:
    """Of these sagas those that are there, and how many entries of logs."""
    wanted = list(ids)
    there = {str(one) for (one,) in shop.query("saga", "select saga_id from saga where saga_id = any(%s::uuid[])", wanted)}
    [(entries,)] = shop.query("saga", "select count(*) from saga_log where saga_id = any(%s::uuid[])", wanted)
    return there, entries


def archive_topic(shop: Shop) -> str:
    """A new one; brokers make none by themselves."""
    name = f"archive-{uuid.uuid4().hex[:8]}"
    admin = AdminClient({"bootstrap.servers": shop.endpoints["KAFKA_BOOTSTRAP"]})
    admin.create_topics([NewTopic(name, 1)])[name].result(timeout=30)
    return name
