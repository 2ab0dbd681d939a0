"""Reads what tests/bench/run --json wrote, and says in a sentence what is wrong with a file that it did not write."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any


class BadResult(Exception):
    """Its text names the file."""


def read_result(path: Path, positive: Sequence[str], numbers: Sequence[str] = (), texts: Sequence[str] = ()) -> dict[str, Any]:
    """With these in it; `a.b` is the b of the object a."""
    try:
        result = json.loads(path.read_text())
    except OSError as error:
        raise BadResult(f"{path} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise BadResult(f"{path} is not JSON: {error}") from None
    faults = [f"{name} (a number above 0)" for name in positive if not is_number(at(result, name)) or at(result, name) <= 0]
    faults += [f"{name} (a number)" for name in numbers if not is_number(at(result, name)) or at(result, name) < 0]
    faults += [f"{name} (a text)" for name in texts if not isinstance(at(result, name), str)]
    if faults:
        raise BadResult(f"{path} is not what tests/bench/run --json writes: it lacks {', '.join(faults)}")
    return result


def at(result: Any, name: str) -> Any:
    for word in name.split("."):
        result = result.get(word) if isinstance(result, dict) else None
    return result


def is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
