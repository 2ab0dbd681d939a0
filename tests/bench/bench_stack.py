"""The servers and programs of one mode of the benchmark, all of its own and on loopback."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from stack import kafka, ports, postgres
from stack.errors import StackError
from stack.folders import Folders
from stack.group import Group
from stack.process import Command
from stack.unit import Unit, http_ready

ROOT = Path(__file__).resolve().parents[2]
BENCH = ROOT / "tests" / "bench"
SHOP = ("order", "payment", "inventory", "shipping")
PORTS = ("registry", "grpc", "coordinator", "kafka", "kafka-controller", "postgres", *SHOP)
KAFKA_HEAP_MB = 512
STOCK = 1_000_000_000
TARGETS = ("schema-registry", "saga-coordinator", "sagactl", "bench-load", "bench-offer", "bench-lean-participant", "bench-sdk-participant",
           "bench-floor", *(f"{name}-service" for name in SHOP))
PATIENCE_S = 120
SECONDS = ("coordinator-2", "participant-2")


@dataclass(frozen=True)
class Mode:
    definition: str  # its name
    source: Path
    subjects: Path
    participants: tuple[str, ...]  # units
    has_inbox: bool
    replies: Mapping[str, int]  # by path: of one saga
    inboxes: tuple[str, ...]  # databases that have one


MODES = {
    "engine": Mode("bench", BENCH / "bench.yaml", BENCH / "proto" / "subjects.yaml", ("participant",), False,
                   {"happy": 3, "compensating": 5}, ()),
    "inbox": Mode("bench", BENCH / "bench.yaml", BENCH / "proto" / "subjects.yaml", ("participant",), True,
                  {"happy": 3, "compensating": 5}, ("bench_db",)),
    "shop": Mode("checkout", ROOT / "deploy" / "shop" / "checkout.yaml", ROOT / "proto" / "shop" / "subjects.yaml", SHOP, True,
                 {"happy": 6, "compensating": 5}, tuple(f"{name}_db" for name in SHOP)),
}


class BenchKafka(kafka.PrivateKafka):
    """With the compiler of a broker that is meant to be fast, not small."""

    def _java(self, *options: str) -> list[str]:
        return [word for word in super()._java(*options) if word != "-XX:TieredStopAtLevel=1"]


class BenchPostgres(postgres.PrivatePostgres):
    """fsync and synchronous_commit on. Room enough that what is measured is not how often a small WAL makes a checkpoint."""

    SETTINGS = {"synchronous_commit": "on", "shared_buffers": "512MB", "max_wal_size": "8GB", "checkpoint_timeout": "15min"}

    def _command(self) -> Command:
        command = super()._command()
        words = [word for key, value in self.SETTINGS.items() for word in ("-c", f"{key}={value}")]
        return Command([*command.argv, *words], command.environment, command.user, command.stop_signal)


def build(folder: Path) -> None:
    if not (folder / "build.ninja").exists():
        run_quietly(["cmake", "-S", ROOT, "-B", folder, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release"])
    run_quietly(["ninja", "-C", folder, *TARGETS])


def run_quietly(argv: list) -> None:
    result = subprocess.run([str(word) for word in argv], capture_output=True, text=True)
    if result.returncode != 0:
        raise StackError(f"{' '.join(map(str, argv))} failed:\n{(result.stdout + result.stderr)[-4000:]}")


class BenchStack:
    """With `is_doubled` a second coordinator and a second participant, which use ports of the shop's, whose mode has none.
    `options` are the coordinator's, beside those it always has."""

    def __init__(self, folders: Folders, chosen: ports.Ports, mode: Mode, path: str, partitions: int, kafka_libs: Path,
                 is_doubled: bool = False, options: tuple[str, ...] = ()):
        self.folders = folders
        self.ports = chosen
        self.mode = mode
        self.path = path
        self.partitions = partitions
        self.postgres = BenchPostgres(folders, chosen["postgres"],
                                      ["registry", "saga", "floor", "bench_db", *(f"{name}_db" for name in SHOP)])
        self.kafka = BenchKafka(folders, chosen["kafka"], chosen["kafka-controller"])
        self.kafka.libs = kafka_libs
        self.is_doubled = is_doubled
        self.options = options
        self.target = f"127.0.0.1:{chosen['grpc']}"
        self.second_target = f"127.0.0.1:{chosen['order']}"
        self.http_port = chosen["coordinator"]
        self.group = Group(folders, self._units(), restart=False)

    def up(self) -> None:
        self.group.wait(self.group.want(self.group.units), PATIENCE_S)
        if "inventory" in self.mode.participants:
            postgres.psql(self.postgres.login("inventory_db"),
                          f"INSERT INTO stock (product_id, available) SELECT 'bench-' || i, {STOCK} FROM generate_series(0, 99) i")

    @property
    def kafka_log(self) -> Path:
        return self.kafka.home / "log"

    def pid(self, name: str) -> int:
        return self.group.units[name].child.pid

    def pids(self) -> dict[str, int]:
        seconds = [name for name in SECONDS if self.is_doubled and self.group.units[name].child]
        return {name: self.pid(name) for name in ("coordinator", "postgres", "kafka", *self.mode.participants, "registry", *seconds)}

    def check_alive(self) -> None:
        self.group.tick()
        for name in self.pids():
            if self.group.units[name].child.exit_code() is not None:
                raise StackError(f"{name} ended during the benchmark\n{self.group.trouble(name)}")

    def start_load(self, in_flight: int, seconds: int, warmup: int, starts: str, target: str | None = None) -> subprocess.Popen:
        return self._start("bench-load", {}, "--target", target or self.target, "--definition", self.mode.definition, "--path", self.path,
                           "--in-flight", in_flight, "--seconds", seconds, "--warmup", warmup, "--starts", starts)

    def start_offer(self, rate: int, batch: int, connections: int, seconds: int, warmup: int) -> subprocess.Popen:
        return self._start("bench-offer", {}, "--target", self.target, "--definition", self.mode.definition, "--rate", rate,
                           "--batch", batch, "--connections", connections, "--seconds", seconds, "--warmup", warmup)

    def start_floor(self, in_flight: int, seconds: int, warmup: int, sizes: Mapping[str, int]) -> subprocess.Popen:
        login = self.postgres.login("floor")
        words = [word for name, value in sizes.items() for word in (f"--{name.replace('_', '-')}", value)]
        if self.mode.has_inbox:
            words.append("--inbox")
        return self._start("bench-floor", dict(login.environment), "--kafka-brokers", self.kafka.bootstrap, "--postgres",
                           login.conninfo, "--in-flight", in_flight, "--seconds", seconds, "--warmup", warmup, "--replies",
                           self.mode.replies[self.path], *words)

    def wait_for_first_saga(self) -> None:
        """The benchmark's participants have no HTTP: they are ready when a saga ends."""
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            self.check_alive()
            load = self.start_load(1, 1, 0, "unary")
            try:
                output, _ = load.communicate(timeout=60)
            finally:
                end(load)
            if '"sagas":0' not in output and '"event":"end"' in output:
                return
        raise StackError(f"no saga ended within {PATIENCE_S} s\n{self.group.trouble(self.mode.participants[0])}\n"
                         f"{self.group.trouble('coordinator')}")

    def _start(self, program: str, environment: Mapping[str, str], *words: object) -> subprocess.Popen:
        return subprocess.Popen([str(self.folders.bin / program), *map(str, words)], env={**os.environ, **environment},
                                stdout=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL)

    def _program(self, name: str, *arguments: str, database: str | None = None):
        def command() -> Command:
            words, environment = list(arguments), {}
            if database:
                login = self.postgres.login(database)
                words += ["--postgres", login.conninfo]
                environment = dict(login.environment)
            return Command([str(self.folders.bin / name), *words], environment)
        return command

    def _units(self) -> list[Unit]:
        brokers, registry = self.kafka.bootstrap, f"http://127.0.0.1:{self.ports['registry']}"
        subjects = str(self.mode.subjects)
        ready = {name: (lambda name=name: http_ready(self.ports[name], "/readyz")) for name in ("registry", *SHOP)}
        return [
            self.postgres.unit(),
            self.kafka.unit(),
            Unit("registry", self._program("schema-registry", "--listen-port", str(self.ports["registry"]), database="registry"),
                 needs=("postgres",), is_ready=ready["registry"]),
            Unit("schemas", self._program("sagactl", "--registry-url", registry, "schema", "register", "--map", subjects),
                 needs=("registry",), is_task=True),
            Unit("topics", self._program("sagactl", "--kafka-brokers", brokers, "topics", "create", "--map", subjects,
                                   "--partitions", str(self.partitions)),
                 needs=("kafka",), is_task=True),
            self._coordinator("coordinator", self.target, self.http_port, "bench"),
            *self._participants(brokers, registry, ready),
            Unit("definition", self._program("sagactl", "--address", self.target, "definitions", "put", str(self.mode.source)),
                 needs=("coordinator",), is_task=True),
            *(self._seconds(brokers, registry) if self.is_doubled else ()),
        ]

    def _coordinator(self, name: str, target: str, http_port: int, instance: str) -> Unit:
        return Unit(name, self._program("saga-coordinator", "--grpc-listen", target, "--http-port", str(http_port), "--kafka-brokers",
                                        self.kafka.bootstrap, "--registry-url", f"http://127.0.0.1:{self.ports['registry']}",
                                        "--instance", instance, *self.options, database="saga"),
                    needs=("schemas", "topics"), is_ready=lambda: http_ready(http_port, "/readyz"))

    def _seconds(self, brokers: str, registry: str) -> list[Unit]:
        return [
            self._coordinator("coordinator-2", self.second_target, self.ports["payment"], "bench-2"),
            Unit("participant-2", self._program("bench-sdk-participant", "--kafka-brokers", brokers, "--registry-url", registry,
                                                "--instance", "participant-2", database="bench_db"),
                 needs=("schemas", "topics")),
        ]

    def _participants(self, brokers: str, registry: str, ready: Mapping) -> list[Unit]:
        needs = ("schemas", "topics")
        common = ("--kafka-brokers", brokers, "--registry-url", registry)
        if self.mode.participants == SHOP:
            return [Unit(name, self._program(f"{name}-service", *common, "--http-port", str(self.ports[name]), "--instance",
                                             f"{name}-1", database=f"{name}_db"), needs=needs, is_ready=ready[name])
                    for name in SHOP]
        refuse = ("--refuse",) if self.path == "compensating" else ()
        if self.mode.has_inbox:
            return [Unit("participant", self._program("bench-sdk-participant", *common, *refuse, "--instance", "participant-1",
                                                     database="bench_db"), needs=needs)]
        return [Unit("participant", self._program("bench-lean-participant", *common, *refuse), needs=needs)]


