"""How much processor time and memory the parts of a mesh take, read from `/proc`.

Owns that reading. A part is a process with all its descendants, those that have ended included: Postgres works in
children of its own.
"""

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

__all__ = ["CpuUse", "cpu_seconds", "measured_cpu", "resident_mib"]

_TICKS = os.sysconf("SC_CLK_TCK")


class CpuUse:
    """What the parts used within a block; filled when it is left."""

    def __init__(self) -> None:
        self.wall = 0.0
        self.seconds: dict[str, float] = {}


@contextmanager
def measured_cpu(parts: Mapping[str, int]) -> Iterator[CpuUse]:
    """Measure the processor time that each part, named with its process id, uses inside the block."""
    use, before, began = CpuUse(), cpu_seconds(parts), time.monotonic()
    yield use
    use.wall, after = time.monotonic() - began, cpu_seconds(parts)
    use.seconds = {name: after[name] - before[name] for name in parts}


def cpu_seconds(parts: Mapping[str, int]) -> dict[str, float]:
    """Return the seconds of processor time that each part has used so far."""
    own: dict[int, float] = {}
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                # After the name, which may hold anything but ends with the last parenthesis.
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except (FileNotFoundError, ProcessLookupError):
                continue  # it has ended; its time is its parent's now
            own[int(entry.name)] = sum(map(int, fields[11:15])) / _TICKS  # its own, and of children that have ended
            children.setdefault(int(fields[1]), []).append(int(entry.name))

    def total(pid: int, others: frozenset[int]) -> float:
        below = [child for child in children.get(pid, ()) if child not in others]
        return own.get(pid, 0.0) + sum(total(child, others) for child in below)

    return {name: total(pid, frozenset(parts.values()) - {pid}) for name, pid in parts.items()}


def resident_mib(pid: int) -> float:
    """Return the memory that a process holds, in MiB."""
    status = Path(f"/proc/{pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) / 1024
