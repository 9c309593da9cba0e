"""The real agent service in its own environment, a scripted model, a small memory service: all over real sockets."""

import asyncio
import json
import os
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from agentmesh.agent.v1 import agent_service_pb2, agent_spec_pb2
from agentmesh.agent.v1.agent_service_pb2_grpc import AgentServiceStub

from meshctl.environments import ensure
from meshkit.ids import new_id
from meshkit.rpc.channel import MeshChannel, open_channel
from meshkit.rpc.service_config import load_service_config
from meshkit.testing.credentials import TestTokens
from tests.fakes.ledger import LedgerPeer, ledger_server, token
from tests.fakes.model_server import ModelServer

ROOT = Path(__file__).resolve().parents[3]
MODEL_KEY = "sk-canary-4f1b7a90c2d84e6fb3a5"  # planted: it may reach the model's endpoint and nothing else

AgentEvent = agent_service_pb2.AgentEvent
Execute = agent_service_pb2.ExecuteRequest


@dataclass
class Process:
    """A running agent service."""

    child: "subprocess.Popen[str]"
    address: str
    log: Path
    tokens: TestTokens

    def channel(self, *, service: str = "orchestrator", tenant: str = "acme") -> MeshChannel:
        """Open a channel as a service of the mesh."""

        def credentials() -> str:
            return self.tokens.service_token(
                "agents.execute", service=service, audience="agent", subject="ada", tenant=tenant
            )

        return open_channel(self.address, load_service_config("agent"), credentials=credentials)


@pytest.fixture(scope="session")
def model() -> Iterator[ModelServer]:
    with ModelServer() as server:
        yield server


@contextmanager
def agent_process(
    directory: Path,
    model_url: str,
    tokens: TestTokens,
    ledger: LedgerPeer,
    *,
    runtime: str = "langchain",
    arguments: Sequence[str] = ("-m", "agent_service"),
    **variables: str,
) -> Iterator[Process]:
    """Start the service in the runtime's environment and wait until it listens."""
    key_file = directory / "model.key"
    key_file.write_text(MODEL_KEY)
    address = f"unix:{directory}/agent.sock"
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": f"{ROOT}:{ROOT / 'gen' / 'python'}",
        "MESH_LISTEN": address,
        "MESH_RUNTIME": runtime,
        "MESH_MODEL_URL": model_url,
        "MESH_MODEL": "scripted-1",
        "MESH_ORCHESTRATOR_ADDRESS": ledger.address,
        "MESH_MODEL_KEY_FILE": str(key_file),
        "MESH_AUTH_JWKS_FILE": str(tokens.files.public),
        "MESH_AUTH_INTERNAL_JWKS_FILE": str(tokens.internal_files.public),
        "MESH_SHUTDOWN_GRACE": "3",
        # What a careless environment may hold: none of it may change what the service does.
        "LANGSMITH_TRACING": "true",
        "LANGCHAIN_TRACING_V2": "true",
        "LANGSMITH_API_KEY": "lsv2_nothing",
        "OPENAI_API_KEY": "sk-of-somebody-else",
        "OPENAI_BASE_URL": "http://127.0.0.1:9/v1",
        "HTTP_PROXY": "http://127.0.0.1:9",
        "ALL_PROXY": "http://127.0.0.1:9",
        **variables,
    }
    log = directory / "agent.log"
    with log.open("w") as file:
        child = subprocess.Popen(
            [ensure(runtime), *arguments],
            env=environment,
            cwd=directory,
            stdout=file,
            stderr=subprocess.STDOUT,
            text=True,
        )
    try:
        _wait_until_listening(child, log)
        yield Process(child, address, log, tokens)
    finally:
        child.terminate()
        try:
            child.wait(15)
        finally:
            child.kill()


def _wait_until_listening(child: "subprocess.Popen[str]", log: Path) -> None:
    late = time.monotonic() + 60
    while '"listening"' not in log.read_text():
        assert child.poll() is None, log.read_text()
        assert time.monotonic() < late, log.read_text()
        time.sleep(0.05)  # the start of a process has no event to wait for


