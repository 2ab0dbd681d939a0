"""What is read of the machine at the two ends of a measurement: CPU time, the broker's files, Postgres's counters."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from processes import cpu_ticks, memory_mb
from stack.postgres import Login, psql

COORDINATOR_COUNTERS = ("saga_resends_total", "saga_turn_events_sum", "saga_turn_events_count", "saga_commit_seconds_sum",
                        "saga_commit_seconds_count")


@dataclass(frozen=True)
class Sample:
    cpu_ticks: Mapping[str, int]  # by process
    rss_mb: Mapping[str, float]  # likewise
    machine_ticks: list[int]  # /proc/stat: user nice system idle iowait irq softirq steal
    coordinator: Mapping[str, float]  # counters; empty where it is not what is measured
    postgres: Mapping[str, float]
    kafka_bytes: Mapping[str, int]  # by topic


class Sampler:
    """`table` is the one with a saga's row; `pids` may grow."""

    def __init__(self, pids: Mapping[str, int], login: Login, table: str, kafka_log: Path, http_port: int | None):
        self.pids = dict(pids)
        self.login = login
        self.table = table
        self.kafka_log = kafka_log
        self.http_port = http_port

    def take(self) -> Sample:
        ticks = {name: cpu_ticks(pid) for name, pid in self.pids.items()}
        rss_mb = {name: memory_mb(pid) for name, pid in self.pids.items()}  # now: the program ends soon
        machine = [int(field) for field in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
        counters = read_counters(self.http_port) if self.http_port else {}
        return Sample(ticks, rss_mb, machine, counters, read_postgres(self.login, self.table), topic_bytes(self.kafka_log))


def read_counters(http_port: int) -> dict[str, float]:
    with urllib.request.urlopen(f"http://127.0.0.1:{http_port}/metrics", timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    rows = (line.rsplit(" ", 1) for line in lines if line and not line.startswith("#"))
    return {name: float(value) for name, value in rows if name in COORDINATOR_COUNTERS}


def read_postgres(login: Login, table: str) -> dict[str, float]:
    """WAL and commits are the whole server's; of the tables' counters, sessions report theirs about once a second."""
    text = psql(login, f"""
        SELECT json_build_object(
            'wal_bytes', pg_current_wal_lsn() - '0/0'::pg_lsn,
            'wal_syncs', (SELECT wal_sync FROM pg_stat_wal),
            'commits', (SELECT sum(xact_commit) FROM pg_stat_database),
            'updates', (SELECT coalesce(sum(n_tup_upd), 0) FROM pg_stat_user_tables WHERE relname = '{table}'),
            'hot_updates', (SELECT coalesce(sum(n_tup_hot_upd), 0) FROM pg_stat_user_tables WHERE relname = '{table}'),
            'sagas', (SELECT coalesce(sum(n_tup_ins), 0) FROM pg_stat_user_tables WHERE relname = '{table}'),
            'log_rows', (SELECT coalesce(sum(n_tup_ins), 0) FROM pg_stat_user_tables WHERE relname = '{table}_log'))""")
    return {name: float(value) for name, value in json.loads(text).items()}


def topic_bytes(kafka_log: Path) -> dict[str, int]:
    """What the broker has written, by topic; a folder is one partition."""
    found: dict[str, int] = {}
    for folder in kafka_log.iterdir():
        topic, _, partition = folder.name.rpartition("-")
        if topic and partition.isdigit():
            found[topic] = found.get(topic, 0) + sum(file.stat().st_size for file in folder.glob("*.log"))
    return found
