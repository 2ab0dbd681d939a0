"""The golden bytes of docs/wire-contract.md, held against Confluent's and Google's runtimes (tests/conformance does ours)."""

from __future__ import annotations

import io
import json
import re
import struct
from importlib import import_module
from pathlib import Path

import fastavro
import pytest
from google.protobuf import json_format

ROOT = Path(__file__).resolve().parents[2]
ROW = re.compile(r"^\| `(shop/[^`]+)` \| (\d+) \| `([^`]+)` \| `([0-9a-f]+)` \|$", re.MULTILINE)
CASES = ROW.findall((ROOT / "docs" / "wire-contract.md").read_text())


def test_the_contract_has_golden_bytes() -> None:
    assert len(CASES) >= 7


@pytest.mark.parametrize(("schema", "schema_id", "message", "value"), CASES)
def test_golden_bytes_are_what_others_write(schema: str, schema_id: str, message: str, value: str) -> None:
    prefix = b"\x00" + struct.pack(">I", int(schema_id))
    if schema.endswith(".proto"):
        module = import_module(schema.removesuffix(".proto").replace("/", ".") + "_pb2")
        name = "".join(part.capitalize() for part in Path(schema).stem.split("_"))
        encoded = json_format.Parse(message, getattr(module, name)())
        body = b"\x00" + encoded.SerializeToString(deterministic=True)
    else:
        parsed = fastavro.parse_schema(json.loads((ROOT / "proto" / schema).read_text()))
        out = io.BytesIO()
        fastavro.schemaless_writer(out, parsed, json.loads(message))
        body = out.getvalue()
    assert (prefix + body).hex() == value
