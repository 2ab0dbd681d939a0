"""The benchmark's stack with two databases, one of which is to be filled, and a coordinator that moves from one to the other."""

from __future__ import annotations

import json
import os
import subprocess
import time
import urllib.request
from pathlib import Path

from bench_stack import BENCH, MODES, PATIENCE_S, BenchStack
from stack import ports
from stack.errors import StackError
from stack.folders import Folders

EMPTY, FULL = "saga", "scale"  # databases
WAITING = BENCH / "scale.yaml"
TAKEN_OVER = "event=take_over_ended"
TAKE_OVER_PATIENCE_S = 600


class ScaleStack(BenchStack):
    def __init__(self, folders: Folders, chosen: ports.Ports, partitions: int, kafka_libs: Path):
        super().__init__(folders, chosen, MODES["engine"], "happy", partitions, kafka_libs)
        self.postgres.databases.append(FULL)
        self.database = EMPTY

    def _program(self, name: str, *arguments: str, database: str | None = None):
        made = super()._program(name, *arguments, database=database)
        if database != EMPTY:
            return made
        # The coordinator's command is asked for at each of its starts.
        return lambda: BenchStack._program(self, name, *arguments, database=self.database)()

    @property
    def login(self):
        return self.postgres.login(self.database)

    def stop_coordinator(self) -> None:
        self.group.stop(["coordinator"])

    def kill_coordinator(self) -> None:
        self.group.kill("coordinator")

    def start_coordinator(self, database: str) -> dict[str, float]:
        """Over this database; how long it took until calls succeed, and until what an earlier one left is taken over."""
        self.database = database
        log = self.group.log("coordinator")
        before = log.stat().st_size if log.exists() else 0
        begun = time.monotonic()
        self.group.wait(self.group.want(["coordinator"]), PATIENCE_S)
        ready_s = time.monotonic() - begun
        while TAKEN_OVER not in _tail_from(log, before):
            if time.monotonic() - begun > TAKE_OVER_PATIENCE_S:
                raise StackError(f"the coordinator has not taken over all open sagas after {TAKE_OVER_PATIENCE_S} s")
            self.check_alive()
            time.sleep(0.02)
        return {"ready_s": round(ready_s, 2), "taken_over_s": round(time.monotonic() - begun, 2)}

    def put_definition(self, file: Path) -> None:
        self.sagactl("definitions", "put", str(file))

    def sagactl(self, *words: str) -> str:
        result = subprocess.run([self.folders.bin / "sagactl", "--address", self.target, "--call-timeout", "60s", *words],
                                capture_output=True, text=True, stdin=subprocess.DEVNULL, env=dict(os.environ))
        if result.returncode != 0:
            raise StackError(f"sagactl {' '.join(words)}: {result.stderr.strip()}")
        return result.stdout.strip()

    def start_waiting(self, order_id: str, *labels: str) -> str:
        """A saga that has done its first step and waits for a signal; its id."""
        text = json.dumps({"order_id": order_id, "user_id": "user-1", "amount_minor": 2599, "currency": "USD"})
        words = [word for label in labels for word in ("--label", label)]
        return self.sagactl("start", "bench-wait", "--quiet", "--input", text, *words)

    def call_seconds(self, method: str) -> tuple[float, float]:
        """Of all calls of a method so far: how many, and how long they took, by the coordinator's own clock."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.http_port}/metrics", timeout=30) as answer:
            rows = [line for line in answer.read().decode().splitlines()
                    if line.startswith("grpc_server_handling_seconds_") and f'"{method}"' in line]
        values = {row.split("{")[0].removeprefix("grpc_server_handling_seconds_"): float(row.rsplit(" ", 1)[1]) for row in rows}
        return values.get("count", 0.0), values.get("sum", 0.0)


def _tail_from(log: Path, place: int) -> str:
    with log.open("rb") as file:
        file.seek(place if log.stat().st_size >= place else 0)
        return file.read().decode(errors="replace")