@contextmanager
def made(folders: Folders) -> Iterator[None]:
    """Makes the folders, and leaves nothing of them but logs of what went wrong."""
    has_ended_well = False
    try:
        folders.make()
        yield
        has_ended_well = True
    finally:
        has_logs = not has_ended_well and folders.logs.is_dir() and any(log.stat().st_size for log in folders.logs.iterdir())
        folders.delete_data(keep_logs=has_logs)
        if has_logs:
            print(f"logs are in {folders.logs}", file=sys.stderr)
        else:
            shutil.rmtree(folders.state, ignore_errors=True)


def check_room(folders: Folders, data_bytes: int) -> None:
    """Before anything is made."""
    disk = next(folder for folder in folders.data.parents if folder.exists())
    free = shutil.disk_usage(disk).free
    if free < data_bytes:
        raise StackError(f"that much data needs about {data_bytes / 1e9:,.0f} GB in {disk}, which has {free / 1e9:,.0f} GB left: "
                         "free some, or ask for less")


@contextmanager
def running(build_folder: Path, port_base: int, kafka_libs: Path, kind: type[BenchStack] = BenchStack, data_bytes: int = 0,
            **shape: object) -> Iterator[BenchStack]:
    """A stack of this kind that is built, up, and has ended its first saga; `shape` is the kind's. What can be refused is refused
    before the build."""
    folders = Folders(ROOT, ROOT / "build" / f"bench-stack-{os.getpid()}", build_folder)
    check_room(folders, data_bytes)
    os.environ["AMENDS_KAFKA_HEAP_MB"] = str(KAFKA_HEAP_MB)
    with ExitStack() as at_end:
        chosen = ports.choose([name for name in ports.DEFAULTS if name in PORTS], port_base)
        at_end.callback(chosen.release)
        print("building …", flush=True)
        build(build_folder)
        at_end.enter_context(made(folders))
        stack = kind(folders, chosen, kafka_libs=kafka_libs, **shape)
        at_end.callback(stack.group.stop)
        print("starting Postgres, Kafka, registry, coordinator, participants …", flush=True)
        stack.up()
        stack.wait_for_first_saga()
        yield stack


def end(process: subprocess.Popen) -> None:
    if process.poll() is None:
        process.terminate()
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
