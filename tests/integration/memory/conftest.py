"""A real memory service for each module: real Postgres, Valkey and embedder, on a free port, with real tokens."""

import asyncio
import itertools
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import asyncpg
import pytest
import pytest_asyncio
from agentmesh.memory.v1 import (
    context_service_pb2_grpc,
    document_service_pb2_grpc,
    extraction_service_pb2_grpc,
    interaction_service_pb2_grpc,
    memory_service_pb2_grpc,
    privacy_service_pb2_grpc,
    settings_service_pb2_grpc,
)
from agentmesh.memory.v1.context_service_pb2 import GetContextRequest, GetContextResponse
from agentmesh.memory.v1.document_pb2 import Document
from agentmesh.memory.v1.document_service_pb2 import (
    IngestDocumentRequest,
    SearchDocumentsRequest,
    SearchDocumentsResponse,
)
from agentmesh.memory.v1.fact_pb2 import Fact
from agentmesh.memory.v1.interaction_pb2 import Interaction
from agentmesh.memory.v1.interaction_service_pb2 import StoreInteractionRequest
from agentmesh.memory.v1.memory_service_pb2 import PutFactRequest

from memory_service.config import Config
from memory_service.retrieval.search import HybridSearch
from memory_service.server import build
from meshkit.auth.issuer import INTERNAL_ISSUER, TokenIssuer, create_keys
from meshkit.rpc.channel import open_channel
from meshkit.rpc.server import MeshServer
from meshkit.telemetry.setup import silent
from meshkit.testing.credentials import TestTokens
from tests.integration.memory.processes import Processes

READ_WRITE = ("memory.read", "memory.write")
_numbers = itertools.count()


def request_id() -> str:
    return f"req-{next(_numbers)}-{secrets.token_hex(4)}"


class Client:
    """The services as one caller sees them, with the few calls that most tests make."""

    def __init__(self, channel: Any) -> None:
        self.facts = memory_service_pb2_grpc.MemoryServiceStub(channel)
        self.turns = interaction_service_pb2_grpc.InteractionServiceStub(channel)
        self.contexts = context_service_pb2_grpc.ContextServiceStub(channel)
        self.documents = document_service_pb2_grpc.DocumentServiceStub(channel)
        self.extraction = extraction_service_pb2_grpc.ExtractionServiceStub(channel)
        self.settings = settings_service_pb2_grpc.MemorySettingsServiceStub(channel)
        self.privacy = privacy_service_pb2_grpc.PrivacyServiceStub(channel)

    async def say(self, text: str, answer: str = "", *, session: str = "", **fields: Any) -> Interaction:
        request = StoreInteractionRequest(request_id=request_id(), input=text, output=answer, session=session, **fields)
        return await self.turns.StoreInteraction(request)

    async def know(self, key: str, value: str, **fields: Any) -> Fact:
        return await self.facts.PutFact(PutFactRequest(request_id=request_id(), key=key, value=value, **fields))

    async def read(self, content: str | bytes, *, title: str = "Handbook", **fields: Any) -> Document:
        data = content.encode() if isinstance(content, str) else content
        fields = {"request_id": request_id(), "media_type": "text/markdown"} | fields
        return await self.documents.IngestDocument(IngestDocumentRequest(title=title, content=data, **fields))

    async def look_up(self, query: str, **fields: Any) -> SearchDocumentsResponse:
        return await self.documents.SearchDocuments(SearchDocumentsRequest(query=query, **fields))

    async def recall(self, query: str, **fields: Any) -> GetContextResponse:
        return await self.contexts.GetContext(GetContextRequest(query=query, **fields))


class Keys:
    """Both roots of trust: the users' issuer and the mesh's own."""

    def __init__(self, directory: Path) -> None:
        self.users = TestTokens(directory / "users")
        self.internal = create_keys(directory / "internal")
        self._issuer = TokenIssuer(self.internal.private, issuer=INTERNAL_ISSUER)

    def service(self, name: str, subject: str, tenant: str) -> str:
        return self._issuer.issue(
            audience="memory", tenant=tenant, subject=subject, scopes=READ_WRITE, actor=f"service:{name}", lifetime=300
        )


class Mesh:
    """Starts memory services on one set of stores and opens clients to them."""

    def __init__(self, stack: AsyncExitStack, keys: Keys, settings: dict[str, Any]) -> None:
        self._stack, self.keys, self.settings = stack, keys, settings

    async def serve(self, *, wrap: Any = None, **changed: Any) -> MeshServer:
        settings = Config(**(self.settings | changed))
        server = await (build(settings, silent(), wrap_vectors=wrap) if wrap else build(settings, silent()))
        await server.start()
        self._stack.push_async_callback(server.stop)
        return server

    async def client(
        self, server: MeshServer | str, *scopes: str, subject: str = "ada", tenant: str = "acme", service: str = ""
    ) -> Client:
        token = (
            self.keys.service(service, subject, tenant)
            if service
            else self.keys.users.token(*(scopes or READ_WRITE), subject=subject, tenant=tenant)
        )
        address = server if isinstance(server, str) else server.address
        channel = open_channel(address, {}, credentials=lambda: token)
        return Client(await self._stack.enter_async_context(channel))


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let searches wait for meaning: what is tested is that there is no gap, not how busy the machine is."""
    monkeypatch.setattr("memory_service.server.HybridSearch", partial(HybridSearch, patience=20.0))


@pytest.fixture(scope="session")
def embedding_cache(store_directory: Path) -> Path:
    return store_directory / "embedding"


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    return Keys(tmp_path_factory.mktemp("keys"))


@pytest.fixture
def settings(postgres_url: str, redis_url: str, keys: Keys, embedding_cache: Path) -> dict[str, Any]:
    return {
        "listen": "127.0.0.1:0",
        "shutdown_grace": 0.4,
        "limit_calls_per_second": 100_000.0,
        "limit_calls_burst": 100_000,
        "auth_jwks_file": keys.users.files.public,
        "auth_internal_jwks_file": keys.internal.public,
        "database_url": postgres_url,
        "redis_url": redis_url,
        "cache_dir": embedding_cache,
    }


@pytest_asyncio.fixture
async def mesh(keys: Keys, settings: dict[str, Any]) -> AsyncIterator[Mesh]:
    async with AsyncExitStack() as stack:
        yield Mesh(stack, keys, settings)


@pytest.fixture
def processes(settings: Mapping[str, Any], tmp_path: Path) -> Iterator[Processes]:
    started = Processes(settings, tmp_path)
    yield started
    started.kill()


@pytest_asyncio.fixture
async def database(postgres_url: str) -> AsyncIterator["asyncpg.Connection[Any]"]:
    connection = await asyncpg.connect(postgres_url)
    yield connection
    await connection.close()


@pytest.fixture
def isolation_operations(request: pytest.FixtureRequest) -> int:
    return int(request.config.getoption("--isolation-operations"))


@pytest.fixture
def tenant() -> str:
    """A tenant of this test's own: the stores are shared by the module."""
    return f"t-{secrets.token_hex(4)}"


Answer = TypeVar("Answer")


async def until(
    ask: Callable[[], Awaitable[Answer]], good: Callable[[Answer], bool], *, seconds: float = 10.0
) -> Answer:
    """Ask until the answer is good; fails after `seconds` with the last answer."""
    answer = await ask()
    try:
        async with asyncio.timeout(seconds):
            while not good(answer):
                await asyncio.sleep(0.02)
                answer = await ask()
    except TimeoutError:
        pytest.fail(f"not within {seconds} s; the last answer was {answer}")
    return answer
