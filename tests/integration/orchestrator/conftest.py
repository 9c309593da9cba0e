"""Two ways to test: a mesh of real processes, or the stores of an orchestrator in the test's own process."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest_asyncio
from redis.asyncio import Redis

from meshkit.background import running
from meshkit.ids import new_id
from meshkit.sql.migrations import migrate, read_migrations
from meshkit.sql.pool import Pool, open_pool
from orchestrator.convert.events import ProtoEvents
from orchestrator.domain.events import StateChange
from orchestrator.domain.feed import Feed
from orchestrator.domain.model import Run, RunState, Session
from orchestrator.domain.specs import AgentSpec
from orchestrator.domain.storage import FindAgent, NewRun, RequestKey
from orchestrator.domain.viewing import Viewer
from orchestrator.stores.event_log import EventLog
from orchestrator.stores.runs import PostgresRuns
from orchestrator.stores.sessions import PostgresSessions
from orchestrator.stores.wakeups import Wakeups
from tests.integration.orchestrator.mesh import Client, Mesh, Orchestrator

TENANT = "acme"
ADA = Viewer(TENANT, "ada")


@dataclass
class Stores:
    """One replica's stores, with their loops running."""

    pool: Pool
    feed: Feed
    wakeups: Wakeups
    runs: PostgresRuns
    sessions: PostgresSessions
    log: EventLog

    async def queued(self, tenant: str = TENANT, session: str = "") -> Run:
        async def make(existing: Session | None, find_agent: FindAgent) -> NewRun:
            now = datetime.now(UTC)
            home = existing or Session(new_id("ses"), tenant, "ada", "", "", {}, now, now, "etag")
            run = Run(
                new_id("run"), tenant, home.id, "ada", "assistant", AgentSpec("langchain"), "hello", now,
                last_sequence=1,
            )  # fmt: skip
            return NewRun(run, None if existing else home)

        return await self.runs.create(
            RequestKey(tenant, "ada", "CreateRun", new_id("req"), b""), Viewer(tenant, "ada"), session, make
        )

    async def running(self) -> Run:
        return await self.begin((await self.queued()).id)

    async def begin(self, run_id: str) -> Run:
        run = await self.runs.transition(run_id, lambda run: StateChange(RunState.RUNNING, run.attempt + 1))
        assert run is not None
        return run

    async def end(self, run: Run, state: RunState = RunState.SUCCEEDED) -> Run | None:
        return await self.runs.transition(
            run.id, lambda now: None if now.state.terminal else StateChange(state, now.attempt)
        )


@asynccontextmanager
async def replica(postgres_url: str, redis_url: str) -> AsyncIterator[Stores]:
    async with AsyncExitStack() as stack:
        pool = await stack.enter_async_context(open_pool(postgres_url, "orchestrator", max_size=5))
        await migrate(pool, "orchestrator", read_migrations("orchestrator.stores.migrations"))
        redis = Redis.from_url(redis_url, socket_connect_timeout=1.0)
        stack.push_async_callback(redis.aclose)
        codec, feed = ProtoEvents(), Feed()
        wakeups = Wakeups(redis, feed)
        runs, log = PostgresRuns(pool, codec, feed, wakeups), EventLog(pool, codec, feed, wakeups)
        loops = (
            log.keep_writing(),
            wakeups.keep_publishing(),
            wakeups.keep_listening(),
            wakeups.keep_polling(runs.positions),
        )
        async with running(*loops):
            yield Stores(pool, feed, wakeups, runs, PostgresSessions(pool), log)


@pytest_asyncio.fixture
async def stores(postgres_url: str, redis_url: str) -> AsyncIterator[Stores]:
    async with replica(postgres_url, redis_url) as started:
        yield started


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def mesh(tmp_path_factory: Any, postgres_url: str, redis_url: str) -> AsyncIterator[Mesh]:
    async with Mesh.start(tmp_path_factory.mktemp("mesh"), postgres_url, redis_url) as started:
        yield started


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def orchestrator(mesh: Mesh) -> AsyncIterator[Orchestrator]:
    async with mesh.orchestrator() as started:
        yield started


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(mesh: Mesh, orchestrator: Orchestrator) -> Client:
    return mesh.client(orchestrator)
