"""One thing that the stack runs: a server, or a task that runs to its end (registering schemas, creating topics)."""
from __future__ import annotations

import http.client
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum

from .process import Command


class State(Enum):
    STOPPED = "stopped"  # not wanted
    WAITING = "waiting"  # for what it needs
    STARTING = "starting"  # the process runs, but is not ready
    READY = "ready"  # answers; a task: ended well
    DOWN = "down"  # died; is started again when its backoff is over


@dataclass(frozen=True)
class Unit:
    name: str
    command: Callable[[], Command]
    needs: tuple[str, ...] = ()
    # Before the first start of this run; blocks. Raises StackError.
    prepare: Callable[[], None] = lambda: None
    # Is it of use? Called several times a second while it starts; must answer within a second.
    is_ready: Callable[[], bool] = lambda: True
    # Once, when it became ready after prepare(); blocks.
    when_ready: Callable[[], None] = lambda: None
    is_task: bool = False
    start_s: float = 60.0  # not ready after this long: killed and started again
    stop_s: float = 15.0  # not gone after this long: killed
    note: str = field(default="")  # where it can be reached, for people


def http_ready(port: int, path: str) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
