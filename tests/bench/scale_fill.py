"""Fills the coordinator's tables with millions of sagas: copies, under new ids, of some that it really ran.

A copy has its own UUIDv7, one a millisecond, and a key of its own at random; the open ones lie evenly among those that have
ended, which is hard for whoever looks for them: nearly each is on a page of its own. Rows are written in the order of their ids, as
the coordinator writes them; indexes are made afterwards.
"""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from stack.errors import StackError
from stack.postgres import BINARIES, Login

CHUNK = 250_000
ID_AT, ID_LEN = 2, 16  # of the stored form: behind the byte that names it (coordinator/saga/encoding.c)

# Bulk loading: what is lost in a crash of the filling is filled again.
SESSION = "SET synchronous_commit = off; SET maintenance_work_mem = '512MB'; SET work_mem = '64MB'; SET client_min_messages = warning;"

PREPARE = """
CREATE TABLE scale_template AS
    SELECT s.*, ended_at IS NULL AS is_open, row_number() OVER (PARTITION BY ended_at IS NULL ORDER BY saga_id) - 1 AS place,
           count(*) OVER (PARTITION BY ended_at IS NULL) AS places
    FROM saga s WHERE saga_id = ANY('{%(ids)s}');
CREATE TABLE scale_template_open AS SELECT * FROM saga_open WHERE saga_id IN (SELECT saga_id FROM scale_template);
CREATE TABLE scale_template_log AS SELECT * FROM saga_log WHERE saga_id IN (SELECT saga_id FROM scale_template);
CREATE TABLE scale_index AS
    SELECT c.relname AS name, t.relname AS of, pg_get_indexdef(i.indexrelid) AS made_by, k.conname AS key, pg_get_constraintdef(k.oid) AS key_made_by
    FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_class t ON t.oid = i.indrelid
    LEFT JOIN pg_constraint k ON k.conindid = i.indexrelid AND k.conrelid = i.indrelid
    WHERE t.relname IN ('saga', 'saga_open', 'saga_log') AND t.relnamespace = 'public'::regnamespace;
CREATE FUNCTION scale_id(i bigint) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$
    SELECT (lpad(to_hex(%(first_ms)d + i), 12, '0') || '70008' || lpad(to_hex(hashint8extended(i, 0) & (1::bigint << 60) - 1), 15, '0'))::uuid $$;
DO $$ DECLARE one record; BEGIN
    FOR one IN SELECT * FROM scale_index LOOP
        IF one.key IS NULL THEN EXECUTE format('DROP INDEX %%I', one.name);
        ELSE EXECUTE format('ALTER TABLE %%I DROP CONSTRAINT %%I', one.of, one.key); END IF;
    END LOOP; END $$;
ALTER TABLE saga SET (autovacuum_enabled = off);
ALTER TABLE saga_open SET (autovacuum_enabled = off);
ALTER TABLE saga_log SET (autovacuum_enabled = off);
"""

# Which template a copy is of: every so-manieth is open.
COPIES = """
    (SELECT i, scale_id(i) AS id, (i + 1) * %(open)d / %(total)d > i * %(open)d / %(total)d AS is_open
     FROM generate_series(%(first)d::bigint, %(last)d::bigint) i OFFSET 0) AS copy
    JOIN scale_template t ON t.is_open = copy.is_open AND t.place = copy.i %% t.places
"""

# What a copy does not share with its template.
SAGA_COLUMNS = {
    "saga_id": "copy.id",
    "key": "gen_random_uuid()::text",
    "idempotency_key": "copy.id::text",
    "data": f"overlay(t.data PLACING uuid_send(copy.id) FROM {ID_AT} FOR {ID_LEN})",
}

# Their templates wait for the same time; no two of them are looked at at the same one.
OPEN_COLUMNS = {"saga_id": "copy.id", "look_at": "o.look_at - copy.i %% 1000000 * interval '1 us'"}

# All tables' at once would need more memory, so one after the other.
MAKE_INDEXES = """
DO $$ DECLARE one record; BEGIN
    FOR one IN SELECT * FROM scale_index WHERE of = '%(table)s' ORDER BY name LOOP
        IF one.key IS NULL THEN EXECUTE one.made_by;
        ELSE EXECUTE format('ALTER TABLE %%I ADD CONSTRAINT %%I %%s', one.of, one.key, one.key_made_by); END IF;
    END LOOP; END $$;
"""

