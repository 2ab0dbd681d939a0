"""The registry keeps to Confluent's API: the cases are data, in tests/conformance/registry_cases.py."""

from __future__ import annotations

import re
import sys
import uuid
from typing import Any

import pytest
from conftest import ROOT
from shop_client import http

sys.path.insert(0, str(ROOT / "tests" / "conformance"))

from registry_cases import CASES, NEWS, NEWS_HEADER  # noqa: E402

CONTENT = {"Content-Type": "application/vnd.schemaregistry.v1+json"}


def fill(thing: Any, names: dict[str, Any]) -> Any:
    """`{s}`, `{id}` and `{guid}` in every text; a text that is only `{id}` becomes the number."""
    if thing == "{id}":
        return names["id"]
    if isinstance(thing, str):
        for key, value in names.items():
            thing = thing.replace(f"{{{key}}}", str(value))
        return thing
    if isinstance(thing, list):
        return [fill(item, names) for item in thing]
    if isinstance(thing, dict):
        return {key: value if key == "schema" else fill(value, names) for key, value in thing.items()}
    return thing


def expect(answer: Any, expected: Any, what: str) -> None:
    if expected is ...:
        return
    if isinstance(expected, dict):
        assert isinstance(answer, dict), f"{what}: {answer!r}"
        for key, value in expected.items():
            assert key in answer, f"{what}: {key} is missing in {answer!r}"
            expect(answer[key], value, what)
    elif isinstance(expected, list):
        assert isinstance(answer, list) and len(answer) == len(expected), f"{what}: {answer!r}"
        for item, value in zip(answer, expected, strict=True):
            expect(item, value, what)
    else:
        assert answer == expected, what


@pytest.mark.parametrize("name", CASES)
def test_case(shop, name: str) -> None:
    names: dict[str, Any] = {"s": f"conformance-{uuid.uuid4()}"}
    headers = {**CONTENT, **(NEWS_HEADER if name.endswith(NEWS) else {})}
    for number, (method, path, body, status, expected) in enumerate(CASES[name], 1):
        what = f"step {number}: {method} {path}"
        found, answer = http(method, shop.endpoints["REGISTRY_URL"] + fill(path, names), fill(body, names), headers)
        assert found == status, f"{what}: {found} {answer!r}"
        expect(answer, fill(expected, names), what)
        for key in ("id", "guid"):
            if isinstance(answer, dict) and key in answer:
                names.setdefault(key, answer[key])


def test_every_route_has_a_case() -> None:
    """But those of the service itself, which are no part of the API."""
    table = (ROOT / "schema-registry" / "server" / "rest_routes.c").read_text()
    routes = {(method, path) for method, path in re.findall(r'\{"([A-Z]+)", "([^"]+)",', table)}
    service = {("GET", path) for path in ("/health", "/livez", "/readyz", "/metrics")}
    assert routes > service

    def route(method: str, path: str) -> tuple[str, str] | None:
        parts = path.split("?")[0].strip("/").split("/")
        parts = parts[2:] if parts[0] == "contexts" and len(parts) > 2 else parts
        found = [known for known in routes if known[0] == method and len(pattern := known[1].strip("/").split("/")) == len(parts)
                 and all(there in ("{}", part) for there, part in zip(pattern, parts, strict=True))]
        return min(found, key=lambda known: known[1].count("{}"), default=None)

    assert routes - service - {route(method, path) for steps in CASES.values() for method, path, *_ in steps} == set()


def test_what_an_older_client_does_not_know_is_left_out(shop) -> None:
    subject = f"conformance-{uuid.uuid4()}"
    url = shop.endpoints["REGISTRY_URL"]
    status, answer = http("POST", f"{url}/subjects/{subject}/versions", {"schema": '"int"'}, CONTENT)
    assert (status, list(answer)) == (200, ["id"])
    assert "guid" not in http("GET", f"{url}/subjects/{subject}/versions/1", None, CONTENT)[1]


def test_a_guid_is_one_in_all_contexts(shop) -> None:
    mark = uuid.uuid4()
    url = shop.endpoints["REGISTRY_URL"]
    schema = {"schema": f'{{"type":"fixed","name":"F{mark.hex}","size":1}}'}
    guids = {http("POST", f"{url}/subjects/{context}x{mark}/versions", schema, {**CONTENT, **NEWS_HEADER})[1]["guid"]
             for context in ("", f":.{mark}:")}
    status, ids = http("GET", f"{url}/schemas/guids/{guids.pop()}/ids", None, CONTENT)
    assert not guids
    assert status == 200
    assert [place["context"] for place in ids] == [".", f".{mark}"]
    assert ids[1]["id"] == 1
