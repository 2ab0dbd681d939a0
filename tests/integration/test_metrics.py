"""/metrics of every process: names and units by Prometheus' conventions, and docs/metrics.md says what there is.

After a change of metrics: AMENDS_WRITE_DOCS=1 tests/run --integration -k metrics, and look at the diff.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
import requests
import yaml
from conftest import ROOT
from shop_client import Shop, wait_until

DOCS = ROOT / "docs" / "metrics.md"
ALERTS = ROOT / "deploy" / "alerts.yaml"
BEGIN, END = "<!-- begin: made from /metrics -->\n", "<!-- end -->\n"
# One service of each kind; the participants are alike.
KINDS = {
    "coordinator": "saga-coordinator",
    "registry": "schema-registry",
    "payment": "order-, payment-, inventory-, shipping-service",
    "checkout": "checkout-service",
}
SERIES = re.compile(r'([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)')
LABEL = re.compile(r'([a-z_]+)="((?:[^"\\]|\\.)*)"')


@dataclass
class Family:
    name: str
    help: str
    type: str = ""
    labels: dict[str, set[str]] = field(default_factory=dict)
    series: dict[str, float] = field(default_factory=dict)


def scrape(url: str) -> dict[str, Family]:
    """Reads the text format strictly: help and type first, every series in its family's block, no series twice."""
    answer = requests.get(f"{url}/metrics", timeout=10)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    families: dict[str, Family] = {}
    family = Family("", "")
    for line in answer.text.splitlines():
        if line.startswith("# HELP "):
            name, _, text = line.removeprefix("# HELP ").partition(" ")
            assert name not in families, f"{name} is described twice"
            family = families[name] = Family(name, text)
        elif line.startswith("# TYPE "):
            name, _, kind = line.removeprefix("# TYPE ").partition(" ")
            assert name == family.name
            family.type = kind
        else:
            match = SERIES.fullmatch(line)
            assert match, line
            name, labels, value = match.groups()
            suffixes = ("_bucket", "_sum", "_count") if family.type == "histogram" else ("",)
            assert name in [family.name + suffix for suffix in suffixes], f"{name} is not of {family.name}"
            key = f"{name}{{{labels or ''}}}"
            assert key not in family.series, f"{key} is there twice"
            family.series[key] = float(value)
            for label, text in LABEL.findall(labels or ""):
                if label != "le":
                    family.labels.setdefault(label, set()).add(text)
    return families


def rows(families: dict[str, Family]) -> Iterator[str]:
    for family in families.values():
        labels = "; ".join(describe(name, values) for name, values in family.labels.items()) or "–"
        yield f"| `{family.name}` | {family.type} | {labels} | {family.help} |"


def describe(name: str, values: set[str]) -> str:
    """Short lists are shown whole; the RPCs and their codes are in the API's own documents, definitions are whoever's."""
    is_long = len(values) > 8 or name.startswith("grpc_") or name == "definition"
    return f"`{name}`" if is_long else f"`{name}`: {', '.join(sorted(values))}"


def table(scraped: dict[str, dict[str, Family]]) -> str:
    common = {name for name in next(iter(scraped.values())) if all(name in families for families in scraped.values())}
    sections = [("Every process", {name: family for name, family in next(iter(scraped.values())).items() if name in common})]
    sections += [
        (KINDS[kind], {name: family for name, family in families.items() if name not in common})
        for kind, families in scraped.items()
    ]
    text = ""
    for title, families in sections:
        text += f"\n## {title}\n\n| name | type | labels | meaning |\n|---|---|---|---|\n"
        text += "".join(f"{row}\n" for row in sorted(rows(families)))
    return text + "\n"


@pytest.fixture(scope="module")
def scraped(stack) -> dict[str, dict[str, Family]]:
    return {kind: scrape(stack.http_url(kind)) for kind in KINDS}


