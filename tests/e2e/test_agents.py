"""All runtimes in one mesh, and the agents of the examples on them, as people type it."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from meshctl.runtimes import RUNTIMES
from tests.e2e.running import ROOT, RunningMesh, start_mesh, stop_mesh
from tests.fakes.model_server import ModelServer, say

EXAMPLES = sorted((ROOT / "examples" / "agents").glob("*.yaml"))

pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module")
def every_runtime(mesh_directory: Path, model_server: ModelServer) -> Iterator[RunningMesh]:
    mesh = start_mesh(
        mesh_directory / "runtimes",
        MESH_RUNTIMES="all",
        MESH_MODEL_URL=model_server.url,
        MESH_MODEL="scripted-1",
        MESH_MODEL_KEY="sk-1",
    )
    yield mesh
    stop_mesh(mesh)


def runtimes(mesh: RunningMesh) -> dict[str, dict]:
    return {row["runtime"]: row for row in json.loads(mesh.cli("runtimes", "list", "--json").stdout)}


def test_each_runtime_has_a_process_and_tells_what_it_can_do(every_runtime: RunningMesh) -> None:
    parts = {part["name"]: part["serving"] for part in every_runtime.status()["parts"]}
    assert [parts[f"agent-{name}"] for name in RUNTIMES] == [True] * 4
    rows = runtimes(every_runtime)
    assert list(rows) == list(RUNTIMES)
    assert all(row["installed"] and row["state"] == "SERVING" and row["version"] for row in rows.values())
    assert all("cancel" in " ".join(row["capabilities"]) for row in rows.values())
    assert {name: row["teams"] for name, row in rows.items()} == {
        "langchain": ["handoff", "supervisor"],
        "autogen": ["round_robin", "selector", "magentic"],
        "crewai": ["sequential", "hierarchical"],
        "llamaindex": ["handoff"],
    }


def test_the_examples_are_applied_and_work(every_runtime: RunningMesh, model_server: ModelServer) -> None:
    names = {path.stem for path in EXAMPLES}
    made = every_runtime.cli("agents", "apply", *EXAMPLES)
    assert made.returncode == 0, made.stderr
    assert set(made.stdout.splitlines()) == {f"{name} created" for name in names}
    again = every_runtime.cli("agents", "apply", *EXAMPLES)
    assert set(again.stdout.splitlines()) == {f"{name} unchanged" for name in names}

    model_server.script(say("print(1)"), say("print(1) APPROVED"), when="a program that prints one")
    answered = every_runtime.cli("chat", "--agent", "pair", "a program that prints one")
    assert answered.returncode == 0, answered.stderr
    assert answered.stdout.strip().endswith("print(1) APPROVED")
    assert len(model_server.about("a program that prints one")) == 2


def test_a_runtime_that_dies_is_started_again(every_runtime: RunningMesh) -> None:
    every_runtime.kill("agent-crewai")
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        part = next(part for part in every_runtime.status()["parts"] if part["name"] == "agent-crewai")
        if part["serving"] and part["starts"] == 2:
            break
    else:
        pytest.fail(f"it is not back: {part}")
    others = [part["starts"] for part in every_runtime.status()["parts"] if part["name"] != "agent-crewai"]
    assert set(others) == {1}
