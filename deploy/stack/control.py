"""How `up` and `down` talk to the supervisor: one JSON line each way on a Unix socket in the run folder.

The socket is reached through a descriptor of its folder, because a path may be longer than the 107 bytes of sun_path.
"""
from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import StackError

NAME = "control.sock"
ANSWER_S = 300  # the first start of a server may take long on a busy machine


@contextmanager
def address(run: Path) -> Iterator[str]:
    folder = os.open(run, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{NAME}"
    finally:
        os.close(folder)


def ask(run: Path, request: dict, patience_s: float = ANSWER_S) -> dict | None:
    """None: no answer in time, the supervisor is busy. Raises StackError when there is none, or when it refuses."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(patience_s)
            with address(run) as path:
                connection.connect(path)
            connection.sendall(json.dumps(request).encode() + b"\n")
            with connection.makefile() as answer:
                reply = json.loads(answer.readline() or "{}")
    except (TimeoutError, BlockingIOError):
        return None
    except (OSError, ValueError) as error:
        raise StackError(f"the supervisor does not answer ({error}): see {run.parent}/logs/supervisor.log") from None
    if "error" in reply:
        raise StackError(reply["error"])
    return reply