def test_documented_metrics_are_those_that_there_are(scraped: dict[str, dict[str, Family]]) -> None:
    wanted = table(scraped)
    head, _, rest = DOCS.read_text().partition(BEGIN)
    written, _, tail = rest.partition(END)
    if os.environ.get("AMENDS_WRITE_DOCS"):
        DOCS.write_text(head + BEGIN + wanted + END + tail)
        written = wanted
    assert written == wanted, "docs/metrics.md is old; this file's first lines say how it is made"


def test_names_and_units_follow_the_conventions(scraped: dict[str, dict[str, Family]]) -> None:
    wrong = []
    for families in scraped.values():
        for family in families.values():
            is_good = (
                re.fullmatch(r"[a-z][a-z0-9_]*", family.name)
                and family.help.endswith(".")
                and family.type in ("counter", "gauge", "histogram")
                and (family.type == "counter") == family.name.endswith("_total")
                and not re.search(r"_(ms|us|millis|kb|mb)(_|$)", family.name)
            )
            if not is_good:
                wrong.append(f"{family.name} ({family.type}): {family.help}")
    assert not wrong, "\n".join(wrong)


def test_series_stay_bounded_under_traffic(stack, shop: Shop) -> None:
    """Ids, keys and names from outside never become labels, but for a few definitions that had stuck sagas."""

    def count() -> dict[str, int]:
        scraped = {kind: scrape(stack.http_url(kind)) for kind in KINDS}
        assert len(scraped["coordinator"].pop("saga_stuck").series) <= 33
        return {kind: sum(len(family.series) for family in families.values()) for kind, families in scraped.items()}

    before = count()
    for number in range(5):
        status, answer = shop.checkout(userId=f"user-{number}")
        assert status == 200, answer
    assert count() == before


def test_a_failed_inventory_is_told_by_the_counters(stack, shop: Shop) -> None:
    def value(kind: str, series: str) -> float:
        name = series.partition("{")[0]
        family = scrape(stack.http_url(kind))[re.sub(r"_(count|sum|bucket)$", "", name)]
        return family.series[series if "{" in series else series + "{}"]

    watched = {
        ("coordinator", "saga_started_total"): 1,
        ("coordinator", 'saga_finished_total{outcome="compensated"}'): 1,
        ("coordinator", 'saga_step_seconds_count{phase="forward",outcome="succeeded"}'): 2,
        ("coordinator", 'saga_step_seconds_count{phase="forward",outcome="rejected"}'): 1,
        ("coordinator", 'saga_step_seconds_count{phase="compensation",outcome="succeeded"}'): 2,
        ("payment", 'participant_commands_total{result="succeeded"}'): 2,
        ("checkout", 'checkout_requests_total{outcome="failed"}'): 1,
        (
            "coordinator",
            'grpc_server_handled_total{grpc_service="saga.v1.SagaService",grpc_method="StartSaga",grpc_code="OK"}',
        ): 1,
    }
    before = {key: value(*key) for key in watched}
    status, answer = shop.checkout(forceInventoryFail=True)
    assert (status, answer["step"]) == (200, "INVENTORY_FAILED")

    def risen() -> bool:
        return {key: value(*key) - before[key] for key in watched} == watched

    wait_until(risen, f"the counters rise by {watched}")


def test_alerts_name_metrics_that_exist(scraped: dict[str, dict[str, Family]]) -> None:
    known = {name for families in scraped.values() for name in families}
    groups = yaml.safe_load(ALERTS.read_text())["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    assert len(rules) >= 6
    for rule in rules:
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert {"summary", "description"} <= rule["annotations"].keys()
        used = set(re.findall(r"\b(?:saga|participant|checkout|registry|grpc|process)_[a-z_]+", rule["expr"]))
        used -= {"grpc_service", "grpc_method", "grpc_code"}
        assert used
        for name in used:
            assert name in known or re.sub(r"_(count|sum|bucket)$", "", name) in known, (rule["alert"], name)
