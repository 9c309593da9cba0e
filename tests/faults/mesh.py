"""A mesh of real processes in the hands of a test: each part is started again when it ends, as systemd would do.

Owns where a process is told to fail, and how long a part is away. A plan (`meshkit.failpoints`) holds for the next
start of a part only.
"""

import asyncio
import os
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg

from meshclient import MeshClient
from meshctl.assembly import Assembly
from meshctl.credentials import local_token
from meshctl.parts import Part, Started
from meshctl.state import State
from meshctl.supervisor import running_mesh
from tests.e2e.running import free_port

__all__ = ["FaultyMesh", "faulty_mesh", "until"]


async def until(condition: Callable[[], object], what: str, seconds: float = 60.0) -> float:
    """Wait until the condition holds; returns for how many seconds. Raises AssertionError with `what` if it never does.

    It looks again and again: other processes tell nobody.
    """
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < seconds, f"not within {seconds:g} s: {what}"
        await asyncio.sleep(0.02)
    return time.monotonic() - began


class _FaultyAssembly(Assembly):
    """The parts of a mesh, with the tests' agent, and a plan for the next start of each service."""

    def __init__(
        self, state: State, edge: tuple[str, int], environ: Mapping[str, str], effects: str, runtimes: Sequence[str]
    ) -> None:
        super().__init__(state, edge, environ, runtimes)
        self.plans: dict[str, str] = {}
        self.begun: Counter[str] = Counter()
        self._own, self._effects = dict(environ), effects

    @property
    def database(self) -> str:
        return self._shared["DATABASE_URL"]

    def _service(
        self, name: str, module: str, settings: Mapping[str, str], *, python: Path | None = None
    ) -> Callable[[], Awaitable[Started]]:
        if module == "agent_service":
            module, settings = "tests.faults.agent", {**settings, "MESH_TEST_EFFECTS": self._effects}

        async def start() -> Started:
            self.begun[name] += 1
            self._environ = {**self._own, "MESH_FAILPOINTS": self.plans.pop(name, "")}
            return await super(_FaultyAssembly, self)._service(name, module, settings, python=python)()

        return start


class FaultyMesh:
    """A running mesh whose parts can be killed, frozen and told to fail."""

    def __init__(self, assembly: _FaultyAssembly, parts: Sequence[Part], state: State, address: str) -> None:
        self._assembly, self._state, self.address = assembly, state, address
        self._parts = {part.name: part for part in parts}
        self.kills = 0

    def client(self, subject: str = "ada") -> MeshClient:
        """Return a client at the mesh's door."""
        return MeshClient(self.address, token=lambda: local_token(self._state, subject=subject))

    def pid(self, part: str) -> int:
        """Return the process id; 0 while the part is away."""
        return self._parts[part].pid

    def kill(self, part: str, plan: str = "") -> int:
        """Kill a part as a crash does; its next start follows `plan`. Returns how often it was started before."""
        if plan:
            self._assembly.plans[part] = plan
        pid = self.pid(part)
        assert pid, f"{part} is away already"
        os.kill(pid, signal.SIGKILL)
        self.kills += 1
        return self._parts[part].starts

    async def back(self, part: str, starts: int) -> float:
        """Return how many seconds it took until the part served again after `starts`."""
        return await until(lambda: self.starts(part) > starts and self.pid(part), f"{part} is back")

    async def dies(self, part: str, point: str) -> None:
        """Kill a service, and wait until it has died once more at the failpoint and serves again."""
        starts, begun = self.starts(part), self._assembly.begun[part]
        self.kill(part, f"{point}:kill")
        # The second start is the one after the failpoint, which some pass before they serve.
        await until(lambda: self._assembly.begun[part] >= begun + 2, f"{part} passes {point}")
        self.kills += 1
        await until(lambda: self.starts(part) > starts and self.pid(part), f"{part} is back")

    def starts(self, part: str) -> int:
        """Return how often the part was started."""
        return self._parts[part].starts

    def freeze(self, part: str) -> Callable[[], None]:
        """Stop the process where it stands; what is returned lets it go on."""
        pid = self.pid(part)
        os.kill(pid, signal.SIGSTOP)
        return lambda: os.kill(pid, signal.SIGCONT)

    @property
    def database(self) -> str:
        """The URL of the database."""
        return self._assembly.database

    async def query(self, statement: str, *values: object) -> list[asyncpg.Record]:
        """Ask the database."""
        connection = await asyncpg.connect(self._assembly.database)
        try:
            return await connection.fetch(statement, *values)
        finally:
            await connection.close()


@asynccontextmanager
async def faulty_mesh(
    root: Path, model: str, effects: str, runtimes: Sequence[str] = ("langchain",)
) -> AsyncIterator[FaultyMesh]:
    """Run a mesh on a directory of its own until the block ends."""
    state, port = State(root), free_port()
    passed = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    environ = {**passed, "MESH_MODEL_URL": model, "MESH_MODEL": "scripted-1"}
    assembly = _FaultyAssembly(state, ("127.0.0.1", port), environ, effects, runtimes)
    with state.claimed():
        async with running_mesh(state, f"127.0.0.1:{port}", assembly.stages()) as parts:
            yield FaultyMesh(assembly, parts, state, f"127.0.0.1:{port}")
