"""What deploy/up and the fixtures stand on (deploy/stack), tried with stand-ins for the services: no build, no servers."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import ROOT
from stack import endpoints, ports, process, services
from stack.errors import StackError
from stack.folders import MARKER, Folders
from stack.group import CHILDREN_FILE, Group, end_leftovers
from stack.postgres import redirect
from stack.process import Command, start_ticks
from stack.stack import Options, Stack
from stack.unit import State, Unit

STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('here', flush=True); time.sleep(600)"


@pytest.fixture
def folders(tmp_path: Path):
    folders = Folders(ROOT, tmp_path / "state", tmp_path / "build")
    folders.make()
    yield folders
    if folders.owns_data():
        folders.delete_data()


@pytest.fixture
def group(folders: Folders):
    groups: list[Group] = []

    def make(*units: Unit, restart: bool = True) -> Group:
        groups.append(Group(folders, units, restart=restart))
        return groups[-1]

    yield make
    for each in groups:
        each.stop()


def sleeper(name: str, needs: tuple[str, ...] = (), stop_s: float = 5, source: str = "import time; time.sleep(600)") -> Unit:
    return Unit(name, lambda: Command([sys.executable, "-c", source]), needs=needs, stop_s=stop_s)


def is_alive(pid: int) -> bool:
    return start_ticks(pid) is not None


def test_starts_in_order_of_need_and_stops_in_reverse(folders: Folders) -> None:
    lines: list[str] = []
    group = Group(folders, [sleeper("a"), sleeper("b", ("a",)), sleeper("c", ("b",))], lines.append)
    assert group.want(["b"]) == ["a", "b"]
    group.wait(group.want(["c"]), 20)
    group.stop()
    assert [line for line in lines if "ready" in line] == ["a: ready", "b: ready", "c: ready"]
    assert [line for line in lines if "stopped" in line] == ["c: stopped", "b: stopped", "a: stopped"]


def test_restarts_what_dies(group) -> None:
    running = group(sleeper("a"))
    running.wait(running.want(["a"]), 20)
    first = running.units["a"].child.pid
    os.kill(first, signal.SIGKILL)
    end = time.monotonic() + 20
    while running.units["a"].restarts == 0 or not running.is_settled(["a"]):
        running.tick()
        assert time.monotonic() < end
        time.sleep(0.02)
    assert running.units["a"].child.pid != first
    assert running.units["a"].reason == "ended by itself (SIGKILL)"


def test_what_keeps_failing_is_told_with_the_end_of_its_log(group) -> None:
    running = group(sleeper("a", source="raise SystemExit('no such disk')"))
    running.units["a"].unit = Unit("a", running.units["a"].unit.command, is_ready=lambda: False)
    with pytest.raises(StackError, match="(?s)ended while starting.*no such disk"):
        running.wait(running.want(["a"]), 20, failures_max=2)


def test_what_does_not_stop_is_killed(group, folders: Folders) -> None:
    running = group(sleeper("a", stop_s=0.3, source=STUBBORN))
    running.wait(running.want(["a"]), 20)
    pid = running.units["a"].child.pid
    end = time.monotonic() + 20
    while "here" not in running.log("a").read_text():
        assert time.monotonic() < end
        time.sleep(0.02)
    running.stop()
    assert not is_alive(pid)
    assert running.units["a"].state is State.STOPPED


def test_children_die_with_an_owner_that_is_killed(folders: Folders) -> None:
    script = (
        "import sys, time; from stack.process import Child, Command; from pathlib import Path\n"
        "child = Child(Command(['sleep', '600']), Path(sys.argv[1])); print(child.pid, flush=True); time.sleep(600)"
    )
    owner = subprocess.Popen([sys.executable, "-c", script, str(folders.logs / "x.log")], stdout=subprocess.PIPE, text=True,
                             env={**os.environ, "PYTHONPATH": str(ROOT / "deploy")})
    pid = int(owner.stdout.readline())
    assert is_alive(pid)
    owner.kill()
    owner.wait()
    owner.stdout.close()
    end = time.monotonic() + 10
    while is_alive(pid):
        assert time.monotonic() < end
        time.sleep(0.02)


def test_leftovers_are_ended_but_never_a_stranger_with_the_same_pid(folders: Folders) -> None:
    ours = subprocess.Popen(["sleep", "600"])
    stranger = subprocess.Popen(["sleep", "600"])
    try:
        rows = [["ours", ours.pid, start_ticks(ours.pid), int(signal.SIGTERM)],
                ["gone", stranger.pid, start_ticks(stranger.pid) - 1, int(signal.SIGTERM)]]
        (folders.run / CHILDREN_FILE).write_text(json.dumps(rows))
        assert end_leftovers(folders) == ["ours"]
        assert ours.wait(10) == -signal.SIGTERM
        assert stranger.poll() is None
        assert end_leftovers(folders) == []
    finally:
        for each in (ours, stranger):
            each.kill()
            each.wait()


def test_a_taken_port_names_its_holder_and_the_next_one_is_used() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        number = taken.getsockname()[1]
        chosen = ports.choose(["checkout"], number)
        try:
            assert chosen["checkout"] > number
            [line] = chosen.moved
            assert f"port {number} (checkout) is held by" in line
            assert f"pid {os.getpid()}" in line
            assert line.endswith(f"using {chosen['checkout']}")
        finally:
            chosen.release()


def test_two_stacks_that_start_at_once_get_different_ports() -> None:
    names = list(ports.DEFAULTS)
    first = ports.choose(names, 24000)
    second = ports.choose(names, 24000)
    try:
        assert not set(first.numbers.values()) & set(second.numbers.values())
        assert len(set(second.numbers.values())) == len(names)
    finally:
        first.release()
        second.release()
    assert ports.choose(names, 24000).numbers == first.numbers


@pytest.mark.parametrize("base", [0, 80, 65500])
def test_a_port_base_out_of_range_is_refused(base: int) -> None:
    with pytest.raises(StackError, match="between 1024 and 65000"):
        ports.choose(["checkout"], base)


def test_fresh_deletes_nothing_that_another_clone_made(folders: Folders) -> None:
    (folders.data / "treasure").write_text("x")
    (folders.data / MARKER).write_text("/somewhere/else\n")
    with pytest.raises(StackError, match="not deleted"):
        folders.delete_data()
    assert (folders.data / "treasure").exists()
    (folders.data / MARKER).write_text(f"{folders.state}\n")
    assert folders.delete_data()
    assert not folders.data.exists()


def test_fresh_deletes_the_registry_caches_of_all_services(folders: Folders) -> None:
    cached = [row for row in services.SERVICES if "--registry-url" in row.arguments]
    assert {"coordinator", "order", "payment", "inventory", "shipping"} <= {row.name for row in cached}
    stack = Stack(folders, Options(), ports.Ports(dict.fromkeys(ports.DEFAULTS, 1)))
    for program in {row.program for row in cached}:
        folders.bin.mkdir(parents=True, exist_ok=True)
        (folders.bin / program).touch()
    for row in cached:
        words = stack.group.units[row.name].unit.command().argv
        cache = Path(words[words.index("--registry-cache") + 1])
        assert cache == folders.registry_caches / row.name
        cache.mkdir(parents=True)
        (cache / "1.json").write_text("{}")
    folders.delete_data()
    assert not folders.registry_caches.exists()


def test_fresh_follows_no_link_out_of_the_state_folder(folders: Folders, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "treasure").write_text("x")
    (folders.data / "link").symlink_to(outside)
    folders.delete_data()
    assert (outside / "treasure").exists()


def test_logs_are_bounded(folders: Folders, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "LOG_BYTES_MAX", 1000)
    log = folders.logs / "a.log"
    with log.open("ab", buffering=0) as writer:
        writer.write(b"x" * 1500)
        process.bound_log(log)
        writer.write(b"y" * 10)
    assert log.read_bytes() == b"y" * 10
    assert log.with_name("a.log.1").read_bytes() == b"x" * 1500


def test_endpoints_can_be_sourced_by_a_shell(tmp_path: Path) -> None:
    values = {"A": "http://127.0.0.1:1", "B": "it's $HOME & more; \"x\""}
    file = tmp_path / "endpoints.env"
    endpoints.write(file, values)
    assert endpoints.read(file) == values
    assert file.stat().st_mode & 0o077 == 0
    shown = subprocess.run(["bash", "-c", '. "$1"; printf "%s\\n%s" "$A" "$B"', "-", str(file)], capture_output=True, text=True)
    assert shown.stdout == "\n".join(values.values())


def test_conninfo_of_an_existing_server_is_redirected_in_both_forms() -> None:
    url = "postgresql://admin:secret@db.example:5432/postgres?sslmode=require&user=x"
    assert redirect(url, "saga", "saga", None) == "postgresql://saga@db.example:5432/saga?sslmode=require"
    assert redirect(url, "saga", "saga", "pw") == "postgresql://saga:pw@db.example:5432/saga?sslmode=require"
    words = redirect("host=db.example user=admin dbname=postgres", "saga", "saga", "pw")
    assert words.endswith("dbname=saga user=saga password=pw")


@pytest.mark.parametrize("command", ["deploy/up", "deploy/down", "tests/run"])
def test_help_is_there_and_changes_nothing(command: str) -> None:
    shown = subprocess.run([ROOT / command, "--help"], capture_output=True, text=True, cwd="/", timeout=30)
    assert shown.returncode == 0
    assert shown.stdout.startswith(f"usage: {command}")
    assert shown.stderr == ""


@pytest.mark.parametrize("arguments", [["--nonsense"], ["--only"], ["--port-base", "x"], ["--port-base=12"]])
def test_wrong_usage_of_up_is_refused_before_anything_is_done(arguments: list[str]) -> None:
    refused = subprocess.run([ROOT / "deploy/up", *arguments], capture_output=True, text=True, timeout=30)
    assert refused.returncode == 2
    assert "error:" in refused.stderr
    assert refused.stdout == ""


def test_only_with_no_name_in_it_is_refused() -> None:
    """Of all commands alike; `plan` is the one that does no harm should it not be."""
    result = subprocess.run(
        [sys.executable, "-m", "stack", "plan", "--only=,"], cwd=ROOT / "deploy", capture_output=True, text=True, timeout=60
    )
    assert (result.returncode, result.stdout, result.stderr) == (2, "", "error: --only ,: names no part\n")
