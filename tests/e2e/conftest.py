"""Two whole meshes for the session, side by side: one as a newcomer starts it, one with a model server of ours."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.running import RunningMesh, start_mesh, stop_mesh
from tests.fakes.model_server import ModelServer

MODEL_KEY = "sk-canary-2f1c9d"
"""The model's key: no log, event or error may ever hold it."""


@pytest.fixture(scope="session")
def mesh_directory() -> Iterator[Path]:
    directory = Path(tempfile.mkdtemp(prefix="mesh-e2e-"))
    directory.chmod(0o711)  # the database's own account passes through
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="session")
def offline_mesh(mesh_directory: Path) -> Iterator[RunningMesh]:
    """A mesh on its defaults: every store embedded, the built-in rules as its model."""
    mesh = start_mesh(mesh_directory / "offline")
    yield mesh
    stop_mesh(mesh)


@pytest.fixture(scope="session")
def model_server() -> Iterator[ModelServer]:
    """An OpenAI-compatible server under the tests' control."""
    with ModelServer() as server:
        yield server


@pytest.fixture(scope="session")
def model_key() -> str:
    return MODEL_KEY


@pytest.fixture(scope="session")
def mesh(mesh_directory: Path, model_server: ModelServer) -> Iterator[RunningMesh]:
    """A mesh whose agents ask the tests' model server."""
    running = start_mesh(
        mesh_directory / "scripted",
        MESH_MODEL_URL=model_server.url,
        MESH_MODEL="scripted-1",
        MESH_MODEL_KEY=MODEL_KEY,
        MESH_MODEL_PRICES="priced-1=3/5",
    )
    yield running
    stop_mesh(running)
