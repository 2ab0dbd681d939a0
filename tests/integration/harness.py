"""A whole Amends for the tests: own Postgres, Kafka and services on free ports, in build/test-stack; nothing stays behind.

Built on deploy/stack, which deploy/up uses, too. Here nothing is restarted by itself: a test that kills a service decides
when it comes back, and a service that dies unasked fails the test it died in.
"""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from psycopg.conninfo import make_conninfo
from stack import endpoints, ports, services
from stack.errors import StackError
from stack.folders import Folders
from stack.group import end_leftovers
from stack.process import Child, Command, tail
from stack.stack import Options, Stack, port_names
from stack.unit import State, Unit, http_ready

START_S = 300
READY_S = 60


class TestStack:
    __test__ = False  # not a test class, whatever its name looks like

    def __init__(self, state_name: str = "test-stack"):
        self.folders = Folders.of_clone(state_name)
        self._lock = self._lock_clone()
        for name in end_leftovers(self.folders):
            print(f"ended {name}, left over by an earlier run")
        self.folders.delete_data()
        self.folders.make()
        self._killed: set[str] = set()
        self._suspended: set[str] = set()
        os.environ.setdefault("COMMAND_TRIES", "6")  # so that tests see the end of the retry topics within seconds
        self._units: dict[str, Unit] = {}  # as they were before add_arguments()
        options = Options()
        self.stack = Stack(self.folders, options, ports.choose(port_names(options), _port_base()), self._log, restart=False)
        self.group = self.stack.group
        self.endpoints: Mapping[str, str] = self.stack.endpoints()

    def up(self) -> None:
        try:
            endpoints.write(self.folders.endpoints, self.endpoints)
            self.group.wait(self.group.want(self.group.units), START_S)
        except BaseException:
            self.down()
            raise

    def down(self) -> None:
        """Ends all, deletes the data; the logs stay for whoever looks for a failure's reason."""
        for name in list(self._suspended):
            self.resume(name)
        self.group.stop()
        self.folders.delete_data(keep_logs=True)
        self.stack.ports.release()
        self._lock.close()

    # ---- faults --------------------------------------------------------------------------------------------------

    def kill(self, name: str) -> None:
        """kill -9. It stays away until wait_ready(), start() or restart()."""
        self.resume(name)
        self.group.kill(name)
        self._killed.add(name)

    def stop_immediately(self, name: str) -> None:
        """SIGQUIT, which Postgres takes as an immediate stop: no checkpoint, recovery at the next start. It stays away as after
        kill()."""
        child = self.group.units[name].child
        assert child, f"{name} does not run"
        child.signal(signal.SIGQUIT)
        child.popen.wait(30)
        self.kill(name)

    def stop(self, name: str) -> None:
        """SIGTERM, and waits until it is gone. It stays away until start()."""
        self.resume(name)
        self.group.stop([name])
        self._killed.discard(name)

    def terminate(self, name: str, deadline_s: float = 30) -> int:
        """SIGTERM; the exit status, which must come within the time. It stays away until start()."""
        self.resume(name)
        child = self.group.units[name].child
        assert child, f"{name} does not run"
        child.signal(signal.SIGTERM)
        code = child.popen.wait(deadline_s)
        self.group.stop([name])
        return code

    @contextmanager
    def second_coordinator(self, database: str = "saga", arguments: Sequence[str] = ()) -> Iterator[Coordinator]:
        """Another coordinator process over the same servers, ready; ended with the block."""
        coordinator = Coordinator(self, database, arguments)
        try:
            coordinator.start()
            yield coordinator
        finally:
            coordinator.child.kill()

    def start(self, name: str) -> None:
        """Starts it if it does not run, and waits until it is ready."""
        self._killed.discard(name)
        self.group.wait(self.group.want([name]), READY_S)

    def restart(self, name: str) -> None:
        self.stop(name)
        self.start(name)

    def wait_ready(self, name: str, deadline_s: float = READY_S) -> None:
        """Ready to serve; a killed one is started again first."""
        if name in self._killed:
            self.start(name)
        self.group.tick()
        if self.group.units[name].state is State.STOPPED:
            raise AssertionError(f"{name} was stopped: start() it")
        self.group.wait([name], deadline_s)
        is_ready = self.group.units[name].unit.is_ready
        end = time.monotonic() + deadline_s
        while not is_ready():
            if time.monotonic() > end:
                raise AssertionError(f"{name} runs, but is not ready within {deadline_s} s:\n{tail(self.group.log(name))}")
            time.sleep(0.05)

    def arm(self, name: str, crash_at: str, is_starting: bool = False) -> Crash:
        """Starts it anew, told to die at that crash point (lib/base/crash_points.def, with :N at its N-th pass). It is ready then,
        unless it shall die while it starts. A build with crash points alone knows what it is told."""
        self.stop(name)
        running = self.group.units[name]
        unarmed, crash = running.unit, Crash(self, name, crash_at)

        def command() -> Command:
            base = unarmed.command()
            return Command(base.argv, {**base.environment, "AMENDS_CRASH_AT": crash_at}, base.user, base.stop_signal)

        running.unit = replace(unarmed, command=command)
        try:
            wanted = self.group.want([name])
            if is_starting:
                self.group.tick()
            else:
                self.group.wait(wanted, READY_S)
        finally:
            running.unit = unarmed
        assert running.child, self.group.trouble(name)
        crash.child = running.child
        return crash

    def suspend(self, name: str) -> None:
        """SIGSTOP: it is there, but does not answer. Until resume()."""
        self._suspended.add(name)
        self._signal(name, signal.SIGSTOP)

    def resume(self, name: str) -> None:
        if name in self._suspended:
            self._suspended.discard(name)
            self._signal(name, signal.SIGCONT)

    def check_alive(self) -> None:
        """Fails when a service died that nobody killed; starts it again, for the tests that follow."""
        for name in list(self._suspended):
            self.resume(name)
        self.group.tick()
        dead = [name for name, running in self.group.units.items() if running.state is State.DOWN]
        trouble = "\n".join(self.group.trouble(name) for name in dead)
        for name in dead:
            self.group.stop([name])
        stopped = [name for name, running in self.group.units.items() if running.state is State.STOPPED]
        for name in stopped:
            self.start(name)
        if dead:
            raise AssertionError(f"died during this test, and nobody killed it: {trouble}")

    def add_arguments(self, name: str, *arguments: str, environment: Mapping[str, str] | None = None) -> None:
        """To a program's command line and environment, from its next start on; in place of those added before."""
        running = self.group.units[name]
        original = self._units.setdefault(name, running.unit)

        def command() -> Command:
            base = original.command()
            return Command([*base.argv, *arguments], {**base.environment, **(environment or {})}, base.user, base.stop_signal)

        running.unit = replace(original, command=command)

    def command_line(self, name: str) -> list[str]:
        return list(self.group.units[name].unit.command().argv)

    # ---- looking -------------------------------------------------------------------------------------------------

    def pid(self, name: str) -> int:
        child = self.group.units[name].child
        assert child, f"{name} does not run"
        return child.pid

    def log(self, name: str) -> Path:
        return self.group.log(name)

    def services(self) -> list[str]:
        return [row.name for row in services.SERVICES]

    def http_url(self, name: str) -> str:
        """Where a service's /health, /readyz and /metrics are."""
        [row] = [row for row in services.SERVICES if row.name == name]
        return self.stack.http_url(row.ports[-1])

    def program(self, name: str) -> Path:
        return self.folders.bin / name

    def sagactl(self, *arguments: str, timeout_s: float = 60) -> subprocess.CompletedProcess[str]:
        """Runs the command line tool; its addresses are in the environment of endpoints.env's names only."""
        return subprocess.run([self.program("sagactl"), *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=timeout_s, env={**os.environ, **self.endpoints})

    def _signal(self, name: str, number: signal.Signals) -> None:
        child = self.group.units[name].child
        if child and child.exit_code() is None:
            child.signal(number)
            for pid in _descendants(child.pid):  # Postgres's backends are processes with sessions of their own
                with suppress(ProcessLookupError):  # one of them may end meanwhile
                    os.kill(pid, number)

    def _log(self, line: str) -> None:
        with (self.folders.logs / "stack.log").open("a") as file:
            file.write(f"{time.strftime('%H:%M:%S')} {line}\n")

    def _lock_clone(self):
        self.folders.state.parent.mkdir(parents=True, exist_ok=True)
        file = open(self.folders.state.parent / f".{self.folders.state.name}.lock", "w")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StackError(f"another tests/run uses {self.folders.state}: wait until it ends") from None
        return file


class Coordinator:
    """A coordinator beside the stack's own, which start() brings back on the same ports after its end."""

    def __init__(self, stack: TestStack, database: str, arguments: Sequence[str]):
        [row] = [row for row in services.SERVICES if row.name == "coordinator"]
        command = stack.stack._command(row)
        self.grpc_port, self.http_port = _free_port(), _free_port()
        argv = [*command.argv, "--grpc-listen", f"127.0.0.1:{self.grpc_port}", "--http-port", str(self.http_port),
                "--instance", "coordinator-2", "--postgres",
                make_conninfo(stack.stack.login("saga").conninfo, dbname=database), *arguments]
        self.command = Command(argv, command.environment)
        self.log = stack.log("coordinator-2")
        self._log_begin = 0  # the log goes on from earlier ones
        self.target = f"127.0.0.1:{self.grpc_port}"
        self.child: Child

    def spawn(self) -> None:
        self._log_begin = self.log.stat().st_size if self.log.exists() else 0
        self.child = Child(self.command, self.log)

    def start(self) -> None:
        self.spawn()
        end = time.monotonic() + READY_S
        while not http_ready(self.http_port, "/readyz"):
            code = self.child.exit_code()
            assert code is None and time.monotonic() < end, f"not ready (exit status {code}):\n{tail(self.log)}"
            time.sleep(0.05)

    def said(self) -> str:
        """The log since the last start."""
        return self.log.read_bytes()[self._log_begin:].decode(errors="replace")

    def terminate(self, deadline_s: float = 30) -> int:
        self.child.signal(signal.SIGTERM)
        return self.child.popen.wait(deadline_s)


class Crash:
    """A process that was told to die at a crash point."""

    def __init__(self, stack: TestStack, name: str, crash_at: str):
        self.stack = stack
        self.name = name
        self.point = crash_at.split(":")[0]
        self.log = stack.log(name)
        self._log_begin = self.log.stat().st_size if self.log.exists() else 0
        self.child: Child

    def wait(self, deadline_s: float = 30) -> None:
        """Until it has died, there and nowhere else. It stays away as after kill()."""
        try:
            code = self.child.popen.wait(deadline_s)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.name} never came to {self.point} within {deadline_s} s") from None
        said = self.log.read_bytes()[self._log_begin:].decode(errors="replace")
        assert f"event=crash_point name={self.point}," in said, f"{self.name} died of something else:\n{tail(self.log)}"
        assert code == -signal.SIGKILL, code
        self.stack.kill(self.name)


def _descendants(ancestor: int) -> list[int]:
    parents = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                parents[int(folder.name)] = int((folder / "stat").read_text().rsplit(")", 1)[1].split()[1])
            except OSError:
                continue  # it has ended
    found, todo = [], [ancestor]
    while todo:
        parent = todo.pop()
        children = [pid for pid, its_parent in parents.items() if its_parent == parent]
        found += children
        todo += children
    return found


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _port_base() -> int:
    """Below the kernel's own choice for outgoing connections (32768 and up), apart from other runs; taken ports are
    passed over anyway."""
    given = os.environ.get("AMENDS_TEST_PORT_BASE")
    return int(given) if given else 20000 + os.getpid() % 500 * 20
