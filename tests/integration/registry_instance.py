"""A schema registry of a test's own, over the stack's database, on a port of its own choice."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from pathlib import Path

from shop_client import wait_until


class Instance:
    def __init__(self, program: Path, conninfo: str, log: Path, *flags: str):
        self._log = log
        with log.open("w") as out:
            self.process = subprocess.Popen([program, "--listen-port", "0", *flags], stdin=subprocess.DEVNULL, stdout=out,
                                            stderr=subprocess.STDOUT, env={**os.environ, "REGISTRY_POSTGRES": conninfo})
        self.port = int(wait_until(self._find_port, f"{log} tells the port"))
        self.url = f"http://127.0.0.1:{self.port}"

    def _find_port(self) -> str | None:
        assert self.process.poll() is None, self._log.read_text()
        found = re.search(r"event=started .*?port=(\d+)", self._log.read_text())
        return found[1] if found else None

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(30)

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            assert self.process.wait(30) == 0, self._log.read_text()
