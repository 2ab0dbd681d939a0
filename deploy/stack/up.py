"""`deploy/up` once everything is installed and built: start or join the supervisor, wait, show three checkouts."""
from __future__ import annotations

import json
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping

from . import control, demo, endpoints, ports, services, supervisor
from .console import Waiting, bold, green, say
from .errors import StackError
from .folders import Folders
from .process import tail
from .stack import Options, port_names
from .supervisor import PORTS_FILE, ports_of_plan

START_S = 400  # for all; each unit has its own limit too
FAILURES_MAX = 5
STOP_S = 90
POLL_S = 0.2


def check_names(options: Options) -> None:
    for name in options.names():
        if name not in services.ALL:
            raise StackError(f"--only: unknown part '{name}': one of {','.join(services.ALL)}")


def plan(folders: Folders, options: Options) -> None:
    """Chooses the ports, says which could not be the default ones, and notes them for up()."""
    check_names(options)
    _choose_ports(folders, options, {})


def _choose_ports(folders: Folders, options: Options, preferred: Mapping[str, int]) -> None:
    """For the supervisor, which claims them for good: another stack may have been faster, then they move once more."""
    chosen = ports.choose(port_names(options), options.port_base, preferred)
    for line in chosen.moved:
        say(f"  {line}")
    folders.run.mkdir(parents=True, exist_ok=True)
    (folders.run / PORTS_FILE).write_text(json.dumps(chosen.numbers))
    chosen.release()


def up(folders: Folders, options: Options, has_demo: bool, is_planned: bool) -> int:
    check_names(options)
    if supervisor.is_running(folders):
        return _join(folders, options)
    folders.make()
    process = None
    # Whatever ends us before all is up ends all: Ctrl-C, a closed terminal, kill.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    try:
        process = _launch(folders, options, is_planned)
        _follow(folders, process, options.names())
        found = endpoints.read(folders.endpoints)
        is_right = True
        if has_demo and "checkout" in options.names():
            parts = [name for name in services.ALL if name in ("order", "payment", "inventory", "shipping")]
            if all(name in options.names() for name in parts):
                is_right = demo.run(folders, found)
        _say_what_to_try(folders, found, options)
        return 0 if is_right else 1
    except (KeyboardInterrupt, Exception) as error:
        if process:
            say("stopping what was started …")
            _end(process)
        if isinstance(error, KeyboardInterrupt):
            say("interrupted; nothing runs. Run deploy/up again to go on.")
            return 130
        raise


def _interrupt(number: int, frame: object) -> None:
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, signal.SIG_IGN)  # stopping is not interrupted in turn
    raise KeyboardInterrupt


def _join(folders: Folders, options: Options) -> int:
    """A second `up`: starts what is asked for and does not run; changes nothing otherwise."""
    status = control.ask(folders.run, {"do": "status"}) or {}
    units = status.get("units", {})
    names = [name for name in options.names() if name in units]
    missing = [name for name in names if not units[name]["wanted"]]
    say(f"Amends runs already (supervisor pid {supervisor.pid_of(folders)}, endpoints in {folders.endpoints}).")
    if missing:
        control.ask(folders.run, {"do": "start", "names": missing})
    _follow(folders, None, names)
    if options.broker or options.postgres or options.port_base:
        say("--broker, --postgres and --port-base count at the start only: deploy/down first, to change them.")
    _say_what_to_try(folders, endpoints.read(folders.endpoints), options)
    return 0


def _launch(folders: Folders, options: Options, is_planned: bool) -> subprocess.Popen:
    _choose_ports(folders, options, ports_of_plan(folders) if is_planned else {})
    (folders.run / "error").unlink(missing_ok=True)
    folders.endpoints.unlink(missing_ok=True)
    with (folders.logs / "supervisor.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "stack.supervisor", folders.state.name, options.to_json()], stdin=subprocess.DEVNULL,
            stdout=log, stderr=subprocess.STDOUT, start_new_session=True, cwd=folders.root / "deploy")


def _follow(folders: Folders, process: subprocess.Popen | None, names: Iterable[str]) -> None:
    """Shows each part as it becomes ready. Raises StackError when one keeps failing."""
    names = list(names)
    said: set[str] = set()
    waiting = Waiting()
    while True:
        units = _status(folders, process)
        wanted = [name for name in units if units[name]["wanted"]]
        for name in wanted:
            unit = units[name]
            if unit["state"] == "ready" and name not in said:
                said.add(name)
                if process:
                    done = "done " if unit["task"] else "ready"
                    say(f"  {green(done)} {name:<12} {waiting.elapsed_s:5.1f} s   {unit['note']}".rstrip())
            if unit["failures"] >= FAILURES_MAX and unit["state"] != "ready":
                raise StackError(f"gave up after {unit['failures']} tries. {unit['trouble'] or unit['reason']}")
        if wanted and all(name in said for name in wanted) and all(name in said for name in names if name in units):
            return
        late = [name for name in wanted if name not in said]
        if waiting.elapsed_s > START_S:
            raise StackError(f"not ready after {START_S} s: {', '.join(late)} (logs in {folders.logs})")
        waiting.show(f"waiting for {', '.join(late) or _last_line(folders)} (logs in {folders.logs})")
        time.sleep(POLL_S)


def _status(folders: Folders, process: subprocess.Popen | None) -> dict:
    if process and process.poll() is not None:
        reason = folders.run / "error"
        text = reason.read_text() if reason.exists() else f"the supervisor ended; see {folders.logs}/supervisor.log"
        raise StackError(text)
    if process and not (folders.run / control.NAME).exists():
        return {}
    try:
        return (control.ask(folders.run, {"do": "status"}, patience_s=1) or {}).get("units", {})
    except StackError:
        if process:
            return {}  # between bind and listen
        raise


def _last_line(folders: Folders) -> str:
    """What the supervisor does while it is too busy to answer, as its log says ("kafka: preparing")."""
    lines = tail(folders.logs / "supervisor.log", 1).split(maxsplit=1)
    return lines[1] if len(lines) == 2 else "the supervisor"


def _end(process: subprocess.Popen) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _say_what_to_try(folders: Folders, found: dict[str, str], options: Options) -> None:
    file, root = shlex.quote(str(folders.endpoints)), shlex.quote(str(folders.root))
    sagactl = shlex.quote(str(folders.bin / "sagactl"))
    say()
    say(bold("Running.") + f" Logs: {folders.logs}. What to try next:")
    say(f"  set -a; . {file}; set +a       # the addresses below, for your shell")
    if set(options.names()) & {"coordinator", "checkout"}:
        body = '{"userId":"bob","totalAmount":12.50,"items":[{"productId":"prod-2","quantity":1}]}'
        say("  grpcurl -plaintext $SAGA_GRPC list")
        say("  grpcurl -plaintext $SAGA_GRPC describe saga.v1.SagaService")
        say(f"  curl -X POST $CHECKOUT_URL/checkout -H 'content-type: application/json' -d '{body}'")
        say("  psql \"$PG_SAGA_DSN\" -c 'select * from sagas'")
        say(f"  {sagactl} --address $SAGA_GRPC get SAGA_ID     # the timeline of one saga")
        say("  curl $REGISTRY_URL/subjects")
    else:
        say("  psql \"$PG_SAGA_DSN\"")
    say(f"  {root}/tests/run")
    say(f"  {root}/deploy/down            # ends everything; --fresh deletes the data too")