@pytest.fixture(scope="session")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> TestTokens:
    return TestTokens(tmp_path_factory.mktemp("keys"))


@pytest.fixture(scope="session")
def ledger(tokens: TestTokens) -> Iterator[LedgerPeer]:
    with ledger_server(tokens) as peer:
        yield peer


@pytest.fixture(scope="session")
def agent(
    tmp_path_factory: pytest.TempPathFactory, model: ModelServer, tokens: TestTokens, ledger: LedgerPeer
) -> Iterator[Process]:
    """An agent service with short patience, shared by the tests."""
    with agent_process(
        tmp_path_factory.mktemp("agent"),
        model.url,
        tokens,
        ledger,
        MESH_MODEL_FIRST_TOKEN_TIMEOUT="2.0",
        MESH_MODEL_NEXT_TOKEN_TIMEOUT="1.5",
        MESH_MODEL_PRICES="priced=1/2,backup=10/20",
        MESH_MEMORY_ADDRESS="127.0.0.1:9",
    ) as process:
        yield process


@dataclass
class Run:
    """What a run told."""

    events: list[AgentEvent] = field(default_factory=list)

    @property
    def kinds(self) -> list[str]:
        """The kinds in order, with runs of the same delta told once."""
        kinds: list[str] = []
        for event in self.events:
            kind = str(event.WhichOneof("event"))
            if not (kinds and kinds[-1] == kind and kind.endswith("_delta")):
                kinds.append(kind)
        return kinds

    def all(self, kind: str) -> list[Any]:
        return [getattr(event, kind) for event in self.events if event.WhichOneof("event") == kind]

    @property
    def text(self) -> str:
        """What it said, as a client shows it: a step that begins again takes back what came before."""
        said: dict[str, str] = {}
        for event in self.events:
            match event.WhichOneof("event"):
                case "token_delta":
                    said[event.step] = said.get(event.step, "") + event.token_delta.text
                case "step_restarted":
                    said[event.step] = ""
        return "".join(said.values())


class Client:
    """Calls the agent service as the orchestrator does."""

    def __init__(self, channel: MeshChannel, tokens: TestTokens, runtime: str = "langchain") -> None:
        self.stub = AgentServiceStub(channel)
        self._tokens, self._runtime = tokens, runtime

    def request(self, text: str, *tools: str, **fields: Any) -> Execute:
        """Return a request for a run of its own, unless `fields` name one."""
        spec = agent_spec_pb2.AgentSpec(runtime=self._runtime, tools=tools, **fields.pop("spec", {}))
        run, attempt = fields.setdefault("run", new_id("run")), fields.setdefault("attempt", 1)
        defaults = {"session": "ses_1", "user": "ada", "agent": "helper"}
        ledger_token = token(self._tokens, run, attempt)
        return Execute(spec=spec, input=text, **{**defaults, "ledger_token": ledger_token, **fields})

    async def run(self, text: str, *tools: str, into: Run | None = None, timeout: float = 30.0, **fields: Any) -> Run:  # noqa: ASYNC109
        """Run an agent to its end; `into` keeps the events of a run that fails."""
        run = Run() if into is None else into
        call = self.stub.Execute(self.request(text, *tools, **fields), timeout=timeout)
        try:
            async for event in call:
                run.events.append(event)
        finally:
            call.cancel()
        return run


@pytest_asyncio.fixture
async def client(agent: Process) -> AsyncIterator[Client]:
    # A tenant of its own: what fails in one test opens no circuit in the next.
    async with agent.channel(tenant=new_id("tenant")) as channel:
        yield Client(channel, agent.tokens)


def logged(process: Process) -> list[dict[str, Any]]:
    """Return the lines of the service's log; each must be JSON, or something printed."""
    return [json.loads(line) for line in process.log.read_text().splitlines()]


async def until(condition: Callable[[], bool], seconds: float = 5.0) -> None:
    """Return when the condition holds; for what another thread or process brings about."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - no event of ours tells of it
            await asyncio.sleep(0.002)
