"""A program in a terminal of its own: what it draws, as a person would see it, and Ctrl-C."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

ESCAPE = re.compile(r"\x1b\[([?0-9;]*)([A-Za-z])")


class Terminal:
    """`screen` is what stands there now, line by line, `raw` all that was written."""

    def __init__(self, words: Sequence[str | Path], environment: Mapping[str, str], columns: int = 100, rows: int = 40):
        self.raw = ""
        self._columns = columns
        self._bytes = b""
        self._fd, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        env = {**os.environ, "TERM": "xterm-256color", "LC_ALL": "C.UTF-8", **environment}
        env.pop("NO_COLOR", None)
        env |= {name: value for name, value in environment.items() if name == "NO_COLOR"}
        self._child = subprocess.Popen(words, stdin=slave, stdout=slave, stderr=slave, env=env, start_new_session=True,
                                       preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        os.close(slave)

    def wait_for(self, condition: Callable[[str], bool], what: str, deadline_s: float = 30) -> None:
        end = time.monotonic() + deadline_s
        while not condition(self.screen):
            if time.monotonic() > end or not self._read(end):
                raise AssertionError(f"{what}: not seen. The screen:\n{self.screen}")

    def finish(self, deadline_s: float = 30) -> int:
        """The exit code, when all was read."""
        end = time.monotonic() + deadline_s
        while self._read(end):
            if time.monotonic() > end:
                self._child.kill()
                raise AssertionError(f"it does not end. The screen:\n{self.screen}")
        code = self._child.wait(timeout=5)
        os.close(self._fd)
        return code

    def type(self, text: str) -> None:
        os.write(self._fd, text.encode())

    def interrupt(self) -> None:
        os.write(self._fd, b"\x03")

    def hang_up(self) -> None:
        self._child.send_signal(signal.SIGHUP)

    def _read(self, end: float) -> bool:
        """False at the end of the output."""
        ready, _, _ = select.select([self._fd], [], [], max(0.0, min(0.2, end - time.monotonic())))
        if not ready:
            return True
        try:
            chunk = os.read(self._fd, 65536)
        except OSError:  # EIO: the other side is closed
            chunk = b""
        self._bytes += chunk
        self.raw = self._bytes.decode(errors="ignore")
        return bool(chunk)

    @property
    def screen(self) -> str:
        """The movements that sagactl makes, carried out; colours left out."""
        lines: list[str] = [""]
        row = column = 0
        at = 0
        while at < len(self.raw):
            escape = ESCAPE.match(self.raw, at)
            if escape:
                at = escape.end()
                count = int(escape[1]) if escape[1].isdigit() else 1
                if escape[2] == "A":
                    row = max(0, row - count)
                elif escape[2] == "K":
                    lines[row] = lines[row][:column]
                elif escape[2] == "J":
                    lines = [*lines[:row], lines[row][:column]]
                continue
            letter = self.raw[at]
            at += 1
            if letter == "\r":
                column = 0
            elif letter == "\n":
                row += 1
                lines += [""] * (row + 1 - len(lines))
            else:
                lines[row] = lines[row][:column].ljust(column) + letter + lines[row][column + 1:]
                column += 1
        return "\n".join(line.rstrip() for line in lines)
