"""The figures of tests/bench/instances: arithmetic, the JSON's shape, and the text. Touches nothing outside."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

import report


def by_kind(cpu_us: Mapping[str, float]) -> dict[str, float]:
    """Both coordinators together, and both participants."""
    found: dict[str, float] = {}
    for name, value in cpu_us.items():
        kind = name.removesuffix("-2")
        found[kind] = round(found.get(kind, 0) + value, 1)
    return found


def condense(rounds: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    kinds = [by_kind(one["cpu_us_per_saga"]) for one in rounds]
    cpu = {name: round(statistics.median(kind[name] for kind in kinds), 1) for name in kinds[0]}
    return {"sagas_per_s": report.spread([one["sagas_per_s"] for one in rounds]), "cpu_us_per_saga": cpu,
            "cpu_us_per_saga_all": round(sum(cpu.values()), 1),
            **{name: report.median_of(rounds, name) for name in ("p50_ms", "p99_ms", "commits_per_saga", "wal_bytes_per_saga")},
            "failures": sum(one["failures"] + one["overdue"] for one in rounds)}


def summarize(in_flight: int, rounds: Mapping[str, Sequence[Mapping[str, Any]]], moves: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    one, two = (condense(rounds[name]) if rounds[name] else None for name in ("one", "two"))
    return {"in_flight": in_flight, "one": one, "two": two,
            "ratio": round(two["sagas_per_s"]["median"] / one["sagas_per_s"]["median"], 3) if one and two else None,
            "cpu_ratio": round(two["cpu_us_per_saga_all"] / one["cpu_us_per_saga_all"], 3) if one and two else None,
            "moves": list(moves), "rounds": {name: list(found) for name, found in rounds.items()}}


def round_line(name: str, one: Mapping[str, Any]) -> str:
    kinds = "  ".join(f"{kind} {value:.0f}" for kind, value in by_kind(one["cpu_us_per_saga"]).items())
    return f"{report.round_line(name, one)}\n        CPU µs a saga: {kinds}"


def move_line(move: Mapping[str, Any]) -> str:
    back = f" and started again (ready after {move['ready_s'] or move['ended_s']:.2f} s)" if move["is_restarted"] else ""
    return f"  {move['killed']} killed{back}: all {move['open']:,} open sagas had ended after {move['ended_s']:.2f} s"


def text(summary: Mapping[str, Any]) -> str:
    lines = [f"{summary['in_flight']:,} in flight"]
    for name in ("one", "two"):
        found = summary[name]
        if found:
            lines.append(f"{name} of each: {found['sagas_per_s']['median']:,.0f} sagas/s ({found['sagas_per_s']['min']:,.0f} to "
                         f"{found['sagas_per_s']['max']:,.0f}), {found['cpu_us_per_saga_all']:,.0f} µs of CPU a saga, p99 "
                         f"{found['p99_ms']:,.0f} ms, {found['commits_per_saga']:.3f} commits a saga")
    if summary["ratio"]:
        lines.append(f"two : one = {summary['ratio']:.2f} of the throughput, {summary['cpu_ratio']:.2f} of the CPU time a saga")
    lines += [move_line(move) for move in summary["moves"]]
    return "\n".join(lines)
