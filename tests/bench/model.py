"""What a rate of sagas needs, from what one saga cost in a benchmark: arithmetic alone, nothing is measured here."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MICROSECONDS = 1e6
MEGABYTE = 1e6

# What is taken from a result beside the participants' time and the stored bytes.
POSITIVE = ("cpu_us_per_saga.coordinator", "cpu_us_per_saga.postgres", "cpu_us_per_saga.kafka", "wal_bytes_per_saga", "kafka_bytes_per_saga")
NUMBERS = ("wal_syncs_per_saga",)


@dataclass(frozen=True)
class Cost:
    """Of one saga."""
    coordinator_us: float
    postgres_us: float
    kafka_us: float
    participant_us: float
    wal_bytes: float
    wal_syncs: float
    kafka_bytes: float
    stored_bytes: float  # in the coordinator's database


@dataclass(frozen=True)
class Machine:
    cores: int = 8
    use: float = 0.6  # of a core's time that is to be planned with
    wal_mb_per_s: float = 200
    syncs_per_s: float = 1000
    network_mb_per_s: float = 500
    replicas: int = 3
    engine_share: float = 0.35  # of the coordinator's time, what its one engine thread does


def cost_of(result: Mapping[str, Any]) -> Cost:
    """From the JSON of tests/bench/run. Postgres's time and WAL are the whole server's: with the inboxes, where the mode has them."""
    cpu, sizes = result["cpu_us_per_saga"], result.get("floor_sizes") or {}
    servers = {"coordinator", "postgres", "kafka", "registry", "client"}
    return Cost(cpu["coordinator"], cpu["postgres"], cpu["kafka"], sum(value for name, value in cpu.items() if name not in servers),
                result["wal_bytes_per_saga"], result["wal_syncs_per_saga"], result["kafka_bytes_per_saga"],
                # Half of each page of the sagas' table stays free.
                2 * sizes.get("row_bytes", 0) + sizes.get("log_rows", 0) * sizes.get("log_bytes", 0))


def coordinator_limits(cost: Cost, machine: Machine) -> dict[str, float]:
    """Sagas a second of one coordinator. Its turn computes, then waits for its commit: the engine thread's time and that of its one
    connection add up, however many cores there are."""
    serial_us = machine.engine_share * cost.coordinator_us + cost.postgres_us
    return {"one engine thread and its connection": machine.use * MICROSECONDS / serial_us,
            "cores": machine.cores * machine.use * MICROSECONDS / cost.coordinator_us}


def cell_limits(cost: Cost, machine: Machine) -> dict[str, float]:
    """Sagas a second of one Postgres, whatever number of coordinators it has."""
    limits = {"Postgres's cores": machine.cores * machine.use * MICROSECONDS / cost.postgres_us,
              "Postgres's WAL": machine.use * machine.wal_mb_per_s * MEGABYTE / cost.wal_bytes}
    if cost.wal_syncs > 0:
        limits["Postgres's fsyncs"] = machine.use * machine.syncs_per_s / cost.wal_syncs
    return limits


def broker_limits(cost: Cost, machine: Machine) -> dict[str, float]:
    """Sagas a second of one broker, if it led every partition. A follower is taken to cost what the leader does, which is too much.
    Each byte comes in once, and goes out to a consumer and to the followers."""
    return {"a broker's cores": machine.cores * machine.use * MICROSECONDS / (cost.kafka_us * machine.replicas),
            "a broker's network": machine.use * machine.network_mb_per_s * MEGABYTE / (cost.kafka_bytes * machine.replicas)}


def tightest(limits: Mapping[str, float]) -> tuple[str, float]:
    name = min(limits, key=lambda each: limits[each])
    return name, limits[name]


def plan(cost: Cost, machine: Machine, rate: float) -> dict[str, Any]:
    """What that many sagas a second need, with one of each to spare."""
    coordinator_why, coordinator_max = tightest(coordinator_limits(cost, machine))
    cell_why, cell_max = tightest(cell_limits(cost, machine))
    broker_why, broker_max = tightest(broker_limits(cost, machine))
    cells = math.ceil(rate / cell_max)
    return {
        "rate": rate,
        "cells": cells, "cell_limit": cell_why,
        "coordinators": cells * (math.ceil(rate / cells / coordinator_max) + 1), "coordinator_limit": coordinator_why,
        "brokers": cells * max(machine.replicas, math.ceil(rate / cells / broker_max) + 1), "broker_limit": broker_why,
        "participant_threads": math.ceil(rate * cost.participant_us / MICROSECONDS / machine.use) + 1,
        "wal_mb_per_s": round(rate * cost.wal_bytes / MEGABYTE, 1),
        "kafka_mb_per_s": round(rate * cost.kafka_bytes / MEGABYTE, 1),
        "stored_gb_per_day": round(rate * cost.stored_bytes * 86400 / 1e9, 1),
    }


def rate_text(rate: float) -> str:
    return f"{rate:,.0f}" if rate >= 100 else f"{rate:g}"


def text(cost: Cost, machine: Machine, plans: Sequence[Mapping[str, Any]]) -> str:
    lines = [f"a saga: coordinator {cost.coordinator_us:.0f} µs, Postgres {cost.postgres_us:.0f} µs, Kafka {cost.kafka_us:.0f} µs, participants "
             f"{cost.participant_us:.0f} µs of CPU; {cost.wal_bytes:,.0f} bytes of WAL, {cost.wal_syncs:.3f} fsyncs, {cost.kafka_bytes:,.0f} "
             f"bytes to Kafka, {cost.stored_bytes:,.0f} bytes stored", ""]
    for what, limits in (("a coordinator", coordinator_limits(cost, machine)), ("a cell (one Postgres)", cell_limits(cost, machine)),
                         ("a broker", broker_limits(cost, machine))):
        lines.append(f"{what}: " + ", ".join(f"{limit:,.0f} sagas/s by {name}" for name, limit in sorted(limits.items(), key=lambda i: i[1])))
    lines += ["", "| sagas/s | cells | coordinators | brokers | participant threads | WAL MB/s | Kafka MB/s | stored GB a day |",
              "|---|---|---|---|---|---|---|---|"]
    lines += [f"| {rate_text(one['rate'])} | {one['cells']} | {one['coordinators']} | {one['brokers']} | {one['participant_threads']} | "
              f"{one['wal_mb_per_s']:,.1f} | {one['kafka_mb_per_s']:,.1f} | {one['stored_gb_per_day']:,.0f} |" for one in plans]
    return "\n".join(lines)
