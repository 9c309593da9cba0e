"""A backend and a door for each module, both real."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from meshkit.auth.issuer import KeyFiles, TokenIssuer, create_keys
from tests.integration.envoy.backend import SCOPES, Backend
from tests.integration.envoy.door import Door, open_door


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("door")


@pytest.fixture(scope="module")
def keys(place: Path) -> KeyFiles:
    return create_keys(place / "keys")


@pytest.fixture(scope="module")
def issue(keys: KeyFiles) -> Callable[..., str]:
    def issue(issuer: str = "agentmesh", audience: str = "agentmesh", lifetime: float = 300.0) -> str:
        return TokenIssuer(keys.private, issuer=issuer).issue(
            audience=audience, tenant="acme", subject="ada", scopes=SCOPES, lifetime=lifetime
        )

    return issue


@pytest.fixture(scope="module")
def bearer(issue: Callable[..., str]) -> dict[str, str]:
    return {"authorization": f"Bearer {issue()}"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def backend(keys: KeyFiles, place: Path) -> AsyncIterator[Backend]:
    backend = await Backend("one", keys, place).start()
    yield backend
    await backend.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def door(backend: Backend, keys: KeyFiles, place: Path) -> AsyncIterator[Door]:
    addresses = [backend.address]
    async with open_door(place / "edge", orchestrator=addresses, memory=addresses, jwks=keys.public) as door:
        yield door


@pytest.fixture(autouse=True)
def _fresh(request: pytest.FixtureRequest) -> None:
    """Let a test see only what it caused itself."""
    if "backend" in request.fixturenames:
        request.getfixturevalue("backend").forget()
