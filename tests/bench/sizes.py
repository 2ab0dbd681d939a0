"""How many rows and bytes a saga of ours has, so that the floor moves as many: taken from the run itself."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from bench_stack import BenchStack
from sampling import topic_bytes
from stack.errors import StackError
from stack.postgres import psql

# What a row has beside the floor's filling: Postgres's header, a UUID, a number, the filling's length.
ROW_OVERHEAD = 24 + 16 + 4 + 4
# What Kafka adds to a record, and its share of the batch's head.
RECORD_OVERHEAD = 16
RECORD_MIN = 32  # the floor's own head
SAMPLE_ROWS = 2000


def row_bytes(login, table: str, condition: str = "true") -> int:
    """Of the rows that were written last, as far as the table's order tells; 0: there are none."""
    text = psql(login, f"SELECT coalesce(avg(pg_column_size(r)), 0)::int FROM (SELECT * FROM {table} WHERE {condition} "
                       f"LIMIT {SAMPLE_ROWS}) r")
    return int(text)


def filling(row: int) -> int:
    return max(0, row - ROW_OVERHEAD)


@dataclass(frozen=True)
class Totals:
    sagas: int
    log_rows: int
    kafka_bytes: Mapping[str, int]  # by topic


def take_totals(stack: BenchStack) -> Totals:
    """While nothing is in flight."""
    counts = json.loads(psql(stack.postgres.login("saga"), "SELECT json_build_array((SELECT count(*) FROM saga), "
                                                           "(SELECT count(*) FROM saga_log))"))
    return Totals(counts[0], counts[1], topic_bytes(stack.kafka_log))


def of_one(before: Totals, after: Totals, replies: int) -> dict[str, int]:
    """Log rows of one saga, and bytes of one command and one reply, without what Kafka adds. Other topics than those of
    commands and their replies do not count."""
    sagas = after.sagas - before.sagas
    if sagas < 1:
        raise StackError("no saga was started while preheating: see the coordinator's log")
    commands = answers = 0
    for topic, size in after.kafka_bytes.items():
        grown = size - before.kafka_bytes.get(topic, 0)
        if topic.endswith(".command"):
            commands += grown
        elif not topic.endswith((".dlq", ".retry.1s", ".retry.30s")) and not topic.startswith(("__", "floor.")):
            answers += grown
    return {"log_rows": round((after.log_rows - before.log_rows) / sagas),
            "command_bytes": max(RECORD_MIN, round(commands / sagas / replies) - RECORD_OVERHEAD),
            "reply_bytes": max(RECORD_MIN, round(answers / sagas / replies) - RECORD_OVERHEAD)}


def rows(stack: BenchStack) -> dict[str, int]:
    """While sagas are in flight: their rows are looked at in every state between start and end."""
    login = stack.postgres.login("saga")
    found = {
        "row_bytes": filling(row_bytes(login, "saga", "ended_at IS NULL") or row_bytes(login, "saga")),
        "log_bytes": filling(row_bytes(login, "saga_log")),
    }
    inboxes = [row_bytes(stack.postgres.login(database), "saga_inbox") for database in stack.mode.inboxes]
    if inboxes:
        found["inbox_bytes"] = filling(round(sum(inboxes) / len(inboxes)))
    return found
