"""Following: replay, live, heartbeat, gap, the future, a lost Redis, a reader that stands still."""

import asyncio
import time
from contextlib import aclosing
from datetime import timedelta
from pathlib import Path

import pytest
from agentmesh.orchestrator.v1 import run_service_pb2, run_service_pb2_grpc

from meshkit.auth.authenticator import build_authenticator
from meshkit.config import ServiceSettings
from meshkit.errors import NotFound, OutOfRange, ResourceExhausted
from meshkit.ids import new_id
from meshkit.rpc.channel import open_channel
from meshkit.rpc.server import MeshServer
from meshkit.rpc.service_config import load_service_config
from meshkit.testing.credentials import TestTokens
from meshkit.testing.serving import serving
from orchestrator.domain.events import Gap, Heartbeat, StoredEvent
from orchestrator.domain.following import Followed, Following
from orchestrator.domain.viewing import Viewer
from orchestrator.servicers.runs import RunServicer
from orchestrator.stores.retention import prune_events
from tests.integration.orchestrator.conftest import ADA, TENANT, Stores, replica
from tests.integration.orchestrator.mesh import heard, until
from tests.integration.orchestrator.test_event_log import body

NO_REDIS = "redis://127.0.0.1:1/0"


async def collect(stores: Stores, run: str, after: int = 0) -> list[Followed]:
    return [event async for event in Following(stores.runs, stores.feed).follow(ADA, run, after)]


async def test_a_quiet_run_sends_heartbeats(stores: Stores) -> None:
    run = await stores.running()
    async with aclosing(Following(stores.runs, stores.feed, heartbeat=0.05).follow(ADA, run.id, 2)) as events:
        assert await anext(events) == Heartbeat(run.id)
        await stores.end(run)
        rest = [event async for event in events]
    assert [event.sequence for event in rest if isinstance(event, StoredEvent)] == [3]


async def test_the_future_and_runs_of_others_are_refused(stores: Stores) -> None:
    run = await stores.running()
    with pytest.raises(OutOfRange):
        await collect(stores, run.id, after=3)
    others = ((Viewer("other", "ada"), run.id), (Viewer("other", None), run.id), (Viewer(TENANT, "bob"), run.id))
    for viewer, name in (*others, (ADA, new_id("run"))):
        with pytest.raises(NotFound):
            await anext(Following(stores.runs, stores.feed).follow(viewer, name, 0))
    assert not stores.feed.watched()


async def test_pruned_history_is_an_explicit_gap(stores: Stores) -> None:
    run = await stores.running()
    pen = stores.log.pen(run)
    for place in range(5):
        await pen.write(body(str(place)))
    await pen.settled()
    await stores.end(run)
    assert await prune_events(stores.pool, timedelta(days=1)) == 0
    assert len(await collect(stores, run.id)) == 8
    await stores.pool.execute("update run set finish_time = now() - interval '2 days' where id = $1", run.id)
    assert await prune_events(stores.pool, timedelta(days=1)) == 1
    gap, last = await collect(stores, run.id, after=3)
    assert gap == Gap(run.id, 8)
    assert isinstance(last, StoredEvent)
    assert last.sequence == 8
    assert await prune_events(stores.pool, timedelta(days=1)) == 0


@pytest.mark.parametrize(("redis", "most"), [(True, 0.5), (False, 1.6)])
async def test_how_soon_another_replica_hears(
    stores: Stores, postgres_url: str, redis_url: str, redis: bool, most: float
) -> None:
    """With Redis at once; without it within the second of the poll."""
    async with replica(postgres_url, redis_url if redis else NO_REDIS) as other:
        run = await stores.running()
        pen, lags = stores.log.pen(run), []
        async with aclosing(Following(other.runs, other.feed).follow(ADA, run.id, 2)) as events:
            first = asyncio.create_task(anext(events))  # type: ignore[arg-type]
            await until(lambda: [watch.sequence for watch in other.feed.watched()] == [2])
            if redis:
                await heard(redis_url, TENANT, run.id)
            for place in range(3):
                await pen.write(body(str(place)))
                await pen.settled()
                begin = time.monotonic()
                await (first if place == 0 else anext(events))
                lags.append(time.monotonic() - begin)
        print(f"redis {redis}: lag ms {[round(lag * 1000, 1) for lag in lags]}")
        assert max(lags) < most


async def test_a_reader_that_stands_still_is_ended_and_costs_little(stores: Stores, tmp_path: Path) -> None:
    run = await stores.running()
    pen = stores.log.pen(run)
    for _ in range(200):
        await pen.write(body("x" * 10_000))
    await pen.settled()
    tokens = TestTokens(tmp_path)
    settings = ServiceSettings(listen="127.0.0.1:0", shutdown_grace=1, **tokens.settings().model_dump())
    server = MeshServer(settings, build_authenticator(settings), resumable=())
    servicer = RunServicer(None, Following(stores.runs, stores.feed), None, patience=0.5)  # type: ignore[arg-type]
    server.add(run_service_pb2_grpc.add_RunServiceServicer_to_server, servicer, "agentmesh.orchestrator.v1.RunService")
    token = tokens.token("runs.read")
    async with (
        serving(server) as address,
        open_channel(address, load_service_config("orchestrator"), credentials=lambda: token) as channel,
    ):
        stub = run_service_pb2_grpc.RunServiceStub(channel)
        call = stub.SubscribeRun(run_service_pb2.SubscribeRunRequest(run=run.id))
        messages = aiter(call)
        seen = (await anext(messages)).sequence
        (watch,) = stores.feed.watched()
        async with asyncio.timeout(5):
            while watch.watchers:  # noqa: ASYNC110 - the server lets go of the run when the stream ends
                await asyncio.sleep(0.05)
        with pytest.raises(ResourceExhausted) as ended:  # noqa: PT012 - what came before the end counts, too
            async for event in messages:
                assert event.sequence == seen + 1
                seen = event.sequence
        assert ended.value.reason == "SUBSCRIBER_TOO_SLOW"
        assert seen < 100, "the transport took more than its window"
        await stores.end(run)
        rest = [
            event.sequence
            async for event in stub.SubscribeRun(
                run_service_pb2.SubscribeRunRequest(run=run.id, after_sequence=seen), timeout=20
            )
        ]
        assert rest == list(range(seen + 1, 204))
