"""The benchmark's figures from what was sampled: arithmetic, the JSON's shape, and the text. Touches nothing outside."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

IDLE, IOWAIT, STEAL = 3, 4, 7  # places in the machine's ticks


def spread(values: Sequence[float], digits: int = 1) -> dict[str, float]:
    return {"min": round(min(values), digits), "median": round(statistics.median(values), digits),
            "max": round(max(values), digits)}


def grown(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, float]:
    return {name: value - before.get(name, 0) for name, value in after.items()}


def machine_shares(before: Sequence[int], after: Sequence[int], spent_ticks: int) -> dict[str, float]:
    """Percent of the machine: idle, taken by the hypervisor, and used by processes that are none of the benchmark's."""
    ticks = [late - early for early, late in zip(before, after)]
    total = max(sum(ticks), 1)
    idle = ticks[IDLE] + ticks[IOWAIT]
    return {"idle": round(100 * idle / total, 1), "steal": round(100 * ticks[STEAL] / total, 1),
            "others": round(max(0.0, 100 * (total - idle - ticks[STEAL] - spent_ticks) / total), 1)}


def figures(event: Mapping[str, Any], before: Any, after: Any, ticks_per_s: int) -> dict[str, Any]:
    """Of one measurement. `event` is what the client (or the floor) said; `before` and `after` are samples."""
    sagas = max(event["sagas"], 1)
    spent = grown(before.cpu_ticks, after.cpu_ticks)
    postgres = grown(before.postgres, after.postgres)
    counted = grown(before.coordinator, after.coordinator)
    kafka = grown(before.kafka_bytes, after.kafka_bytes)
    one = {
        "sagas_per_s": round(event["sagas"] / event["seconds"], 1),
        **{name: event[name] for name in ("p50_ms", "p99_ms", "p999_ms", "max_ms", "sagas", "failures", "overdue", "seconds")},
        "cpu_us_per_saga": {name: round(ticks * 1e6 / ticks_per_s / sagas, 1) for name, ticks in spent.items()},
        "rss_mb": {name: round(megabytes, 1) for name, megabytes in after.rss_mb.items()},
        "wal_bytes_per_saga": round(postgres["wal_bytes"] / sagas),
        "wal_syncs_per_saga": round(postgres["wal_syncs"] / sagas, 4),
        "commits_per_saga": round(postgres["commits"] / sagas, 4),
        "hot_percent": round(100 * postgres["hot_updates"] / postgres["updates"], 1) if postgres["updates"] else None,
        "kafka_bytes_per_saga": round(sum(kafka.values()) / sagas),
        "machine_percent": machine_shares(before.machine_ticks, after.machine_ticks, sum(spent.values())),
    }
    if counted:
        turns = max(counted["saga_turn_events_count"], 1)
        commits = max(counted["saga_commit_seconds_count"], 1)
        one |= {"resends": int(counted["saga_resends_total"]), "changes_per_turn": round(counted["saga_turn_events_sum"] / turns, 1),
                "commit_ms": round(1000 * counted["saga_commit_seconds_sum"] / commits, 2)}
    return one


def median_of(rounds: Sequence[Mapping[str, Any]], name: str, digits: int = 3) -> float | None:
    values = [one[name] for one in rounds if one.get(name) is not None]
    return round(statistics.median(values), digits) if values else None


MEDIANS = ("p50_ms", "p99_ms", "p999_ms", "wal_bytes_per_saga", "wal_syncs_per_saga", "commits_per_saga", "hot_percent",
           "kafka_bytes_per_saga")


