"""The life of all units together: start in order of need, restart what dies, stop in reverse order.

One thread: tick() does what is due and returns; whoever owns the group calls it a few times a second. Children are told by
the kernel when this thread ends, and their pids are on disk, so that `down` finds them even after a SIGKILL.
"""
from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from .errors import StackError
from .folders import Folders
from .process import Child, bound_log, end_process, start_ticks, tail
from .unit import State, Unit

BACKOFF_FIRST_S = 0.2
BACKOFF_MAX_S = 10.0
STEADY_S = 30.0  # ready for this long: its next death starts the backoff anew
LOG_CHECK_S = 5.0
CHILDREN_FILE = "children.json"


@dataclass
class Running:
    """What the group knows of one unit."""

    unit: Unit
    state: State = State.STOPPED
    wanted: bool = False
    child: Child | None = None
    is_prepared: bool = False
    since: float = 0.0  # of the state
    retry_at: float = 0.0
    failures: int = 0  # in a row
    restarts: int = 0
    reason: str = ""  # of the last failure


class Group:
    def __init__(self, folders: Folders, units: Iterable[Unit], report: Callable[[str], None] = lambda line: None,
                 restart: bool = True):
        self.folders = folders
        self.units = {unit.name: Running(unit) for unit in units}
        self.report = report
        self.restart = restart
        self._logs_checked = 0.0

    def log(self, name: str) -> Path:
        return self.folders.logs / f"{name}.log"

    def with_needs(self, names: Iterable[str]) -> list[str]:
        """These and all they need, in starting order. Raises StackError for an unknown name."""
        wanted: set[str] = set()
        todo = list(names)
        while todo:
            name = todo.pop()
            if name not in self.units:
                raise StackError(f"unknown part '{name}': one of {', '.join(self.units)}")
            if name not in wanted:
                wanted.add(name)
                todo += self.units[name].unit.needs
        return [name for name in self.units if name in wanted]

    def want(self, names: Iterable[str]) -> list[str]:
        names = self.with_needs(names)
        for name in names:
            running = self.units[name]
            running.wanted = True
            if running.state is State.STOPPED:
                running.failures = 0
                self._move(running, State.WAITING)
        return names

    def tick(self) -> None:
        now = time.monotonic()
        for running in self.units.values():
            self._tick_one(running, now)
        if now - self._logs_checked > LOG_CHECK_S:
            self._logs_checked = now
            for name in self.units:
                bound_log(self.log(name))

    def stop(self, names: Iterable[str] | None = None) -> None:
        """Stops these (None: all) in reverse order and waits until they are gone."""
        chosen = set(self.units if names is None else names)
        for name in reversed(list(self.units)):
            if name in chosen:
                self.units[name].wanted = False
                self._end(self.units[name])
        self._record()

    def kill(self, name: str) -> None:
        """As kill -9 would. A group that restarts starts it again after its backoff."""
        running = self.units[name]
        if running.child:
            running.child.kill()
        if not self.restart:
            running.wanted = False
            running.child = None
            self._move(running, State.STOPPED)
        self._record()

    def is_settled(self, names: Iterable[str]) -> bool:
        return all(self.units[name].state is State.READY for name in names)

    def wait(self, names: Iterable[str], patience_s: float, failures_max: int = 4) -> None:
        """Ticks until all are ready. Raises StackError with the log's end when one keeps failing."""
        names = list(names)
        deadline = time.monotonic() + patience_s
        while not self.is_settled(names):
            self.tick()
            for name in names:
                running = self.units[name]
                if running.failures >= failures_max or (running.failures and not self.restart):
                    raise StackError(self.trouble(name))
            if time.monotonic() > deadline:
                late = [name for name in names if self.units[name].state is not State.READY]
                raise StackError(f"not ready after {patience_s:.0f} s: {', '.join(late)}\n{self.trouble(late[0])}")
            time.sleep(0.05)

    def trouble(self, name: str) -> str:
        running = self.units[name]
        return f"{name}: {running.reason or running.state.value}; the end of {self.log(name)}:\n{tail(self.log(name))}"

    def _tick_one(self, running: Running, now: float) -> None:
        if running.state is State.WAITING and running.wanted:
            if all(self.units[need].state is State.READY for need in running.unit.needs):
                self._start(running)
        elif running.state is State.STARTING:
            self._watch_start(running, now)
        elif running.state is State.READY and running.child:
            code = running.child.exit_code()
            if code is not None:
                if now - running.since > STEADY_S:
                    running.failures = 0
                self._fail(running, f"ended by itself ({_ending(code)})")
        elif running.state is State.DOWN and self.restart and running.wanted and now >= running.retry_at:
            running.restarts += 1
            self._start(running)

    def _start(self, running: Running) -> None:
        unit = running.unit
        try:
            if not running.is_prepared:
                self.report(f"{unit.name}: preparing")  # which may block for long the first time
                unit.prepare()
            running.child = Child(unit.command(), self.log(unit.name))
        except (StackError, OSError) as error:
            self._fail(running, str(error))
            return
        self._record()
        self._move(running, State.STARTING)

    def _watch_start(self, running: Running, now: float) -> None:
        assert running.child
        code = running.child.exit_code()
        if running.unit.is_task and code == 0:
            self._ready(running)
        elif code is not None:
            self._fail(running, f"ended while starting ({_ending(code)})")
        elif not running.unit.is_task and running.unit.is_ready():
            self._ready(running)
        elif now - running.since > running.unit.start_s:
            running.child.kill()
            self._fail(running, f"not ready after {running.unit.start_s:.0f} s")

    def _ready(self, running: Running) -> None:
        try:
            if not running.is_prepared:
                running.unit.when_ready()
        except (StackError, OSError) as error:
            self._end(running)
            self._fail(running, str(error))
            return
        running.is_prepared = True
        if running.unit.is_task:
            running.child = None
        self._move(running, State.READY)

    def _fail(self, running: Running, reason: str) -> None:
        pause = min(BACKOFF_FIRST_S * 2**running.failures, BACKOFF_MAX_S)
        running.failures += 1
        running.reason = reason
        running.retry_at = time.monotonic() + pause
        running.child = None
        if self.restart:
            reason += f", starting it again in {pause:.1f} s"
        self.report(f"{running.unit.name}: {reason} (log {self.log(running.unit.name)})")
        self._move(running, State.DOWN)
        self._record()

    def _end(self, running: Running) -> None:
        child = running.child
        if child:
            child.signal(child.command.stop_signal)
            deadline = time.monotonic() + running.unit.stop_s
            while child.exit_code() is None and time.monotonic() < deadline:
                time.sleep(0.02)
            if child.exit_code() is None:
                self.report(f"{running.unit.name}: still there {running.unit.stop_s:.0f} s after the signal, killed")
            child.kill()
        running.child = None
        self._move(running, State.STOPPED)

    def _move(self, running: Running, state: State) -> None:
        if running.state is not state:
            running.state = state
            running.since = time.monotonic()
            self.report(f"{running.unit.name}: {state.value}")

    def _record(self) -> None:
        """Leaves on disk who runs, so that nobody is lost when we are killed."""
        rows = []
        for name, running in self.units.items():
            if running.child and (ticks := start_ticks(running.child.pid)) is not None:
                rows.append([name, running.child.pid, ticks, int(running.child.command.stop_signal)])
        file = self.folders.run / CHILDREN_FILE
        draft = file.with_suffix(".new")
        draft.write_text(json.dumps(rows))
        draft.replace(file)


def end_leftovers(folders: Folders) -> list[str]:
    """Ends what an earlier owner of this state folder left running. Returns their names."""
    file = folders.run / CHILDREN_FILE
    try:
        rows = json.loads(file.read_text())
    except (OSError, ValueError):
        return []
    ended = [name for name, pid, ticks, number in reversed(rows)
             if end_process(pid, ticks, signal.Signals(number), 15.0)]
    file.unlink(missing_ok=True)
    return ended


def _ending(code: int) -> str:
    return f"exit {code}" if code >= 0 else signal.Signals(-code).name
