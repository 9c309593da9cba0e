"""One connection to a mesh, with a typed stub for each public service.

Owns the channel and nothing of what is called on it; following a run across broken streams is `meshclient.follow`,
control of one run `meshclient.control`, many tasks at once `meshclient.batch`.
"""

from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import AsyncExitStack
from types import TracebackType
from typing import TYPE_CHECKING, Self, cast

from agentmesh.memory.v1.context_service_pb2_grpc import ContextServiceStub
from agentmesh.memory.v1.document_service_pb2_grpc import DocumentServiceStub
from agentmesh.memory.v1.extraction_service_pb2_grpc import ExtractionServiceStub
from agentmesh.memory.v1.interaction_service_pb2_grpc import InteractionServiceStub
from agentmesh.memory.v1.memory_service_pb2_grpc import MemoryServiceStub
from agentmesh.memory.v1.privacy_service_pb2_grpc import PrivacyServiceStub
from agentmesh.memory.v1.settings_service_pb2_grpc import MemorySettingsServiceStub
from agentmesh.orchestrator.v1.agent_catalog_service_pb2_grpc import AgentCatalogServiceStub
from agentmesh.orchestrator.v1.file_service_pb2_grpc import FileServiceStub
from agentmesh.orchestrator.v1.run_event_pb2 import RunEvent
from agentmesh.orchestrator.v1.run_service_pb2 import (
    BatchCreateRunsResult,
    CreateRunRequest,
    OnDisconnect,
    StreamRunRequest,
)
from agentmesh.orchestrator.v1.run_service_pb2_grpc import RunServiceStub
from agentmesh.orchestrator.v1.session_service_pb2_grpc import SessionServiceStub

from meshclient.batch import create_runs
from meshclient.control import RunControl
from meshclient.follow import follow_run, start_run
from meshkit.ids import new_id
from meshkit.rpc.channel import open_channel
from meshkit.rpc.service_config import ServiceConfig, load_service_config

if TYPE_CHECKING:  # the generated stubs are typed for asyncio in their .pyi only
    from agentmesh.memory.v1.context_service_pb2_grpc import ContextServiceAsyncStub
    from agentmesh.memory.v1.document_service_pb2_grpc import DocumentServiceAsyncStub
    from agentmesh.memory.v1.extraction_service_pb2_grpc import ExtractionServiceAsyncStub
    from agentmesh.memory.v1.interaction_service_pb2_grpc import InteractionServiceAsyncStub
    from agentmesh.memory.v1.memory_service_pb2_grpc import MemoryServiceAsyncStub
    from agentmesh.memory.v1.privacy_service_pb2_grpc import PrivacyServiceAsyncStub
    from agentmesh.memory.v1.settings_service_pb2_grpc import MemorySettingsServiceAsyncStub
    from agentmesh.orchestrator.v1.agent_catalog_service_pb2_grpc import AgentCatalogServiceAsyncStub
    from agentmesh.orchestrator.v1.file_service_pb2_grpc import FileServiceAsyncStub
    from agentmesh.orchestrator.v1.run_service_pb2_grpc import RunServiceAsyncStub
    from agentmesh.orchestrator.v1.session_service_pb2_grpc import SessionServiceAsyncStub

__all__ = ["MeshClient", "new_request_id"]


def new_request_id() -> str:
    """Return a fresh `request_id`: keep it for the retries of the same call."""
    return new_id("req")


class MeshClient:
    """A connection. Use it as an async context manager; it may be shared by any number of tasks.

    `address` is `host:port`, several IPv4 addresses separated by commas, or `unix:/path`. `token` is a bearer token or
    API key, or a function that returns a fresh one for every call.
    """

    def __init__(self, address: str, *, token: str | Callable[[], str]) -> None:
        self._address = address
        self._token: Callable[[], str] = token if callable(token) else lambda: token
        self._resources = AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Open the channel; connections are made at the first call."""
        channel = await self._resources.enter_async_context(
            open_channel(
                self._address,
                _service_config("orchestrator", "memory"),
                credentials=self._token,
                watch_health=False,  # the door looks at the health of what is behind it
            )
        )
        self.runs = cast("RunServiceAsyncStub", RunServiceStub(channel))
        self.sessions = cast("SessionServiceAsyncStub", SessionServiceStub(channel))
        self.files = cast("FileServiceAsyncStub", FileServiceStub(channel))
        self.agents = cast("AgentCatalogServiceAsyncStub", AgentCatalogServiceStub(channel))
        self.facts = cast("MemoryServiceAsyncStub", MemoryServiceStub(channel))
        self.interactions = cast("InteractionServiceAsyncStub", InteractionServiceStub(channel))
        self.documents = cast("DocumentServiceAsyncStub", DocumentServiceStub(channel))
        self.extraction = cast("ExtractionServiceAsyncStub", ExtractionServiceStub(channel))
        self.memory_settings = cast("MemorySettingsServiceAsyncStub", MemorySettingsServiceStub(channel))
        self.privacy = cast("PrivacyServiceAsyncStub", PrivacyServiceStub(channel))
        self.context = cast("ContextServiceAsyncStub", ContextServiceStub(channel))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the channel and cancel what is still open on it."""
        await self._resources.aclose()

    def run(
        self,
        request: CreateRunRequest,
        *,
        on_disconnect: OnDisconnect = OnDisconnect.ON_DISCONNECT_CONTINUE,
        patience: float = 60.0,
    ) -> AsyncGenerator[RunEvent, None]:
        """Create a run and yield its events until it is terminal; see `meshclient.follow.start_run`."""
        return start_run(self.runs, StreamRunRequest(run=request, on_disconnect=on_disconnect), patience=patience)

    def follow(self, run: str, after_sequence: int = 0, *, patience: float = 60.0) -> AsyncGenerator[RunEvent, None]:
        """Yield a run's events after a sequence until it is terminal; see `meshclient.follow.follow_run`.

        Who stops before the end closes it: `async with contextlib.aclosing(mesh.follow(run)) as events`.
        """
        return follow_run(self.runs, run, after_sequence, patience=patience)

    def control(self, run: str) -> RunControl:
        """Return the controls of a run: `await mesh.control(run).pause()`."""
        return RunControl(self.runs, run)

    def create_runs(self, requests: Iterable[CreateRunRequest]) -> AsyncGenerator[BatchCreateRunsResult, None]:
        """Create any number of runs and yield what became of each; see `meshclient.batch.create_runs`."""
        return create_runs(self.runs, requests)


def _service_config(*nouns: str) -> ServiceConfig:
    """Return one config for all services behind the address: their methods' timeouts and retries together."""
    configs = [load_service_config(noun) for noun in nouns]
    return {**configs[0], "methodConfig": [entry for config in configs for entry in config["methodConfig"]]}
