"""A coordinator with nothing behind it, for tests of who is let in: its database, broker and registry are away, so a call that is
let in is UNAVAILABLE, and whatever else it says is about the caller. And a certificate authority to go with it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import grpc
from saga.v1 import saga_service_pb2, saga_service_pb2_grpc

START_S = 30
NOWHERE = "127.0.0.1:1"


class Authority:
    """A certificate authority of the test's own, by openssl."""

    def __init__(self, folder: Path, name: str = "ca"):
        self.folder = folder
        self.certificate = folder / f"{name}.pem"
        self.key = folder / f"{name}.key"
        self._openssl("req", "-x509", *self._new_key(self.key), "-days", "2", "-subj", f"/CN={name}", "-out", self.certificate)

    def issue(self, name: str, alternative_names: str) -> tuple[Path, Path]:
        """A certificate and its key, which only the owner reads."""
        certificate, key, request, extension = (self.folder / f"{name}.{end}" for end in ("pem", "key", "csr", "ext"))
        extension.write_text(f"subjectAltName={alternative_names}\n")
        self._openssl("req", *self._new_key(key), "-subj", f"/CN={name}", "-out", request)
        self._openssl("x509", "-req", "-in", request, "-CA", self.certificate, "-CAkey", self.key, "-CAcreateserial", "-days", "2",
                      "-extfile", extension, "-out", certificate)
        key.chmod(0o600)
        return certificate, key

    @staticmethod
    def _new_key(path: Path) -> tuple[object, ...]:
        return ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", path)

    @staticmethod
    def _openssl(*arguments: object) -> None:
        subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(condition: Callable[[], bool], what: str, deadline_s: float = START_S) -> None:
    end = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < end, f"not within {deadline_s} s: {what}"
        time.sleep(0.05)


class SecureCoordinator:
    def __init__(self, program: Path, folder: Path, *flags: str, listen: str | None = None, limits: str = ""):
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.log = folder / "coordinator.log"
        arguments = [str(program), "--grpc-listen", listen or self.address, "--http-port", "0", "--kafka-brokers", NOWHERE,
                     "--registry-url", f"http://{NOWHERE}", "--instance", "secure", "--postgres",
                     "host=127.0.0.1 port=1 dbname=none", *flags]
        command = ["bash", "-c", f"{limits}; exec \"$@\"", "bash", *arguments] if limits else arguments
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("SAGA_", "REGISTRY_", "KAFKA_"))}
        self._command, self._environment = command, environment
        self.child = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            return subprocess.Popen(self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self._environment)

    def restart_if_ended(self) -> bool:
        """What a supervisor does. True: it was needed."""
        if self.child.poll() is None:
            return False
        self.child = self._start()
        return True

    def __enter__(self) -> SecureCoordinator:
        try:
            until(lambda: self.said("event=listening") or self.child.poll() is not None, "listening")
            assert self.child.poll() is None, self.log.read_text()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        if self.child.poll() is None:
            self.child.kill()
        self.child.wait()

    def said(self, text: str) -> bool:
        return text in self.log.read_text()

    def times_said(self, text: str) -> int:
        return self.log.read_text().count(text)

    def reload(self) -> None:
        """SIGHUP, and waits until it has been taken, whatever came of it."""
        before = self.times_said("event=reload")
        self.child.send_signal(signal.SIGHUP)
        until(lambda: self.times_said("event=reload") > before, "a reload")


def call(channel: grpc.Channel, method: str = "GetSaga", token: str | None = None) -> grpc.RpcError:
    """How an empty request ends; it always fails, see above."""
    stub = saga_service_pb2_grpc.SagaServiceStub(channel)
    request = getattr(saga_service_pb2, f"{method}Request")()
    metadata = [("authorization", f"Bearer {token}")] if token else []
    try:
        getattr(stub, method)(request, timeout=10, metadata=metadata)
    except grpc.RpcError as error:
        return error
    raise AssertionError(f"{method} was answered by a server without a database")


def is_let_in(error: grpc.RpcError) -> bool:
    return error.code() == grpc.StatusCode.UNAVAILABLE and "waits for its database" in error.details()


def new_token(sagactl: Path, name: str, roles: str) -> tuple[str, str]:
    """The token, and the line of the access file that knows it."""
    made = subprocess.run([sagactl, "token", "new", name, roles], capture_output=True, text=True, check=True)
    return made.stdout.strip(), made.stderr.splitlines()[-1]


def run_refused(program: Path, arguments: list[str], environment: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Runs what must not start."""
    return subprocess.run([program, *arguments], capture_output=True, text=True, timeout=START_S, stdin=subprocess.DEVNULL,
                          env={**os.environ, **(environment or {})})
