"""One mesh of real processes for all fault tests, the worlds outside it, and how many times each is killed."""

import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.faults.mesh import FaultyMesh, faulty_mesh
from tests.faults.model import Worker
from tests.faults.outside import EffectServer


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "seed" in metafunc.fixturenames:
        metafunc.parametrize("seed", range(1, metafunc.config.getoption("--seeds") + 1))


@pytest.fixture(scope="session")
def worker() -> Iterator[Worker]:
    """The model that all agents ask."""
    with Worker() as server:
        yield server


@pytest.fixture(scope="session")
def effects() -> Iterator[EffectServer]:
    """What tools do to the outside."""
    with EffectServer() as server:
        yield server


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def faulty(worker: Worker, effects: EffectServer) -> AsyncIterator[FaultyMesh]:
    """The mesh that the tests hurt."""
    root = Path(tempfile.mkdtemp(prefix="mesh-faults-"))
    root.chmod(0o711)  # the database's own account passes through
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("meshctl.parts._LONGEST_PAUSE", 0.2)  # a part that a test kills often comes back as quickly
        async with faulty_mesh(root, worker.url, effects.url) as mesh:
            yield mesh
    shutil.rmtree(root, ignore_errors=True)
