"""`deploy/down`: ends everything in order, or the named parts, and says what it did."""
from __future__ import annotations

import os
import signal
import time

from . import control, supervisor
from .console import Waiting, say
from .errors import StackError
from .folders import Folders
from .group import end_leftovers
from .process import end_process, start_ticks

STOP_S = 90


def down(folders: Folders, only: tuple[str, ...], is_fresh: bool) -> int:
    if only:
        return _stop_parts(folders, only)
    ended = _stop_supervisor(folders)
    leftovers = end_leftovers(folders)
    if leftovers:
        say(f"ended what a killed supervisor had left: {', '.join(leftovers)}")
    if not ended and not leftovers:
        say("nothing was running")
    if is_fresh:
        existed = folders.delete_data()
        say(f"deleted {folders.data} and the logs in {folders.state}" if existed else "there was no data to delete")
    return 0


def _stop_parts(folders: Folders, names: tuple[str, ...]) -> int:
    if not supervisor.is_running(folders):
        raise StackError("nothing is running")
    if control.ask(folders.run, {"do": "stop", "names": list(names)}) is None:
        raise StackError(f"the supervisor gave no answer: see {folders.logs}/supervisor.log")
    say(f"stopped {', '.join(names)}; deploy/up --only {','.join(names)} starts them again")
    return 0


def _stop_supervisor(folders: Folders) -> bool:
    pid = supervisor.pid_of(folders)
    ticks = start_ticks(pid) if pid else None
    if not pid or not ticks:
        return False
    waiting = Waiting()
    end_now = False
    try:
        os.kill(pid, signal.SIGTERM)
        while start_ticks(pid) == ticks:
            if waiting.elapsed_s > STOP_S and not end_now:
                end_now = True
                say(f"the supervisor (pid {pid}) is still there after {STOP_S} s: killed")
                end_process(pid, ticks, signal.SIGKILL, 5)
            waiting.show(f"stopping (log {folders.logs}/supervisor.log)")
            time.sleep(0.1)
    except ProcessLookupError:
        pass
    except PermissionError:
        raise StackError(f"the supervisor (pid {pid}) belongs to another user: run deploy/down as that user") from None
    say(f"stopped everything in {waiting.elapsed_s:.1f} s")
    return True
