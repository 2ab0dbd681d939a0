"""The background process that `up` leaves: keeps the group alive until it gets SIGTERM (`down`) or is asked to stop.

One thread, because children are told of its death by the kernel. It holds the lock on its pid file as long as it lives, so a
stale pid file is never mistaken for a supervisor.
"""
from __future__ import annotations

import fcntl
import json
import os
import selectors
import signal
import socket
import sys
import time

from . import control, endpoints, ports
from .errors import StackError
from .folders import Folders
from .group import end_leftovers
from .stack import Options, Stack, port_names
from .unit import State

PID_FILE = "supervisor.pid"
PORTS_FILE = "ports.json"
TICK_S = 0.1


def pid_of(folders: Folders) -> int | None:
    """The running supervisor's pid. None: there is none, whatever the file says."""
    try:
        with open(folders.run / PID_FILE) as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return int(file.read() or 0) or None
    except (OSError, ValueError):
        pass
    return None


def is_running(folders: Folders) -> bool:
    return pid_of(folders) is not None


class Stopped(Exception):
    """SIGTERM came during a tick, which may be in the middle of a long preparation."""


class Supervisor:
    def __init__(self, folders: Folders, options: Options):
        self.folders = folders
        self.is_stopping = False
        self.is_ticking = False
        preferred = ports_of_plan(folders)
        chosen = ports.choose(port_names(options), options.port_base, preferred)
        for line in chosen.moved:
            log(line)
        self.stack = Stack(folders, options, chosen, report=log)

    def run(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._stop)
        self.stack.prepare_existing()
        endpoints.write(self.folders.endpoints, self.stack.endpoints())
        group = self.stack.group
        group.want(name for name in self.stack.options.names() if name in group.units)
        with self._listener() as listener, selectors.DefaultSelector() as selector:
            selector.register(listener, selectors.EVENT_READ)
            while not self.is_stopping:
                self._tick()
                for _ in selector.select(TICK_S):
                    self._serve(listener)
        log("stopping")
        group.stop()
        (self.folders.run / control.NAME).unlink(missing_ok=True)
        log("stopped")

    def _listener(self) -> socket.socket:
        (self.folders.run / control.NAME).unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        mask = os.umask(0o077)
        with control.address(self.folders.run) as path:
            listener.bind(path)
        os.umask(mask)
        listener.listen(8)
        return listener

    def _tick(self) -> None:
        try:
            self.is_ticking = True
            self.stack.group.tick()
        except Stopped:
            log("interrupted")
        finally:
            self.is_ticking = False

    def _stop(self, number: int, frame: object) -> None:
        is_first, self.is_stopping = not self.is_stopping, True
        if is_first and self.is_ticking:
            raise Stopped

    def _serve(self, listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            connection.settimeout(2)
            try:
                with connection.makefile() as lines:
                    reply = self._answer(json.loads(lines.readline()))
            except StackError as error:
                reply = {"error": str(error)}
            except (OSError, ValueError) as error:
                reply = {"error": f"request not understood: {error}"}
            try:
                connection.sendall(json.dumps(reply).encode() + b"\n")
            except BrokenPipeError:
                pass  # `up` asks again and again while we are busy, and shows our last line meanwhile
            except OSError as error:
                log(f"an asker left before the answer: {error}")

    def _answer(self, request: dict) -> dict:
        group = self.stack.group
        names = request.get("names", [])
        if request["do"] == "start":
            names = group.want(names)
        elif request["do"] == "stop":
            for name in names:
                if name not in group.units:
                    raise StackError(f"unknown part '{name}': one of {', '.join(group.units)}")
            group.stop(names)
        elif request["do"] != "status":
            raise StackError(f"unknown request '{request['do']}'")
        return {"names": names, "units": {name: self._describe(name) for name in group.units}}

    def _describe(self, name: str) -> dict:
        running = self.stack.group.units[name]
        return {
            "state": running.state.value, "wanted": running.wanted, "task": running.unit.is_task,
            "pid": running.child.pid if running.child else None, "failures": running.failures,
            "restarts": running.restarts, "reason": running.reason, "note": running.unit.note,
            "trouble": self.stack.group.trouble(name) if running.state is State.DOWN else "",
        }


def ports_of_plan(folders: Folders) -> dict[str, int]:
    try:
        return json.loads((folders.run / PORTS_FILE).read_text())
    except (OSError, ValueError):
        return {}


def log(line: str) -> None:
    print(time.strftime("%Y-%m-%dT%H:%M:%S"), line, flush=True)


def supervise(folders: Folders, options: Options) -> int:
    """The supervisor's whole life. Its output goes to logs/supervisor.log (see up.py)."""
    # Never unlinked: who locks an unlinked file locks nothing.
    file = open(folders.run / PID_FILE, "a+")
    if not _lock(file.fileno()):
        log("another supervisor runs already")
        return 1
    file.truncate(0)
    file.write(f"{os.getpid()}\n")
    file.flush()
    try:
        for name in end_leftovers(folders):
            log(f"ended {name}, left over by a supervisor that was killed")
        Supervisor(folders, options).run()
        return 0
    except StackError as error:
        log(f"error: {error}")
        (folders.run / "error").write_text(str(error))
        return 1
    finally:
        file.truncate(0)


def _lock(descriptor: int) -> bool:
    for _ in range(20):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            time.sleep(0.05)  # somebody may just be asking in pid_of()
    return False


def main(arguments: list[str]) -> int:
    folders = Folders.of_clone(arguments[0])
    return supervise(folders, Options.from_json(arguments[1]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
