"""A proxy before Postgres that understands just enough of its protocol to lose a commit: the request, so that nothing of it was
done, or the answer, so that all of it was and nobody knows."""

from __future__ import annotations

import asyncio
import struct
import threading
from collections.abc import Callable
from enum import Enum

READY = b"Z"  # the backend's ReadyForQuery: what came before it is done and committed
PREPARE, BIND, SIMPLE = b"P", b"B", b"Q"


class Lost(Enum):
    REQUEST = "request"
    REPLY = "reply"


class PostgresProxy:
    """Listens on a port of its own, for connections without TLS. `is_commit` says of a statement's text whether it commits."""

    def __init__(self, server_port: int, is_commit: Callable[[bytes], bool]):
        self.server_port = server_port
        self.is_commit = is_commit
        self.cuts = 0
        self._every = 0
        self._left = 0
        self._seen = 0
        self._lost = Lost.REPLY
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._server = self._call(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self.port: int = self._server.sockets[0].getsockname()[1]

    def close(self) -> None:
        self._server.close()
        self._call(self._end_connections())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def cut(self, lost: Lost, times: int, every: int) -> None:
        """Loses so many of the commits to come: of each `every` the last one."""
        self._lost, self._left, self._every, self._seen = lost, times, every, 0

    def _call(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(10)

    async def _end_connections(self) -> None:
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    def _is_to_be_lost(self) -> bool:
        if self._left == 0:
            return False
        self._seen += 1
        if self._seen % self._every != 0:
            return False
        self._left -= 1
        return True

    async def _serve(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        server, to_server = await asyncio.open_connection("127.0.0.1", self.server_port)
        connection = _Connection(self)
        ways = [asyncio.ensure_future(connection.carry_requests(client, to_server)),
                asyncio.ensure_future(connection.carry_replies(server, to_client))]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            to_client.transport.abort()  # neither side hears a farewell
            to_server.transport.abort()


class _Connection:
    def __init__(self, proxy: PostgresProxy):
        self.proxy = proxy
        self.statements: dict[bytes, bytes] = {}  # prepared ones, by name
        self.is_losing_reply = False

    async def carry_requests(self, client: asyncio.StreamReader, to_server: asyncio.StreamWriter) -> None:
        length = await client.readexactly(4)  # the first message alone has no kind
        to_server.write(length + await client.readexactly(struct.unpack(">I", length)[0] - 4))
        while True:
            kind, body = await _read(client)
            if self._commits(kind, body) and self.proxy._is_to_be_lost():
                if self.proxy._lost is Lost.REQUEST:
                    self.proxy.cuts += 1
                    return
                self.is_losing_reply = True
            to_server.write(_message(kind, body))
            await to_server.drain()

    async def carry_replies(self, server: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        while True:
            kind, body = await _read(server)
            if not self.is_losing_reply:
                to_client.write(_message(kind, body))
                await to_client.drain()
            elif kind == READY:
                self.proxy.cuts += 1
                return

    def _commits(self, kind: bytes, body: bytes) -> bool:
        if kind == PREPARE:
            name, sql, _ = body.split(b"\0", 2)
            self.statements[name] = sql
        elif kind == BIND:
            return self.proxy.is_commit(self.statements.get(body.split(b"\0", 2)[1], b""))
        return kind == SIMPLE and self.proxy.is_commit(body.rstrip(b"\0"))


async def _read(stream: asyncio.StreamReader) -> tuple[bytes, bytes]:
    kind, length = struct.unpack(">cI", await stream.readexactly(5))
    return kind, await stream.readexactly(length - 4)


def _message(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">cI", kind, len(body) + 4) + body