FINISH = """
ALTER TABLE saga RESET (autovacuum_enabled);
ALTER TABLE saga_open RESET (autovacuum_enabled);
ALTER TABLE saga_log RESET (autovacuum_enabled);
DROP FUNCTION scale_id(bigint);
DROP TABLE scale_template, scale_template_open, scale_template_log, scale_index;
"""


@dataclass(frozen=True)
class Order:
    finished: int
    open: int
    templates: list[str]  # ids of sagas that were run: some that have ended, some that wait

    @property
    def total(self) -> int:
        return self.finished + self.open


def ask(login: Login, statement: str) -> str:
    """As psql() of the stack, with patience."""
    result = subprocess.run([BINARIES / "psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-w", "-d", login.conninfo],
                            input=statement, env={**os.environ, "PGPASSWORD": login.password}, capture_output=True, text=True, cwd="/")
    if result.returncode != 0:
        raise StackError(result.stderr.strip())
    return result.stdout.strip()


def fill(login: Login, order: Order, report: Callable[[str], None]) -> None:
    begun = time.monotonic()
    first_ms = int(time.time() * 1000) - order.total - 600_000  # all were started ten minutes ago or earlier
    ask(login, SESSION + PREPARE % {"ids": ",".join(order.templates), "first_ms": first_ms})
    log = Copier(login, order, "saga_log", "scale_template_log l ON l.saga_id = t.saga_id", "l", {"saga_id": "copy.id"})
    saga = Copier(login, order, "saga", None, "t", SAGA_COLUMNS)
    open_rows = Copier(login, order, "saga_open", "scale_template_open o ON o.saga_id = t.saga_id", "o", OPEN_COLUMNS)
    together([lambda: log.run(lambda line: None), lambda: saga.run(report), lambda: open_rows.run(lambda line: None)])
    report(f"tables are filled ({time.monotonic() - begun:.0f} s), making their indexes")
    together([lambda: finish_table(login, "saga"), lambda: finish_table(login, "saga_log"), lambda: finish_table(login, "saga_open")])
    ask(login, FINISH)
    report(f"filled in {time.monotonic() - begun:.0f} s: {sizes(login)}")


def finish_table(login: Login, table: str) -> None:
    ask(login, SESSION + MAKE_INDEXES % {"table": table})
    ask(login, SESSION + f"VACUUM (ANALYZE, PARALLEL 0) {table}")


def sizes(login: Login) -> str:
    return ask(login, "SELECT string_agg(format('%s %s + indexes %s', relname, pg_size_pretty(pg_table_size(oid)), "
                      "pg_size_pretty(pg_indexes_size(oid))), ', ' ORDER BY relname) FROM pg_class "
                      "WHERE relname IN ('saga', 'saga_open', 'saga_log') AND relkind = 'r'")


class Copier:
    def __init__(self, login: Login, order: Order, table: str, also: str | None, source: str, columns: dict[str, str]):
        self.login = login
        self.order = order
        names = ask(login, f"SELECT string_agg(quote_ident(attname), ',' ORDER BY attnum) FROM pg_attribute "
                           f"WHERE attrelid = '{table}'::regclass AND attnum > 0 AND NOT attisdropped").split(",")
        values = ", ".join(columns.get(name, f"{source}.{name}") for name in names)
        self.sql = (f"INSERT INTO {table} ({', '.join(names)}) SELECT {values} FROM " + COPIES + (f" JOIN {also}" if also else ""))

    def run(self, report: Callable[[str], None]) -> None:
        total = self.order.total
        for first in range(0, total, CHUNK):
            last = min(first + CHUNK, total) - 1
            ask(self.login, SESSION + self.sql % {"open": self.order.open, "total": total, "first": first, "last": last})
            if (last + 1) % 1_000_000 == 0 or last + 1 == total:
                report(f"{last + 1:,} of {total:,} rows")


def together(parts: list[Callable[[], None]]) -> None:
    """At the same time; the first error of any counts."""
    errors: list[BaseException] = []

    def run(part: Callable[[], None]) -> None:
        try:
            part()
        except BaseException as error:  # noqa: BLE001 - raised again by whoever waits
            errors.append(error)

    threads = [threading.Thread(target=run, args=(part,)) for part in parts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
