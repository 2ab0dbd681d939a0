"""What a person sees: lines, a waiting line that shows elapsed time, colours on a terminal only."""
from __future__ import annotations

import os
import sys
import time

HEARTBEAT_S = 15.0  # where nobody can overwrite a line

_is_terminal = sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
_has_colour = _is_terminal and "NO_COLOR" not in os.environ


def bold(text: str) -> str:
    return f"\033[1m{text}\033[0m" if _has_colour else text


def green(text: str) -> str:
    return f"\033[32m{text}\033[0m" if _has_colour else text


def red(text: str) -> str:
    return f"\033[31m{text}\033[0m" if _has_colour else text


def say(text: str = "") -> None:
    print(("\r\033[K" if _is_terminal else "") + text, flush=True)


def complain(text: str) -> None:
    if _is_terminal:
        print("\r\033[K", end="", flush=True)
    print(red("error: ") + text if sys.stderr.isatty() and _has_colour else f"error: {text}", file=sys.stderr, flush=True)


class Waiting:
    """A long step: on a terminal one line that counts the seconds, elsewhere a line now and then."""

    def __init__(self) -> None:
        self.began = time.monotonic()
        self._said = self.began

    @property
    def elapsed_s(self) -> float:
        return time.monotonic() - self.began

    def show(self, text: str) -> None:
        line = f"  … {text}, {self.elapsed_s:.0f} s"
        if _is_terminal:
            print(f"\r\033[K{line[:os.get_terminal_size().columns - 1]}", end="", flush=True)
        elif time.monotonic() - self._said > HEARTBEAT_S:
            self._said = time.monotonic()
            print(line, flush=True)
