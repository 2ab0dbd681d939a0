"""One measurement by a program that says in lines of JSON when it begins and ends: samples are taken at those very moments."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Callable
from typing import Any

from bench_stack import end
from sampling import Sample, Sampler
from stack.errors import StackError


class Program:
    """The client or the floor: its lines, and an end to it in any case."""

    def __init__(self, process: subprocess.Popen, limit_s: float):
        self.process = process
        self.timer = threading.Timer(limit_s, process.kill)
        self.timer.daemon = True
        self.timer.start()

    def __enter__(self) -> Program:
        return self

    def __exit__(self, *_: object) -> None:
        self.timer.cancel()
        end(self.process)

    def events(self, on_event: Callable[[str], None]) -> dict[str, Any]:
        """Calls `on_event` at the very moment of each; answers all that they said."""
        found: dict[str, Any] = {}
        for line in self.process.stdout:
            event = json.loads(line)
            on_event(event["event"])
            found |= event
        if self.process.wait() != 0 or "p50_ms" not in found:
            raise StackError(f"{self.process.args[0]} ended early (exit status {self.process.returncode}): see above")
        return found


def measure(sampler: Sampler, process: subprocess.Popen, name: str, limit_s: float,
            at_end: Callable[[], None] = lambda: None) -> tuple[dict[str, Any], Sample, Sample]:
    """What the program said, and the samples at the beginning and at the end."""
    samples: dict[str, Sample] = {}

    def on_event(event: str) -> None:
        if event in ("begin", "end"):
            samples[event] = sampler.take()
        if event == "end":
            at_end()

    sampler.pids[name] = process.pid
    try:
        with Program(process, limit_s) as program:
            said = program.events(on_event)
    finally:
        del sampler.pids[name]
    return said, samples["begin"], samples["end"]
