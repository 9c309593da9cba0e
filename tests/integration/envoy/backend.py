"""A small service behind the door: the mesh's real server and contracts, with handlers that tests can watch."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import grpc
from agentmesh.agent.v1 import activity_pb2
from agentmesh.memory.v1 import fact_pb2, memory_service_pb2, memory_service_pb2_grpc
from agentmesh.orchestrator.v1 import run_event_pb2, run_pb2, run_service_pb2, run_service_pb2_grpc

from meshkit.auth.api_keys import FileApiKeys, new_api_key
from meshkit.auth.authenticator import build_authenticator
from meshkit.auth.issuer import KeyFiles
from meshkit.config import ServiceSettings
from meshkit.context import CallContext, current
from meshkit.errors import NotFound
from meshkit.rpc.interceptors.authentication import Authenticator
from meshkit.rpc.server import MeshServer
from meshkit.rpc.service_config import load_service_config

TOKENS = 6
GAP = 0.05
"""Seconds between two tokens of a stream."""
SCOPES = frozenset({"runs.read", "runs.write", "memory.read", "memory.write"})


class Runs(run_service_pb2_grpc.RunServiceServicer):
    """Answers, and notes what it saw."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.seen: list[dict[str, str]] = []
        self.remaining: float | None = None
        self.arrived = asyncio.Event()
        self.cancelled = asyncio.Event()
        self.speaking = 0

    def forget(self) -> None:
        self.seen.clear()
        self.arrived.clear()
        self.cancelled.clear()

    async def CreateRun(self, request, context):  # noqa: N802
        return run_pb2.Run(id="run_1", input=request.input, state=run_pb2.RUN_STATE_QUEUED)

    async def GetRun(self, request, context):  # noqa: N802
        self.seen.append(dict(context.invocation_metadata()))
        self.remaining = context.time_remaining()
        self.arrived.set()
        if request.run == "missing":
            raise NotFound("there is no run missing")
        if request.run == "slow":
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                self.cancelled.set()
                raise
        return run_pb2.Run(id=request.run, user=current().subject, agent=self.name)

    async def WaitRun(self, request, context):  # noqa: N802
        await asyncio.sleep(request.max_wait.ToTimedelta().total_seconds())
        return run_pb2.Run(id=request.run)

    async def StreamRun(self, request, context) -> AsyncIterator[run_event_pb2.RunEvent]:  # noqa: N802
        async for event in self._speak(TOKENS):
            yield event

    async def SubscribeRun(self, request, context) -> AsyncIterator[run_event_pb2.RunEvent]:  # noqa: N802
        if request.run == "missing":
            raise NotFound("there is no run missing")
        async for event in self._speak(100_000 if request.run == "endless" else TOKENS):
            yield event

    async def _speak(self, count: int) -> AsyncIterator[run_event_pb2.RunEvent]:
        self.speaking += 1
        try:
            for number in range(count):
                delta = activity_pb2.TokenDelta(text=f"word {number} ")
                yield run_event_pb2.RunEvent(sequence=number + 1, run="run_1", token_delta=delta)
                await asyncio.sleep(GAP)
        except (asyncio.CancelledError, GeneratorExit):
            self.cancelled.set()
            raise
        finally:
            self.speaking -= 1


class Facts(memory_service_pb2_grpc.MemoryServiceServicer):
    """Echoes facts."""

    async def PutFact(self, request, context):  # noqa: N802
        return fact_pb2.Fact(id="fact_1", key=request.key, value=request.value, category=request.category)

    async def SearchFacts(self, request, context):  # noqa: N802
        return memory_service_pb2.SearchFactsResponse(degraded=True)

    async def GetFact(self, request, context):  # noqa: N802
        return fact_pb2.Fact(id=request.fact, value="x" * 3_000_000)


class Counted:
    """An authenticator that tells how many calls got as far as the service, good or bad."""

    def __init__(self, inner: Authenticator) -> None:
        self._inner, self.calls = inner, 0

    async def authenticate(self, metadata: Mapping[str, str]) -> CallContext:
        self.calls += 1
        return await self._inner.authenticate(metadata)


class Backend:
    """One replica, which serves the orchestrator's and the memory service's methods alike."""

    def __init__(self, name: str, keys: KeyFiles, directory: Path, listen: str = "127.0.0.1:0") -> None:
        store = FileApiKeys(directory / "api-keys.json")
        self.api_key, record = new_api_key(tenant="acme", subject="backend", scopes=SCOPES)
        store.save([record])
        settings = ServiceSettings(
            listen=listen,
            shutdown_grace=1.0,
            auth_jwks_file=keys.public,
            auth_api_keys_file=directory / "api-keys.json",
            limit_calls_per_second=10_000,
            limit_calls_burst=10_000,
            limit_streams=1_000,
        )
        self.runs = Runs(name)
        self._counted = Counted(build_authenticator(settings))
        self.server = MeshServer(
            settings,
            self._counted,
            service_configs=[load_service_config("orchestrator"), load_service_config("memory")],
        )
        self.server.add(
            run_service_pb2_grpc.add_RunServiceServicer_to_server, self.runs, "agentmesh.orchestrator.v1.RunService"
        )
        self.server.add(
            memory_service_pb2_grpc.add_MemoryServiceServicer_to_server, Facts(), "agentmesh.memory.v1.MemoryService"
        )

    @property
    def asked(self) -> int:
        """How many calls came since `forget`, but for health."""
        return self._counted.calls

    def forget(self) -> None:
        self._counted.calls = 0
        self.runs.forget()

    @property
    def address(self) -> str:
        return self.server.address

    async def start(self) -> "Backend":
        await self.server.start()
        return self

    async def stop(self) -> None:
        await self.server.stop()


def native(address: str) -> grpc.aio.Channel:
    """Open a plain gRPC channel, without any of the mesh's client-side help."""
    return grpc.aio.insecure_channel(address, options=[("grpc.use_local_subchannel_pool", 1)])


RUNS = "/agentmesh.orchestrator.v1.RunService"
FACTS = "/agentmesh.memory.v1.MemoryService"
GET_RUN = run_service_pb2.GetRunRequest
SUBSCRIBE = run_service_pb2.SubscribeRunRequest
