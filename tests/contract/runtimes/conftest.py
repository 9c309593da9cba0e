"""Each runtime in turn, as a process in its own environment: what one may do, all must."""

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from agent_service.adapters.runtimes import RUNTIMES
from meshkit.ids import new_id
from meshkit.testing.credentials import TestTokens
from tests.fakes.ledger import LedgerPeer
from tests.fakes.model_server import ModelServer
from tests.integration.agent.conftest import Client, Process, agent_process, ledger, model, tokens

__all__ = ["ledger", "model", "tokens"]  # fixtures


@pytest.fixture(scope="session", params=RUNTIMES)
def runtime(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="session")
def agent(
    runtime: str,
    tmp_path_factory: pytest.TempPathFactory,
    model: ModelServer,
    tokens: TestTokens,
    ledger: LedgerPeer,
) -> Iterator[Process]:
    """A process of the runtime, with short patience."""
    with agent_process(
        tmp_path_factory.mktemp(runtime),
        model.url,
        tokens,
        ledger,
        runtime=runtime,
        MESH_MODEL_FIRST_TOKEN_TIMEOUT="2.0",
        MESH_MODEL_NEXT_TOKEN_TIMEOUT="1.5",
        MESH_MEMORY_ADDRESS="127.0.0.1:9",
    ) as process:
        yield process


@pytest_asyncio.fixture
async def client(agent: Process, runtime: str) -> AsyncIterator[Client]:
    # A tenant of its own: what fails in one test opens no circuit in the next.
    async with agent.channel(tenant=new_id("tenant")) as channel:
        yield Client(channel, agent.tokens, runtime)
