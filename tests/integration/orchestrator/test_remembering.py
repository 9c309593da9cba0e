"""No turn is lost: memory is away, hangs, or dies, the orchestrator dies, and in the end memory has every turn once."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from agentmesh.memory.v1.interaction_pb2 import Interaction
from agentmesh.memory.v1.interaction_service_pb2 import ListInteractionsRequest
from agentmesh.memory.v1.interaction_service_pb2_grpc import InteractionServiceStub
from agentmesh.orchestrator.v1 import run_event_pb2, run_pb2

from meshkit.errors import InvalidArgument, MeshError, Unavailable
from meshkit.rpc.channel import open_channel
from meshkit.rpc.service_config import load_service_config
from orchestrator.domain.events import StateChange
from orchestrator.domain.model import Run, RunState
from orchestrator.domain.ports import Recalled
from orchestrator.domain.remembering import Remembering
from tests.integration.orchestrator.conftest import Stores
from tests.integration.orchestrator.mesh import ROOT, Mesh, check_order, listening

SUCCEEDED = run_pb2.RUN_STATE_SUCCEEDED
PROCESSES = pytest.mark.asyncio(loop_scope="module")


class Forgetful:
    """A memory that fails as told and counts the tries of each run."""

    def __init__(self, error: MeshError | None = None) -> None:
        self.error = error
        self.tries: list[str] = []

    async def recall(self, run: Run) -> Recalled:
        raise AssertionError(run)

    async def remember(self, run: Run, output: str, seconds: float) -> None:
        self.tries.append(run.id)
        assert output == f"answer of {run.id}"
        if self.error:
            raise self.error


def remembering(stores: Stores, memory: Forgetful) -> Remembering:
    return Remembering(stores.runs, memory, warn=lambda *_: None)


async def ended(stores: Stores) -> Run:
    """A run that succeeded while memory was away."""
    run = await stores.running()
    change = StateChange(RunState.SUCCEEDED, run.attempt, f"answer of {run.id}", remember=True)
    after = await stores.runs.transition(run.id, lambda _: change)
    assert after is not None
    return after


async def overdue(stores: Stores, seconds: float) -> None:
    """Let the time pass for what waits."""
    await stores.pool.execute("update run set remember_time = remember_time - make_interval(secs => $1)", seconds)


async def test_what_is_due_is_stored_once_and_by_one_replica(stores: Stores) -> None:
    runs = [await ended(stores) for _ in range(30)]
    memory = Forgetful()
    results = await asyncio.gather(*(remembering(stores, memory).catch_up() for _ in range(4)))
    assert sorted(memory.tries) == sorted(run.id for run in runs)
    assert sum(done for done, _ in results) == 30
    await overdue(stores, 3600)
    assert await remembering(stores, memory).catch_up() == (0, 0)


@pytest.mark.parametrize("error", [Unavailable("away"), InvalidArgument("never")])
async def test_what_fails_is_tried_ever_less_often_and_starves_nobody(stores: Stores, error: MeshError) -> None:
    first = [await ended(stores) for _ in range(20)]
    failing = Forgetful(error)
    pauses = []
    for _ in range(6):
        assert await remembering(stores, failing).catch_up() == (0, 20)
        assert await remembering(stores, failing).catch_up() == (0, 0)  # not at once again
        pauses.append(await stores.pool.fetchval("select extract(epoch from max(remember_time) - now()) from run"))
        await overdue(stores, 60)
    assert [round(float(pause)) for pause in pauses] == [5, 10, 20, 40, 60, 60]
    assert sorted(failing.tries) == sorted([run.id for run in first] * 6)

    healthy, late = Forgetful(), await ended(stores)
    while late.id not in healthy.tries:
        assert (await remembering(stores, healthy).catch_up())[1] > 0
    await remembering(stores, healthy).catch_up()
    assert sorted(healthy.tries) == sorted([*(run.id for run in first), late.id])


@asynccontextmanager
async def memory_service(mesh: Mesh, socket: Path, cache: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """The real thing, in a process of its own."""
    environment = {
        "PATH": "/usr/bin:/bin",
        "PYTHONPATH": f"{ROOT}:{ROOT / 'gen/python'}",
        "MESH_LISTEN": f"unix:{socket}",
        "MESH_SHUTDOWN_GRACE": "1",
        "MESH_AUTH_JWKS_FILE": str(mesh.tokens.files.public),
        "MESH_AUTH_INTERNAL_JWKS_FILE": str(mesh.tokens.internal_files.public),
        "MESH_CACHE_DIR": str(cache),
        "DATABASE_URL": mesh.database,
        "REDIS_URL": mesh.redis,
    }
    log = mesh.directory / f"memory{next(mesh.starts)}.log"
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "memory_service", env=environment, cwd=ROOT, stdout=output, stderr=output
        )
    try:
        await listening(process, log)
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def stored(mesh: Mesh, socket: Path) -> list[Interaction]:
    """The turns that memory has."""
    token = mesh.tokens.token("memory.read")
    async with open_channel(f"unix:{socket}", load_service_config("memory"), credentials=lambda: token) as channel:
        stub: Any = InteractionServiceStub(channel)
        listed = await stub.ListInteractions(ListInteractionsRequest(page_size=100))
    return list(listed.interactions)


async def turns(mesh: Mesh, socket: Path) -> list[str]:
    """The runs whose turns memory has, one entry a turn."""
    return sorted(turn.run for turn in await stored(mesh, socket))


async def waiting(mesh: Mesh) -> int:
    """How many turns memory has yet to store."""
    database = await asyncpg.connect(mesh.database)
    try:
        count: int = await database.fetchval("select count(*) from orchestrator.run where remember_time is not null")
        return count
    finally:
        await database.close()


async def all_stored(mesh: Mesh, socket: Path, runs: list[str], seconds: float) -> float:
    """Wait until memory has these turns and the orchestrator knows it. Returns how long that took."""
    begin = time.monotonic()
    async with asyncio.timeout(seconds):
        while await waiting(mesh) or await turns(mesh, socket) != sorted(runs):  # noqa: ASYNC110 - other processes
            await asyncio.sleep(0.1)
    return time.monotonic() - begin


@PROCESSES
async def test_memory_is_away_and_the_orchestrator_is_killed(mesh: Mesh, store_directory: Path) -> None:
    socket, cache = mesh.directory / "memory.sock", store_directory / "embedding"
    address = {"MESH_MEMORY_ADDRESS": f"unix:{socket}"}
    async with mesh.orchestrator(**address) as first:
        client = mesh.client(first)
        begin = time.monotonic()
        runs = [run.id for run in await asyncio.gather(*(client.create("say 3 0") for _ in range(5)))]
        done = await asyncio.gather(*(client.wait(run) for run in runs))
        took = time.monotonic() - begin
        assert {run.state for run in done} == {SUCCEEDED}
        for run in runs:
            check_order(await client.events(run))  # the end is the end: nothing tells of later tries
        first.kill()
    assert await waiting(mesh) == 5
    print(f"five runs without memory took {took:.1f} s")
    assert took < 8  # three for the recall, one and a half for the turn
    async with memory_service(mesh, socket, cache), mesh.orchestrator(**address) as second:
        print(f"stored {await all_stored(mesh, socket, runs, 30):.1f} s after the restart")
        # Memory is back: who sees the end is remembered at once.
        client = mesh.client(second)
        runs.append((await client.wait((await client.create("say 2 0")).id)).id)
        assert await turns(mesh, socket) == sorted(runs)


@PROCESSES
async def test_memory_is_killed_and_comes_back(mesh: Mesh, store_directory: Path) -> None:
    socket, cache = mesh.directory / "again.sock", store_directory / "embedding"
    async with mesh.orchestrator(MESH_MEMORY_ADDRESS=f"unix:{socket}") as orchestrator:
        client = mesh.client(orchestrator)
        async with memory_service(mesh, socket, cache) as memory:
            before = await client.wait((await client.create("say 2 0")).id)
            runs = await turns(mesh, socket)
            assert before.id in runs
            memory.kill()
        lost = [await client.wait((await client.create("say 2 0")).id) for _ in range(2)]
        assert {run.state for run in lost} == {SUCCEEDED}
        events: list[run_event_pb2.RunEvent] = await client.events(lost[0].id)
        check_order(events)
        async with memory_service(mesh, socket, cache):
            took = await all_stored(mesh, socket, [*runs, *(run.id for run in lost)], 30)
            print(f"stored {took:.1f} s after memory came back")
            times = {turn.run: turn.create_time for turn in await stored(mesh, socket)}
            assert [times[run.id] for run in lost] == [run.create_time for run in lost]
