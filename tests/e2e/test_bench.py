"""The benchmark measures: every row is there and holds numbers. How large they are is not judged here."""

import json
import math
import subprocess
from pathlib import Path

import pytest

from tests.e2e.running import ROOT

ROWS = {
    "Time to first token": ["model server, direct", "mesh, at the orchestrator", "mesh, through Envoy"],
    "The way to the first token": [
        "run stored",
        "engine began",
        "memory recalled",
        "model sent",
        "first token",
        "run ended",
    ],
    "Token latency": ["model server, direct", "mesh, at the orchestrator", "mesh, through Envoy"],
    "Processor time of a run": [
        "postgres",
        "valkey",
        "memory",
        "agent-langchain",
        "orchestrator",
        "envoy",
        "all parts",
    ],
    "Throughput": ["direct, 1 stream", "direct, 20 streams", "Envoy, 1 stream", "Envoy, 20 streams"],
    "Steady state: 20 streams": ["model server, direct", "mesh, through Envoy"],
    "Processor time, microseconds a token": ["Envoy, 1 stream", "Envoy, 20 streams, as fast", "Envoy, steady state"],
    "Memory of 20 interactions": ["GetContext, at the service", "GetContext, through Envoy", "StoreInteraction"],
    "Memory of 100 interactions": ["GetContext, at the service", "GetContext, through Envoy", "StoreInteraction"],
    "The ledger": ["BeginStep", "CompleteStep", "one step", "a replayed step", "an empty call"],
    "A run that calls": ["kill -9 of agent-langchain", "kill -9 of orchestrator"],
    "The runtimes": ["langchain", "autogen", "crewai", "llamaindex"],
}


@pytest.mark.timeout(300)
def test_every_row_is_measured(tmp_path: Path) -> None:
    file = tmp_path / "numbers.json"
    done = subprocess.run(
        [ROOT / "mesh", "bench", "--quick", "--json", file],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    document = json.loads(file.read_text())
    assert all(document["machine"].values())
    tables = document["tables"]
    assert len(tables) == len(ROWS)
    for (title, names), table in zip(ROWS.items(), tables, strict=True):
        assert table["title"].startswith(title)
        assert f"### {table['title']}" in done.stdout
        for name in names:
            rows = [values for row, values in table["rows"].items() if name in row]
            assert rows, f"{table['title']} has no row {name}"
            for values in rows:
                assert all(math.isfinite(value) for value in values.values())
                assert next(iter(values.values())) >= 0
    for table in (tables[0], tables[1], tables[2], tables[4], tables[5], tables[7], tables[8]):
        for row, values in table["rows"].items():
            assert next(iter(values.values())) > 0, row
