#!/usr/bin/python3
"""Draws results of tests/bench/run as an SVG: sagas a second of ours and of the floor, and latency, by sagas in flight.

usage: plot.py --svg FILE RESULT.json…
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from arguments import output_file
from results import BadResult, read_result

WIDTH, PANEL, LEFT, RIGHT, TOP, BOTTOM = 720, 300, 84, 24, 44, 56
OURS, FLOOR, P50, P99 = "#1f77b4", "#8c8c8c", "#2ca02c", "#d62728"


def decade(value: float, up: bool) -> float:
    exponent = math.log10(max(value, 1e-3))
    return 10 ** (math.ceil(exponent) if up else math.floor(exponent))


class Panel:
    """Bars over a logarithmic scale, one group for each label."""

    def __init__(self, title: str, unit: str, top: int, labels: Sequence[str], low: float, high: float):
        self.low, self.high = decade(low, False), decade(high, True)
        if self.high <= self.low:
            self.high = self.low * 10
        self.top, self.labels = top, labels
        self.parts = [f'<text x="{LEFT}" y="{top + 24}" font-size="15" font-weight="bold">{escape(title)}</text>']
        self._axes(unit)

    def x(self, group: int) -> float:
        return LEFT + (group + 0.5) * (WIDTH - LEFT - RIGHT) / len(self.labels)

    def y(self, value: float) -> float:
        share = (math.log10(max(value, self.low)) - math.log10(self.low)) / (math.log10(self.high) - math.log10(self.low))
        return self.top + PANEL - BOTTOM - share * (PANEL - TOP - BOTTOM)

    def _axes(self, unit: str) -> None:
        value = self.low
        while value <= self.high * 1.001:
            y = self.y(value)
            self.parts.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#ddd"/>'
                              f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end" font-size="12">{value:,g}</text>')
            value *= 10
        self.parts.append(f'<text x="{LEFT - 8}" y="{self.top + TOP - 8}" text-anchor="end" font-size="12">{escape(unit)}</text>')
        for group, label in enumerate(self.labels):
            self.parts.append(f'<text x="{self.x(group):.1f}" y="{self.top + PANEL - BOTTOM + 18}" text-anchor="middle" '
                              f'font-size="12">{escape(label)}</text>')

    def bar(self, group: int, place: int, places: int, value: float, color: str, whisker: tuple[float, float] | None = None) -> None:
        width = min(44.0, (WIDTH - LEFT - RIGHT) / len(self.labels) / (places + 1))
        x = self.x(group) + (place - places / 2) * width
        y, bottom = self.y(value), self.top + PANEL - BOTTOM
        self.parts.append(f'<rect x="{x:.1f}" y="{y:.1f}" width="{width - 3:.1f}" height="{max(bottom - y, 0):.1f}" fill="{color}"/>'
                          f'<text x="{x + width / 2:.1f}" y="{y - 4:.1f}" text-anchor="middle" font-size="11">{number(value)}</text>')
        if whisker:
            middle = x + (width - 3) / 2
            self.parts.append(f'<line x1="{middle:.1f}" x2="{middle:.1f}" y1="{self.y(whisker[0]):.1f}" '
                              f'y2="{self.y(whisker[1]):.1f}" stroke="#000"/>')

    def legend(self, entries: Sequence[tuple[str, str]]) -> None:
        x = LEFT
        for text, color in entries:
            y = self.top + PANEL - 20
            self.parts.append(f'<rect x="{x}" y="{y}" width="12" height="12" fill="{color}"/>'
                              f'<text x="{x + 18}" y="{y + 11}" font-size="12">{escape(text)}</text>')
            x += 40 + 7 * len(text)


def number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def label_of(result: Mapping[str, Any], has_one_mode: bool) -> str:
    in_flight = f"{result['in_flight']:,}"
    return in_flight if has_one_mode else f"{result['mode']}, {result['path']}, {in_flight}"


def svg(results: Sequence[Mapping[str, Any]]) -> str:
    """One file for all: results in order of mode, path and sagas in flight."""
    results = sorted(results, key=lambda one: (one["mode"], one["path"], one["in_flight"]))
    cases = {(one["mode"], one["path"]) for one in results}
    has_one = len(cases) == 1
    labels = [label_of(one, has_one) for one in results]
    what = f"{results[0]['mode']}, {results[0]['path']} path, by sagas in flight" if has_one else "by mode, path and sagas in flight"
    rates = [one[who]["median"] for one in results for who in ("ours", "floor") if one[who]]
    rate = Panel(f"Sagas a second: {what}", "sagas/s", 0, labels, min(rates), max(rates))
    times = [one[name] for one in results for name in ("p50_ms", "p99_ms")]
    latency = Panel(f"Latency: {what}", "ms", PANEL, labels, min(times), max(times))
    for group, one in enumerate(results):
        for place, (who, color) in enumerate((("ours", OURS), ("floor", FLOOR))):
            if one[who]:
                rate.bar(group, place, 2, one[who]["median"], color, (one[who]["min"], one[who]["max"]))
        latency.bar(group, 0, 2, one["p50_ms"], P50)
        latency.bar(group, 1, 2, one["p99_ms"], P99)
    rate.legend([("ours (median, min to max)", OURS), ("floor", FLOOR)])
    latency.legend([("ours, p50", P50), ("ours, p99", P99)])
    return "\n".join([f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{2 * PANEL}" font-family="sans-serif">',
                      f'<rect width="{WIDTH}" height="{2 * PANEL}" fill="#fff"/>', *rate.parts, *latency.parts, "</svg>", ""])


SPREAD = ("min", "median", "max")


def read(path: Path) -> dict[str, Any]:
    """What it takes to be drawn; the floor may be null."""
    numbers = [*(f"ours.{which}" for which in SPREAD), "p50_ms", "p99_ms"]
    result = read_result(path, ["in_flight"], numbers, ["mode", "path"])
    result.setdefault("floor", None)
    if result["floor"]:
        read_result(path, [], [f"floor.{which}" for which in SPREAD])
    return result


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--svg", type=output_file, required=True, metavar="FILE", help="what to write")
    parser.add_argument("results", type=Path, nargs="+", metavar="RESULT.json", help="what tests/bench/run --json wrote")
    options = parser.parse_args()
    try:
        found = [read(path) for path in options.results]
    except BadResult as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    options.svg.write_text(svg(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
