"""build/dev/endpoints.env: where everything is, to be sourced by a shell."""
from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from pathlib import Path


def write(file: Path, endpoints: Mapping[str, str]) -> None:
    """Readable by its owner alone, since the database logins are in it."""
    draft = file.with_suffix(".new")
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as output:
        output.write("# Written by deploy/up. Use: set -a; . build/dev/endpoints.env; set +a\n")
        for key, value in endpoints.items():
            output.write(f"{key}={shlex.quote(value)}\n")
    draft.replace(file)


def read(file: Path) -> dict[str, str]:
    pairs = (line.partition("=") for line in file.read_text().splitlines() if line and not line.startswith("#"))
    return {key: "".join(shlex.split(value)) for key, _, value in pairs}
