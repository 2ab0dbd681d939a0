"""The overload benchmark's figures from what was sampled. Touches nothing outside."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import report

TICKS = os.sysconf("SC_CLK_TCK")
QUANTILES = ("p50_ms", "p99_ms", "max_ms")


def figures(times: float, rate: int, said: Mapping[str, Any], before: Any, after: Any) -> dict[str, Any]:
    """Of one level. `said` is what bench-offer told; `before` and `after` are samples."""
    one = report.figures(said, before, after, TICKS)
    seconds = said["seconds"]
    answered = said["accepted"]["count"] + said["shed"]["count"]
    return {
        "times": times, "offered_per_s": rate,
        "finished_per_s": one["sagas_per_s"],
        "accepted_per_s": round(said["accepted"]["count"] / seconds, 1),
        "shed_per_s": round(said["shed"]["count"] / seconds, 1),
        "unanswered_per_s": round(max(0.0, rate - answered / seconds), 1),
        "saga": {name: said[name] for name in QUANTILES},
        "accepted": {name: said["accepted"][name] for name in QUANTILES},
        "shed": {name: said["shed"][name] for name in QUANTILES},
        "failures": said["failures"], "unsent": said["overdue"],
        **{name: one[name] for name in ("cpu_us_per_saga", "rss_mb", "resends", "changes_per_turn", "commit_ms", "machine_percent")},
        "client_cpu_percent": client_share(before, after),
    }


def client_share(before: Any, after: Any) -> float:
    """Percent of all CPU time of the machine that the client took: what is left is what the others had to work with."""
    total = sum(after.machine_ticks) - sum(before.machine_ticks)
    return round(100 * (after.cpu_ticks["client"] - before.cpu_ticks["client"]) / max(total, 1), 1)


def rest_text(level: Mapping[str, Any]) -> str:
    """What is missing to the offered starts, of the numbers as they are printed."""
    rest = level["offered_per_s"] - round(level["accepted_per_s"]) - round(level["shed_per_s"])
    return f"unanswered {rest:,}/s" if rest >= 0 else f"{-rest:,}/s of these offered in the warm-up"


def line(level: Mapping[str, Any]) -> str:
    drain = "not within the time" if level["drain_s"] is None else f"{level['drain_s']:.1f} s"
    shed = level["shed"]
    refusal = f"p50 {shed['p50_ms']:,.1f} ms, p99 {shed['p99_ms']:,.1f} ms" if level["shed_per_s"] else "-"
    return (f"  {level['times']:g}x: offered {level['offered_per_s']:,}/s, accepted {level['accepted_per_s']:,.0f}/s, shed "
            f"{level['shed_per_s']:,.0f}/s, {rest_text(level)}, finished {level['finished_per_s']:,.0f}/s\n"
            f"      saga p50 {level['saga']['p50_ms']:,.0f} ms, p99 {level['saga']['p99_ms']:,.0f} ms; answer p50 "
            f"{level['accepted']['p50_ms']:,.0f} ms, p99 {level['accepted']['p99_ms']:,.0f} ms; refusal {refusal}\n"
            f"      {level['open_at_end']:,} open at the end, gone after {drain}; coordinator {level['coordinator_mb']:.0f} MB, client "
            f"{level['client_cpu_percent']:.0f} % of the machine, failures {level['failures']}, not sent {level['unsent']}, sent again "
            f"{level['resends']}")
