"""Whoever is told that sagas are stuck: a small HTTP server that keeps what it gets and answers as the test says, and looks at
the signatures as the Standard Webhooks specification tells receivers to."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import threading
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

AGE_MAX_S = 300


@dataclass(frozen=True)
class Request:
    id: str
    status: int  # what it was answered
    body: dict[str, Any]
    headers: dict[str, str]

    @property
    def saga_id(self) -> str:
        return self.body["data"]["saga_id"]


class Receiver:
    def __init__(self) -> None:
        self.secret = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
        self.status = 200
        self.refused: set[str] = set()  # sagas of which nothing is taken
        self.requests: list[Request] = []
        self.unsigned = 0
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                status = receiver.take({name.lower(): value for name, value in self.headers.items()}, body)
                self.send_response(status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/amends"
        self._thread = threading.Thread(target=self._server.serve_forever, name="receiver")
        self._thread.start()

    def flags(self, folder: Path) -> list[str]:
        """For the coordinator's command line; the secret's file is the owner's alone."""
        path = folder / "webhook.secret"
        path.write_text(self.secret + "\n")
        path.chmod(0o600)
        return ["--webhook", f"people={self.url}", "--webhook-secret-file", str(path)]

    def take(self, headers: dict[str, str], body: bytes) -> int:
        if not self.is_signed(headers, body):
            self.unsigned += 1
            return 401
        tree = json.loads(body)
        status = 400 if tree["data"]["saga_id"] in self.refused else self.status
        self.requests.append(Request(headers["webhook-id"], status, tree, headers))
        return status

    def is_signed(self, headers: dict[str, str], body: bytes) -> bool:
        timestamp = headers.get("webhook-timestamp", "")
        if not timestamp.isdigit() or abs(time.time() - int(timestamp)) > AGE_MAX_S:
            return False
        content = f"{headers['webhook-id']}.{timestamp}.".encode() + body
        key = base64.b64decode(self.secret.removeprefix("whsec_"))
        wanted = "v1," + base64.b64encode(hmac.digest(key, content, hashlib.sha256)).decode()
        return any(hmac.compare_digest(wanted, given) for given in headers.get("webhook-signature", "").split(" "))

    def of(self, saga_id: str) -> list[Request]:
        return [request for request in self.requests if request.saga_id == saga_id]

    def taken(self, saga_id: str) -> list[Request]:
        return [request for request in self.of(saga_id) if request.status == 200]

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(30)
