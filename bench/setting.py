"""What the benchmark is run on: a whole mesh of its own, started as users start it, and a model server beside it.

Owns their start and end. The mesh's limits are lifted, because one client here stands for many.
"""

import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from bench.answers import MeshDoor, ModelDoor
from bench.model_server import MODEL
from bench.processes import cpu_seconds
from meshclient import MeshClient
from meshctl.credentials import TENANT
from meshctl.state import State
from meshkit.auth.issuer import INTERNAL_ISSUER, TokenIssuer
from meshkit.context import SERVICE_PREFIX
from tests.e2e.running import RunningMesh, start_mesh, stop_mesh

__all__ = ["ROOT", "Setting", "prepared"]

ROOT = Path(__file__).resolve().parents[1]
_QUIET_SHARE = 0.1  # of a core, over a second
_LONGEST_UNREST = 900.0
_LIFETIME = 7200.0  # seconds that a token lasts: longer than any benchmark


@dataclass(frozen=True, slots=True)
class Setting:
    """A mesh that serves, and the ways to it."""

    model: ModelDoor
    straight: MeshDoor
    envoy: MeshDoor
    memory: MeshClient
    """Straight at the memory service, as a user who runs no agents."""
    edge: MeshClient
    """Through Envoy, as the same user."""
    parts: dict[str, int]
    """The process id of everything that takes part."""
    orchestrator: str
    """Where the orchestrator listens."""
    mesh: RunningMesh

    def pid(self, part: str) -> int:
        """Return the process id that a part has now."""
        return self.mesh.pid(part)

    def ledger_token(self, run: str, attempt: int) -> str:
        """Return the token of an attempt, as the orchestrator makes it for the agent."""
        issuer = TokenIssuer(State(self.mesh.state).internal_keys / "signing-key.pem", issuer=INTERNAL_ISSUER)
        return issuer.issue(
            audience="orchestrator",
            tenant=TENANT,
            subject="teller",
            scopes=("ledger.write",),
            lifetime=_LIFETIME,
            actor=f"{SERVICE_PREFIX}agent",
            bound=f"{run}/{attempt}",
        )

    async def quiet(self, *names: str) -> None:
        """Return once these parts have hardly worked for a second: what they do behind the answers is done."""
        watched = {name: self.parts[name] for name in names}
        async with asyncio.timeout(_LONGEST_UNREST):
            before = sum(cpu_seconds(watched).values())
            while True:
                await asyncio.sleep(1.0)
                now = sum(cpu_seconds(watched).values())
                if now - before < _QUIET_SHARE:
                    return
                before = now


@asynccontextmanager
async def prepared(runtimes: str = "langchain") -> AsyncIterator[Setting]:
    """Start everything with these runtimes, yield it, and leave nothing behind."""
    with _model_server() as (model, url), _mesh(url, runtimes) as mesh:
        status = mesh.status()
        addresses = {part["name"]: part["address"] for part in status["parts"]}
        parts = {part["name"]: part["pid"] for part in status["parts"]}
        async with AsyncExitStack() as stack:
            http = await stack.enter_async_context(
                httpx.AsyncClient(base_url=url, timeout=60.0, trust_env=False, limits=httpx.Limits())
            )

            async def client(address: str, user: str) -> MeshClient:
                return await stack.enter_async_context(MeshClient(address, token=mesh.token(user, lifetime=_LIFETIME)))

            door = ModelDoor("model server, direct", http)
            yield Setting(
                model=door,
                straight=MeshDoor("mesh, at the orchestrator", await client(addresses["orchestrator"], "asker"), door),
                envoy=MeshDoor("mesh, through Envoy", await client(mesh.address, "asker"), door),
                memory=await client(addresses["memory"], "teller"),
                edge=await client(mesh.address, "teller"),
                parts=parts | {"(model server)": model, "(client)": os.getpid()},
                orchestrator=addresses["orchestrator"],
                mesh=mesh,
            )


@contextmanager
def _mesh(model_url: str, runtimes: str) -> Iterator[RunningMesh]:
    directory = Path(tempfile.mkdtemp(prefix="mesh-bench-"))
    directory.chmod(0o711)  # the database's own account passes through
    try:
        mesh = start_mesh(
            directory / "state",
            MESH_MODEL_URL=model_url,
            MESH_MODEL=MODEL,
            MESH_RUNTIMES=runtimes,
            MESH_MAX_RUNS="128",
            MESH_MAX_RUNS_PER_TENANT="128",  # one tenant stands for many
            MESH_MAX_RUNS_PER_AGENT="128",
            MESH_LIMIT_CALLS_PER_SECOND="100000",
            MESH_LIMIT_CALLS_BURST="100000",
            MESH_LIMIT_STREAMS="1000",
        )
        try:
            yield mesh
        finally:
            stop_mesh(mesh)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def _model_server() -> Iterator[tuple[int, str]]:
    """Run the model server in a process of its own, so that it shares no interpreter with what it measures."""
    command = [sys.executable, "-m", "bench.model_server"]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        port = int(process.stdout.readline())
        try:
            yield process.pid, f"http://127.0.0.1:{port}/v1"
        finally:
            process.stdin.close()
