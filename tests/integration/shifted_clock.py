"""A part of the stack with a calendar of its own (shifted_clock.c); its durations are true."""

from __future__ import annotations

import os
import shutil
import struct

from conftest import BUILD
from harness import TestStack

HOUR_US = 3_600_000_000


class ShiftedClock:
    """Of a part of the stack, which is started anew with it. Processes that it starts see the same clock."""

    def __init__(self, stack: TestStack, name: str):
        self.stack = stack
        self.name = name
        # Both where the server's user can go, too.
        self._file = stack.folders.data / f"{name}.clock"
        library = shutil.copy(BUILD / "tests" / "shifted_clock.so", stack.folders.data / f"{name}.clock.so")
        self._file.write_bytes(bytes(8))
        self._file.chmod(0o644)
        environment = {"LD_PRELOAD": str(library), "SHIFTED_CLOCK": str(self._file)}
        if "ASAN_OPTIONS" in os.environ:
            environment["ASAN_OPTIONS"] = f"{os.environ['ASAN_OPTIONS']}:verify_asan_link_order=0"
        stack.add_arguments(name, environment=environment)
        stack.restart(name)

    def close(self) -> None:
        """Started anew once more, with the true time."""
        self.stack.add_arguments(self.name)
        self.stack.restart(self.name)

    def shift(self, hours: float) -> None:
        """From now on so far ahead of the true time."""
        with self._file.open("r+b") as file:
            file.write(struct.pack("=q", round(hours * HOUR_US)))
