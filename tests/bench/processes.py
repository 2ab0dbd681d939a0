"""What processes have used: CPU time and memory, of one and all below it. Those that have ended meanwhile are left out."""

from __future__ import annotations

import re
from pathlib import Path


def descendants(pid: int) -> list[int]:
    found = [pid]
    for parent in found:
        try:
            for task in Path(f"/proc/{parent}/task").iterdir():
                found += [int(child) for child in (task / "children").read_text().split()]
        except OSError:
            pass
    return found


def cpu_ticks(pid: int) -> int:
    """Of a process and all below it, those included that have ended and were waited for."""
    total = 0
    for each in descendants(pid):
        try:
            fields = Path(f"/proc/{each}/stat").read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        total += sum(int(field) for field in (fields[11:15] if each == pid else fields[11:13]))
    return total


def memory_mb(pid: int) -> float:
    """Resident memory; of several processes that share memory, each shared page counts once (PSS)."""
    pids = descendants(pid)
    name, file = (r"^VmRSS:\s+(\d+)", "status") if len(pids) == 1 else (r"^Pss:\s+(\d+)", "smaps_rollup")
    total = 0
    for each in pids:
        try:
            match = re.search(name, Path(f"/proc/{each}/{file}").read_text(), re.M)
        except OSError:
            continue
        total += int(match.group(1)) if match else 0
    return total / 1024
