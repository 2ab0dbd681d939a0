"""Which port belongs to what, who holds a port that is taken, and how two stacks on one machine stay apart."""
from __future__ import annotations

import os
import pwd
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from .errors import StackError

# In the order in which --port-base lays them out.
DEFAULTS: Mapping[str, int] = {
    "checkout": 4000,
    "order": 4001,
    "payment": 4002,
    "inventory": 4003,
    "shipping": 4004,
    "registry": 8081,
    "grpc": 7233,
    "coordinator": 7280,
    "kafka": 9092,
    "kafka-controller": 9093,
    "postgres": 5433,
}
SPAN = len(DEFAULTS)
TCP_LISTEN = "0A"


@dataclass
class Ports:
    """The chosen ports. `claims` keeps them ours among stacks that are starting: an abstract socket each, which the
    kernel frees when the process ends, however it ends."""

    numbers: dict[str, int] = field(default_factory=dict)
    moved: list[str] = field(default_factory=list)
    claims: list[socket.socket] = field(default_factory=list)

    def __getitem__(self, name: str) -> int:
        return self.numbers[name]

    def release(self) -> None:
        for claim in self.claims:
            claim.close()
        self.claims.clear()


def choose(names: Iterable[str], base: int | None = None, preferred: Mapping[str, int] | None = None) -> Ports:
    """A free port for each name: the preferred one, or the default (or base + place), or the next free after it.
    Who holds a default port is told in `moved`."""
    ports = Ports()
    if base is not None and not 1024 <= base <= 65000:
        raise StackError(f"--port-base {base}: must be between 1024 and 65000")
    # All defaults are off limits for those that have to move, or the next one would be pushed aside in turn.
    wanted = {name: _wanted(name, base) for name in DEFAULTS}
    for name in names:
        first = (preferred or {}).get(name, wanted[name])
        number = first
        while not _claim(ports, number):
            if number == first:
                ports.moved.append(f"port {first} ({name}) is held by {holder(first)}")
            number += 1
            while number in wanted.values():
                number += 1
            if number > min(first + 500, 65535):
                raise StackError(f"no free port for {name} in {first}-{number - 1}: free one, or give --port-base N")
        if number != first:
            ports.moved[-1] += f"; using {number}"
        ports.numbers[name] = number
    return ports


def _wanted(name: str, base: int | None) -> int:
    return DEFAULTS[name] if base is None else base + list(DEFAULTS).index(name)


def _claim(ports: Ports, number: int) -> bool:
    claim = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        claim.bind(f"\0amends-port-{number}")
    except OSError:
        claim.close()
        return False
    if not is_free(number):
        claim.close()
        return False
    ports.claims.append(claim)
    return True


def is_free(number: int) -> bool:
    if any(port == number for port, _, _ in _listeners()):
        return False
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As servers do: a port whose last connections are still fading is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", number))
        except OSError:
            return False
    return True


def is_open(number: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", number), timeout=0.5):
            return True
    except OSError:
        return False


def _listeners() -> list[tuple[int, int, str]]:
    """(port, uid, inode) of every listening TCP socket."""
    found = []
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            lines = Path(table).read_text().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            columns = line.split()
            if columns[3] == TCP_LISTEN:
                found.append((int(columns[1].rsplit(":", 1)[1], 16), int(columns[7]), columns[9]))
    return found


def holder(number: int) -> str:
    """Who listens there, as well as we may know it: another user's processes show only their user."""
    for port, uid, inode in _listeners():
        if port != number:
            continue
        process = _process_with_socket(inode)
        return process or f"a process of user {_user_name(uid)}"
    return "another Amends stack that is starting, or a socket that does not listen"


def _process_with_socket(inode: str) -> str | None:
    wanted = f"socket:[{inode}]"
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            if any(os.readlink(fd) == wanted for fd in (folder / "fd").iterdir()):
                return f"{(folder / 'comm').read_text().strip()} (pid {folder.name})"
        except OSError:
            continue
    return None


def _user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
