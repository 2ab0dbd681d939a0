"""The soak benchmark's lines, and what they say of growth. Touches nothing outside."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

TABLES = ("saga", "saga_open", "saga_log", "saga_feed")
PARTS = ("table_mb", "indexes_mb")

# Rows as Postgres counts them, not exactly; what its sessions did in the last second may be missing.
TABLES_SQL = f"""
    SELECT json_object_agg(relname, json_build_object(
        'table_mb', round(pg_table_size(relid) / 1048576.0, 1), 'indexes_mb', round(pg_indexes_size(relid) / 1048576.0, 1),
        'live_rows', n_live_tup, 'dead_rows', n_dead_tup, 'vacuums', autovacuum_count))
    FROM pg_stat_user_tables WHERE relname IN ({", ".join(f"'{name}'" for name in TABLES)})"""

HEAD = ("  after s   sagas/s    p99 ms   Postgres us   HOT %  others %   rows      MB of table + indexes: "
        + "   ".join(TABLES))


def line(one: Mapping[str, Any]) -> str:
    tables = one["tables"]
    sizes = "   ".join(f"{tables[name]['table_mb']:,.0f} + {tables[name]['indexes_mb']:,.0f}" for name in TABLES)
    hot = "-" if one["hot_percent"] is None else f"{one['hot_percent']:.1f}"
    failed = f"   failures {one['failures']}" if one["failures"] else ""
    return (f"{one['after_s']:>9,} {one['sagas_per_s']:>9,.0f} {one['p99_ms']:>9,.0f} {one['cpu_us_per_saga'].get('postgres', 0):>13,.0f}"
            f" {hot:>7} {one['machine_percent']['others']:>9.0f} {tables['saga']['live_rows']:>9,}   {sizes}{failed}")


def growth(rounds: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Percent, of the median of the last quarter over that of the second quarter, by which the tables have filled. Empty: too few."""
    quarter = len(rounds) // 4
    found: dict[str, float] = {}
    if quarter == 0:
        return found
    for name in TABLES:
        for part in PARTS:
            early, late = (statistics.median(one["tables"][name][part] for one in some)
                           for some in (rounds[quarter:2 * quarter], rounds[-quarter:]))
            found[f"{name}.{part}"] = round(100 * (late / early - 1), 1) if early else 0.0
    return found


def growth_text(found: Mapping[str, float]) -> str:
    if not found:
        return "too short to tell growth: four times --every, at least"
    words = (f"{name} {percent:+.1f} %" for name, percent in found.items())
    return "the last quarter beside the second: " + ", ".join(words)