def condense(rounds: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Rounds of one program: medians, of memory the most."""
    names = rounds[0]["cpu_us_per_saga"]
    return {
        **{name: median_of(rounds, name) for name in MEDIANS},
        "cpu_us_per_saga": {name: round(statistics.median(one["cpu_us_per_saga"][name] for one in rounds), 1) for name in names},
        "rss_mb": {name: max(one["rss_mb"][name] for one in rounds) for name in names},
        "failures": sum(one["failures"] + one["overdue"] for one in rounds),
    }


def summarize(case: Mapping[str, Any], ours: Sequence[Mapping[str, Any]], floor: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The JSON. `case` has mode, path, in_flight, and what else is to be said of the run. Figures without a name before
    them are ours; without rounds of the floor, `floor`, `floor_details` and `ratio` are null."""
    ours_rate = spread([one["sagas_per_s"] for one in ours])
    floor_rate = spread([one["sagas_per_s"] for one in floor]) if floor else None
    return {
        "mode": case["mode"], "path": case["path"], "in_flight": case["in_flight"],
        "ours": ours_rate,
        "floor": floor_rate,
        "ratio": round(ours_rate["median"] / floor_rate["median"], 3) if floor_rate and floor_rate["median"] else None,
        **condense(ours),
        "resends": sum(one.get("resends", 0) for one in ours),
        "changes_per_turn": median_of(ours, "changes_per_turn"),
        "commit_ms": median_of(ours, "commit_ms"),
        "floor_details": condense(floor) if floor else None,
        **{name: value for name, value in case.items() if name not in ("mode", "path", "in_flight")},
        "not_controlled": not_controlled([*ours, *floor]),
        "rounds": {"ours": list(ours), "floor": list(floor)},
    }


def not_controlled(rounds: Sequence[Mapping[str, Any]]) -> list[str]:
    others = [one["machine_percent"]["others"] for one in rounds]
    steal = [one["machine_percent"]["steal"] for one in rounds]
    return [
        "client, broker, database, registry, coordinator and participants share the CPUs",
        f"other processes used {min(others):.0f} to {max(others):.0f} % of the machine, the hypervisor took "
        f"{min(steal):.0f} to {max(steal):.0f} %",
        "CPU frequency, cache and disk are the host's; how long its fsync takes, and whether it reaches a disk, is not known",
        "Kafka acknowledges before it fsyncs; what makes a saga durable is Postgres's commit, with fsync on",
    ]


# ---- text ----

def round_line(name: str, one: Mapping[str, Any]) -> str:
    return (f"  {name:<6}{one['sagas_per_s']:>10,.0f} sagas/s   p50 {one['p50_ms']:.1f} ms   p99 {one['p99_ms']:.1f} ms   "
            f"failures {one['failures'] + one['overdue']}   other processes {one['machine_percent']['others']:.0f} % of the machine")


def text(summary: Mapping[str, Any]) -> str:
    floor, details = summary["floor"], summary["floor_details"]
    lines = [f"{summary['mode']}, {summary['path']}, {summary['in_flight']:,} in flight", ""]
    lines.append(f"{'':<18}{'ours':>14}" + (f"{'floor':>14}" if floor else ""))

    def row(name: str, ours: Any, floors: Any = None, form: str = ",.1f") -> None:
        cells = [ours] + ([floors] if floor else [])
        lines.append(f"{name:<18}" + "".join(f"{'-' if cell is None else format(cell, form):>14}" for cell in cells))

    for which in ("min", "median", "max"):
        row(f"sagas/s {which}", summary["ours"][which], floor and floor[which], ",.0f")
    for name, label, form in (("p50_ms", "p50 ms", ",.2f"), ("p99_ms", "p99 ms", ",.2f"), ("p999_ms", "p99.9 ms", ",.2f"),
                              ("wal_bytes_per_saga", "WAL bytes/saga", ",.0f"), ("kafka_bytes_per_saga", "Kafka bytes/saga", ",.0f"),
                              ("commits_per_saga", "commits/saga", ",.3f"), ("hot_percent", "HOT updates %", ",.1f")):
        row(label, summary[name], details and details[name], form)
    if floor:
        lines.append(f"{'ours : floor':<18}{summary['ratio']:>14.3f}")
    lines.append(f"failures {summary['failures']}, commands sent again {summary['resends']}, "
                 f"{summary['changes_per_turn'] or 0:,.0f} changes a turn, commit {summary['commit_ms'] or 0:.1f} ms")
    lines += ["", f"{'CPU µs a saga':<18}{'ours':>14}" + (f"{'floor':>14}" if floor else "") + f"{'RSS MB':>14}"]
    names = list(summary["cpu_us_per_saga"]) + [name for name in (details or {}).get("cpu_us_per_saga", {})
                                                if name not in summary["cpu_us_per_saga"]]
    for name in names:
        cells = [summary["cpu_us_per_saga"].get(name)] + ([details["cpu_us_per_saga"].get(name)] if floor else [])
        cells.append(summary["rss_mb"].get(name, (details or {}).get("rss_mb", {}).get(name)))
        lines.append(f"{name:<18}" + "".join(f"{'-' if cell is None else format(cell, ',.1f'):>14}" for cell in cells))
    sums = [sum(summary["cpu_us_per_saga"].values())] + ([sum(details["cpu_us_per_saga"].values())] if floor else [])
    lines.append(f"{'all':<18}" + "".join(f"{cell:>14,.1f}" for cell in sums))
    machine = summary.get("machine")
    if machine:
        lines += ["", f"machine   {machine['cpus']} CPUs, {machine['cpu']}, {machine['memory_gb']} GB, Linux {machine['kernel']}; "
                      f"build {machine['build']}, commit {machine['commit']}"]
    lines += ["not controlled:"] + [f"  - {line}" for line in summary["not_controlled"]]
    return "\n".join(lines)
