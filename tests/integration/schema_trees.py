"""A small tree of schemas in both formats, and what may happen to it: ten breaks at known lines, or only what is harmless."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

ORDER = """\
syntax = "proto3";
package shop;

// Money is shared by all.
import "common/money.proto";

message Order {
  reserved 9;

  string id = 1;
  string note = 2;
  common.Money total = 3;
  oneof buyer {
    string user = 4;
    string guest = 5;
  }
  State state = 6;
}

enum State {
  STATE_NEW = 0;
  STATE_PAID = 1;
  STATE_SENT = 2;
}
"""

MONEY = """\
syntax = "proto3";
package common;

message Money {
  int64 minor = 1;
  string currency = 2;
}
"""

STOCK = """\
{
  "type": "record",
  "name": "Stock",
  "namespace": "shop",
  "fields": [
    {"name": "id", "type": "string"},
    {"name": "price", "type": "Price"},
    {"name": "count", "type": "int", "default": 0},
    {"name": "qty", "type": "long", "default": 0},
    {"name": "colour", "type": {
      "type": "enum",
      "name": "Colour",
      "symbols": ["RED", "GREEN", "BLUE"]
    }}
  ]
}
"""

PRICE = """\
{
  "type": "record", "name": "Price", "namespace": "shop",
  "fields": [
    {"name": "minor", "type": "long"},
    {"name": "currency", "type": "string"}
  ]
}
"""

BASE = {"order.proto": ORDER, "common/money.proto": MONEY, "stock.avsc": STOCK, "parts/price.avsc": PRICE}


@dataclass(frozen=True)
class Break:
    file: str
    old: str
    new: str
    rule: str
    anchor: str  # stands on the line that must be told, in the changed file


BREAKS = (
    # a field's type
    Break("order.proto", "string note = 2;", "int32 note = 2;", "FIELD_SCALAR_KIND_CHANGED", "int32 note = 2;"),
    # a member leaves its oneof
    Break("order.proto", "    string guest = 5;\n  }", "  }\n  string guest = 5;", "ONEOF_FIELD_REMOVED", "string guest = 5;"),
    # a value of an enum goes, and its number is free
    Break("order.proto", "  STATE_PAID = 1;\n", "", "ENUM_VALUE_REMOVED_UNRESERVED", "enum State {"),
    # a number that was given up comes back
    Break("order.proto", "  reserved 9;\n", "  string late = 9;\n", "RESERVED_NUMBER_FREED", "string late = 9;"),
    # what is imported changes
    Break("common/money.proto", "int64 minor", "string minor", "FIELD_SCALAR_KIND_CHANGED", "string minor"),
    # a field without a default
    Break("stock.avsc", '"string"},\n', '"string"},\n    {"name": "shelf", "type": "string"},\n',
          "READER_FIELD_MISSING_DEFAULT_VALUE", '"shelf"'),
    # a default of another type
    Break("stock.avsc", '"int", "default": 0', '"int", "default": "none"', "DEFAULT_DOES_NOT_FIT", '"count"'),
    # a new name without an alias
    Break("stock.avsc", '"name": "qty", "type": "long", "default": 0', '"name": "quantity", "type": "long"',
          "READER_FIELD_MISSING_DEFAULT_VALUE", '"quantity"'),
    # a symbol goes, and nothing stands in for it
    Break("stock.avsc", '"RED", "GREEN", "BLUE"', '"RED", "BLUE"', "MISSING_ENUM_SYMBOLS", '"symbols"'),
    # a type of another file becomes narrower
    Break("parts/price.avsc", '"minor", "type": "long"', '"minor", "type": "int"', "TYPE_MISMATCH", '"minor"'),
)

HARMLESS = (
    ("order.proto", "// Money is shared by all.", "// Money is shared by all, and this comment is longer."),
    ("order.proto", "  string id = 1;\n", "  string id = 1;\n  string channel = 7;\n"),
    ("order.proto", "  STATE_SENT = 2;\n", "  STATE_SENT = 2;\n  STATE_BACK = 3;\n"),
    ("common/money.proto", "  string currency = 2;\n}", "  string currency = 2;\n}\n\nmessage Rate {\n  double factor = 1;\n}"),
    ("stock.avsc", '"string"},\n', '"string"},\n    {"name": "shelf", "type": ["null", "string"], "default": null},\n'),
    ("stock.avsc", '"name": "qty"', '"doc": "how many", "name": "qty"'),
    ("parts/price.avsc", '"namespace": "shop",', '"namespace": "shop", "doc": "what it costs",'),
)


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def changed(edits: Iterable[tuple[str, str, str]]) -> dict[str, str]:
    files = dict(BASE)
    for file, old, new in edits:
        assert files[file].count(old) >= 1, f"{file} has no {old!r}"
        files[file] = files[file].replace(old, new, 1)
    return files


def broken() -> dict[str, str]:
    return changed((item.file, item.old, item.new) for item in BREAKS)


def harmless() -> dict[str, str]:
    return changed(HARMLESS)


def expected_places() -> set[tuple[str, int, str]]:
    """(file, line, rule) of each break."""
    files = broken()
    places = set()
    for item in BREAKS:
        [line] = [number for number, text in enumerate(files[item.file].splitlines(), 1) if item.anchor in text]
        places.add((item.file, line, item.rule))
    assert len(places) == len(BREAKS)
    return places
