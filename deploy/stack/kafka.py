"""A private Kafka broker (KRaft, broker and controller in one process), in its own data folder."""
from __future__ import annotations

import base64
import glob
import hashlib
import os
import secrets
import socket
import struct
import subprocess
import tempfile
import time
from pathlib import Path

from .errors import StackError
from .folders import Folders
from .process import Child, Command
from .unit import Unit

HEAP_MB = 128
FORMAT_S = 120
ARCHIVE_S = 180
API_VERSIONS_REQUEST = struct.pack(">hhih6s", 18, 0, 1, 6, b"amends")


class PrivateKafka:
    def __init__(self, folders: Folders, port: int, controller_port: int):
        self.folders = folders
        self.port = port
        self.controller_port = controller_port
        self.libs = folders.build / "kafka" / "libs"
        self.home = folders.data / "kafka"

    @property
    def bootstrap(self) -> str:
        return f"127.0.0.1:{self.port}"

    def unit(self) -> Unit:
        return Unit("kafka", self._command, prepare=self._prepare, is_ready=lambda: answers(self.bootstrap),
                    stop_s=20, note=self.bootstrap)

    def _prepare(self) -> None:
        if not any(self.libs.glob("kafka_*.jar")):
            raise StackError(f"the broker's jars are missing in {self.libs}: run deploy/up, which fetches them")
        self._make_archive()
        self._format(self.home, self.port, self.controller_port)

    def _format(self, home: Path, port: int, controller_port: int) -> None:
        home.mkdir(parents=True, exist_ok=True)
        (home / "server.properties").write_text(_properties(home, port, controller_port))
        cluster = home / "cluster.id"
        if not cluster.exists():
            cluster.write_text(_cluster_id())
        if (home / "log" / "meta.properties").exists():
            return
        argv = self._java() + ["kafka.tools.StorageTool", "format", "--ignore-formatted", "--standalone", "-t", cluster.read_text(),
                               "-c", str(home / "server.properties")]
        try:
            result = subprocess.run(argv, capture_output=True, text=True, timeout=FORMAT_S, cwd="/")
        except subprocess.TimeoutExpired:
            raise StackError(f"formatting {home} took more than {FORMAT_S} s") from None
        if result.returncode != 0:
            raise StackError(f"formatting {home} failed: {(result.stderr or result.stdout).strip()[-1500:]}")

    def _command(self) -> Command:
        # Ports may have changed since the folder was formatted.
        (self.home / "server.properties").write_text(_properties(self.home, self.port, self.controller_port))
        return Command(self._java() + ["kafka.Kafka", str(self.home / "server.properties")])

    def _java(self, *options: str) -> list[str]:
        heap = os.environ.get("AMENDS_KAFKA_HEAP_MB", str(HEAP_MB))
        share = [f"-XX:SharedArchiveFile={self._archive()}"] if self._archive().exists() else []
        return [java(), f"-Xmx{heap}m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:+ExitOnOutOfMemoryError",
                "-Xlog:cds=off", "-Xlog:cds+dynamic=off", *share, *options, "-Djava.awt.headless=true",
                f"-Dlog4j2.configurationFile={self.folders.root}/deploy/kafka/log4j2.yaml", "-cp", f"{self.libs}/*"]

    def _archive(self) -> Path:
        """Class data of the broker, parsed beforehand: starts in a third of the time. Named after what it was made of."""
        jars = sorted((jar.name, jar.stat().st_mtime_ns) for jar in self.libs.glob("*.jar"))
        digest = hashlib.sha256(repr((java(), os.stat(java()).st_mtime_ns, jars)).encode()).hexdigest()[:12]
        return self.libs.parent / f"classes-{digest}.jsa"

    def _make_archive(self) -> None:
        """Runs a broker in a scratch folder until it answers; Java writes the archive when it ends. A failure costs only
        time at each start, so it is not one of ours."""
        archive = self._archive()
        if archive.exists():
            return
        draft = archive.with_suffix(f".{os.getpid()}")
        with tempfile.TemporaryDirectory(dir=self.folders.data) as scratch, socket.socket() as one, socket.socket() as two:
            one.bind(("127.0.0.1", 0))
            two.bind(("127.0.0.1", 0))
            port, controller_port = one.getsockname()[1], two.getsockname()[1]
            one.close()
            two.close()
            home = Path(scratch)
            self._format(home, port, controller_port)
            command = Command(self._java(f"-XX:ArchiveClassesAtExit={draft}") + ["kafka.Kafka", str(home / "server.properties")])
            child = Child(command, self.folders.logs / "kafka-archive.log")
            try:
                deadline = time.monotonic() + ARCHIVE_S
                while not answers(f"127.0.0.1:{port}") and child.exit_code() is None and time.monotonic() < deadline:
                    time.sleep(0.2)
                child.signal(command.stop_signal)
                while child.exit_code() is None and time.monotonic() < deadline:
                    time.sleep(0.1)
            finally:
                child.kill()
        if draft.exists():
            draft.rename(archive)


def java() -> str:
    """Java 17 of Debian, whatever the default of the machine is."""
    for path in sorted(glob.glob("/usr/lib/jvm/java-17-openjdk-*/bin/java")):
        return path
    raise StackError("no Java 17 in /usr/lib/jvm: install openjdk-17-jre-headless")


def answers(bootstrap: str) -> bool:
    """A broker says nothing before it can serve; then it answers ApiVersions."""
    host, _, port = bootstrap.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=1) as connection:
            connection.sendall(struct.pack(">i", len(API_VERSIONS_REQUEST)) + API_VERSIONS_REQUEST)
            reply = connection.recv(10, socket.MSG_WAITALL)
            # length, then our correlation id, then error code 0
            return len(reply) == 10 and struct.unpack(">iih", reply)[1:] == (1, 0)
    except (OSError, ValueError):
        return False


def _cluster_id() -> str:
    """A random id as Kafka writes them. One that begins with '-' would be read as an option."""
    while True:
        text = base64.urlsafe_b64encode(secrets.token_bytes(16)).decode().rstrip("=")
        if not text.startswith("-"):
            return text


def _properties(home: Path, port: int, controller_port: int) -> str:
    settings = {
        "process.roles": "broker,controller",
        "node.id": 1,
        "controller.quorum.bootstrap.servers": f"127.0.0.1:{controller_port}",
        "listeners": f"PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}",
        "controller.listener.names": "CONTROLLER",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "log.dirs": home / "log",
        "auto.create.topics.enable": "false",
        "num.partitions": 6,
        "default.replication.factor": 1,
        "offsets.topic.replication.factor": 1,
        "offsets.topic.num.partitions": 8,
        "transaction.state.log.replication.factor": 1,
        "transaction.state.log.min.isr": 1,
        "transaction.state.log.num.partitions": 4,
        "share.coordinator.state.topic.replication.factor": 1,
        "share.coordinator.state.topic.min.isr": 1,
        "group.initial.rebalance.delay.ms": 0,
        # Small where the defaults are sized for a server of its own.
        "log.cleaner.dedupe.buffer.size": 4194304,
        "log.index.size.max.bytes": 1048576,
        "num.network.threads": 2,
        "num.io.threads": 4,
    }
    return "".join(f"{key}={value}\n" for key, value in settings.items())
