"""One child process: spawned so that it cannot outlive us unseen, its output in a bounded file."""
from __future__ import annotations

import ctypes
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

LOG_BYTES_MAX = 16 << 20
PR_SET_PDEATHSIG = 1

_libc = ctypes.CDLL(None, use_errno=True)


@dataclass
class Command:
    argv: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)  # added to ours
    user: str | None = None  # None: as we are
    stop_signal: signal.Signals = signal.SIGTERM


class Child:
    """A running process. Its output is appended to `log`, which bound_log() keeps small."""

    def __init__(self, command: Command, log: Path):
        self.command = command
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            self.popen = subprocess.Popen(
                list(command.argv), env={**os.environ, **command.environment}, stdin=subprocess.DEVNULL, stdout=output,
                stderr=subprocess.STDOUT, cwd="/", process_group=0, preexec_fn=_die_with_parent(command.stop_signal),
                **identity(command.user))
        self.pid = self.popen.pid

    def exit_code(self) -> int | None:
        return self.popen.poll()

    def signal(self, number: signal.Signals) -> None:
        if self.exit_code() is None:
            self.popen.send_signal(number)

    def kill(self) -> None:
        """SIGKILL to it and to what it started, and waits until it is gone."""
        if self.exit_code() is None:
            try:
                os.killpg(self.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            self.popen.wait()


def identity(user: str | None) -> dict:
    """subprocess arguments to run as `user` with that user's groups alone."""
    return {"user": user, "group": user, "extra_groups": []} if user else {}


def _die_with_parent(number: signal.Signals):
    parent = os.getpid()

    def set_up() -> None:
        # The kernel sends it when the thread that forked ends, even by SIGKILL; the supervisor has one thread.
        _libc.prctl(PR_SET_PDEATHSIG, int(number), 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)

    return set_up


def bound_log(log: Path) -> None:
    """Copies a log beyond its limit to <name>.1 and empties it. Writers append, so they go on at the new beginning;
    lines written between the two calls are lost, which a development log can bear."""
    try:
        if log.stat().st_size > LOG_BYTES_MAX:
            shutil.copyfile(log, log.with_name(log.name + ".1"))
            os.truncate(log, 0)
    except FileNotFoundError:
        pass


def tail(log: Path, lines: int = 15) -> str:
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 8192))
            text = file.read().decode(errors="replace")
    except OSError:
        return ""
    return "\n".join("    " + line for line in text.splitlines()[-lines:])


def start_ticks(pid: int) -> int | None:
    """When the process started, in clock ticks since boot: with the pid it names one process for ever. None: gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else int(fields[19])


def end_process(pid: int, ticks: int, number: signal.Signals, patience_s: float) -> bool:
    """Ends a process that is not our child: `number`, then SIGKILL. False if it was not there any more."""
    if start_ticks(pid) != ticks:
        return False
    deadline = time.monotonic() + patience_s
    _try_kill(pid, number)
    while start_ticks(pid) == ticks:
        if time.monotonic() > deadline:
            _try_kill(pid, signal.SIGKILL)
        time.sleep(0.05)
    return True


def _try_kill(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass
