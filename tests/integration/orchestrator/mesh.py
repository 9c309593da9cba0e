"""A mesh for tests: real orchestrator processes between fake peers, and clients with real tokens."""

import asyncio
import itertools
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from agentmesh.agent.v1 import agent_service_pb2_grpc
from agentmesh.memory.v1 import context_service_pb2_grpc, interaction_service_pb2_grpc
from agentmesh.orchestrator.v1 import (
    agent_catalog_service_pb2_grpc,
    file_service_pb2_grpc,
    run_event_pb2,
    run_pb2,
    run_service_pb2,
    run_service_pb2_grpc,
    session_service_pb2_grpc,
)
from redis.asyncio import Redis

from meshkit.auth.authenticator import build_authenticator
from meshkit.config import ServiceSettings
from meshkit.ids import new_id
from meshkit.rpc.channel import open_channel
from meshkit.rpc.server import MeshServer
from meshkit.rpc.service_config import load_service_config
from meshkit.testing.credentials import TestTokens
from meshkit.testing.serving import serving
from orchestrator.stores.wakeups import channel_of
from tests.integration.orchestrator.fakes import FakeAgent, FakeMemory

ROOT = Path(__file__).parents[3]
SCOPES = ("runs.read", "runs.write", "sessions.read", "sessions.write", "agents.read", "agents.write")
TERMINAL = (run_pb2.RUN_STATE_SUCCEEDED, run_pb2.RUN_STATE_FAILED, run_pb2.RUN_STATE_CANCELLED)


@dataclass
class Client:
    """The orchestrator as one caller sees it."""

    runs: Any
    sessions: Any
    agents: Any
    files: Any

    async def create(self, text: str, **fields: Any) -> run_pb2.Run:
        request = run_service_pb2.CreateRunRequest(input=text, **{"request_id": new_id("req"), **fields})
        return await self.runs.CreateRun(request)

    async def wait(self, run: str, seconds: int = 30) -> run_pb2.Run:
        request = run_service_pb2.WaitRunRequest(run=run)
        request.max_wait.FromSeconds(seconds)
        return await self.runs.WaitRun(request, timeout=seconds + 5)

    async def events(self, run: str, after: int = 0) -> list[run_event_pb2.RunEvent]:
        call = self.runs.SubscribeRun(run_service_pb2.SubscribeRunRequest(run=run, after_sequence=after), timeout=60)
        try:
            return [event async for event in call]
        finally:
            call.cancel()


@dataclass
class Orchestrator:
    """A process `python -m orchestrator`."""

    process: asyncio.subprocess.Process
    address: str
    log: Path
    channels: list[Any] = field(default_factory=list)

    def kill(self) -> None:
        self.process.kill()

    async def stop(self) -> int:
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGTERM)
        return await asyncio.wait_for(self.process.wait(), 40)


@dataclass
class Mesh:
    """Fake peers, keys, and what is needed to start orchestrators."""

    directory: Path
    database: str
    redis: str
    tokens: TestTokens
    agent: FakeAgent
    memory: FakeMemory
    stack: AsyncExitStack
    addresses: dict[str, str] = field(default_factory=dict)
    starts: Iterator[int] = field(default_factory=itertools.count)

    @classmethod
    @asynccontextmanager
    async def start(cls, directory: Path, database: str, redis: str) -> AsyncIterator[Self]:
        async with AsyncExitStack() as stack:
            mesh = cls(directory, database, redis, TestTokens(directory), FakeAgent(), FakeMemory(), stack)
            await mesh.serve("agent", (agent_service_pb2_grpc.add_AgentServiceServicer_to_server, mesh.agent))
            await mesh.serve(
                "memory",
                (context_service_pb2_grpc.add_ContextServiceServicer_to_server, mesh.memory),
                (interaction_service_pb2_grpc.add_InteractionServiceServicer_to_server, mesh.memory),
            )
            yield mesh

    async def serve(self, name: str, *services: tuple[Any, Any], listen: str = "127.0.0.1:0") -> None:
        settings = ServiceSettings(
            listen=listen, shutdown_grace=0.5, limit_calls_per_second=10_000, **self.tokens.settings().model_dump()
        )
        server = MeshServer(settings, build_authenticator(settings, service=name))
        for register, servicer in services:
            server.add(register, servicer, name)
        self.addresses[name] = await self.stack.enter_async_context(serving(server))

    @asynccontextmanager
    async def orchestrator(self, name: str = "a", **settings: str) -> AsyncIterator[Orchestrator]:
        name = f"{name}{next(self.starts)}"  # each start has a socket and a log of its own
        socket, log = self.directory / f"{name}.sock", self.directory / f"{name}.log"
        environment = {
            "PATH": "/usr/bin:/bin",
            "PYTHONPATH": f"{ROOT}:{ROOT / 'gen/python'}",
            "MESH_LISTEN": f"unix:{socket}",
            "MESH_SHUTDOWN_GRACE": "5",
            "MESH_AUTH_JWKS_FILE": str(self.tokens.files.public),
            "MESH_AUTH_INTERNAL_JWKS_FILE": str(self.tokens.internal_files.public),
            "MESH_AUTH_SIGNING_KEY_FILE": str(self.tokens.internal_files.private),
            "MESH_LIMIT_CALLS_PER_SECOND": "10000",
            "MESH_LIMIT_CALLS_BURST": "10000",
            "MESH_LIMIT_STREAMS": "1000",
            "MESH_MEMORY_ADDRESS": self.addresses["memory"],
            "MESH_AGENTS": f"langchain={self.addresses['agent']}",
            "DATABASE_URL": self.database,
            "REDIS_URL": self.redis,
            **settings,
        }
        with log.open("wb") as output:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "orchestrator", env=environment, cwd=ROOT, stdout=output, stderr=output
            )
        started = Orchestrator(process, f"unix:{socket}", log)
        try:
            await listening(process, log)
            yield started
        finally:
            for channel in started.channels:
                await channel.close()
            if process.returncode is None:
                process.terminate()
                try:
                    await asyncio.wait_for(process.wait(), 20)
                except TimeoutError:
                    process.kill()
                    await process.wait()

    def client(
        self,
        orchestrator: Orchestrator,
        *,
        tenant: str = "acme",
        user: str = "ada",
        more: str = "",
        scopes: tuple[str, ...] = SCOPES,
    ) -> Client:
        token = self.tokens.token(*scopes, *more.split(), tenant=tenant, subject=user)
        channel = open_channel(orchestrator.address, load_service_config("orchestrator"), credentials=lambda: token)
        orchestrator.channels.append(channel)
        return Client(
            run_service_pb2_grpc.RunServiceStub(channel),
            session_service_pb2_grpc.SessionServiceStub(channel),
            agent_catalog_service_pb2_grpc.AgentCatalogServiceStub(channel),
            file_service_pb2_grpc.FileServiceStub(channel),
        )


async def listening(process: asyncio.subprocess.Process, log: Path) -> None:
    """Wait until the process says that it listens, or show its log."""
    async with asyncio.timeout(30):
        while b'"listening"' not in log.read_bytes():
            assert process.returncode is None, log.read_text()[-4000:]
            await asyncio.sleep(0.05)


async def until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    """Wait for what a fake records."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - the fakes only record
            await asyncio.sleep(0.005)


async def heard(redis_url: str, tenant: str, run: str) -> None:
    """Wait until a replica listens to what Redis tells of the run."""
    async with Redis.from_url(redis_url) as redis, asyncio.timeout(10):
        while (await redis.pubsub_numsub(channel_of(tenant, run)))[0][1] == 0:  # noqa: ASYNC110 - Redis only counts
            await asyncio.sleep(0.005)


def check_order(events: list[run_event_pb2.RunEvent], after: int = 0) -> None:
    """Assert that the events have every sequence once, in order, up to a terminal state."""
    stored = [event.sequence for event in events if event.sequence]
    assert stored == list(range(after + 1, after + 1 + len(stored)))
    assert events[-1].state_changed.state in TERMINAL, events[-1]


def text_of(events: list[run_event_pb2.RunEvent]) -> str:
    """Return what a subscriber shows in the end: text of steps that began again is dropped."""
    texts: dict[str, str] = {}
    for event in events:
        if event.WhichOneof("event") == "step_restarted":
            texts.pop(event.step, None)
        elif event.WhichOneof("event") == "token_delta":
            texts[event.step] = texts.get(event.step, "") + event.token_delta.text
    return "".join(texts.values())
