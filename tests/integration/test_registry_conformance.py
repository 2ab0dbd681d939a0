"""The registry keeps to Confluent's API: the cases are data, in tests/conformance/registry_cases.py."""

from __future__ import annotations

import sys
import uuid
from typing import Any

import pytest
from conftest import ROOT
from shop_client import http

sys.path.insert(0, str(ROOT / "tests" / "conformance"))

from registry_cases import CASES  # noqa: E402

CONTENT = {"Content-Type": "application/vnd.schemaregistry.v1+json"}


def fill(thing: Any, names: dict[str, Any]) -> Any:
    """`{s}` and `{id}` in every text; a text that is only `{id}` becomes the number."""
    if thing == "{id}":
        return names["id"]
    if isinstance(thing, str):
        return thing.replace("{s}", names["s"]).replace("{id}", str(names.get("id", "")))
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
    for number, (method, path, body, status, expected) in enumerate(CASES[name], 1):
        what = f"step {number}: {method} {path}"
        found, answer = http(method, shop.endpoints["REGISTRY_URL"] + fill(path, names), fill(body, names), CONTENT)
        assert found == status, f"{what}: {found} {answer!r}"
        expect(answer, fill(expected, names), what)
        if isinstance(answer, dict) and "id" in answer:
            names.setdefault("id", answer["id"])
