"""Processes come and go: killed, drained, restarted, replaced. What was accepted is done, what was seen stays true."""

import asyncio
import time
from pathlib import Path

import asyncpg
import pytest
from agentmesh.orchestrator.v1 import run_event_pb2, run_pb2, run_service_pb2

from meshkit.errors import Unavailable
from tests.integration.orchestrator.mesh import Client, Mesh, check_order, heard, text_of, until

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def follow(client: Client, run: str, seen: list[run_event_pb2.RunEvent]) -> None:
    """Follow until the end or until the stream breaks."""
    after = seen[-1].sequence if seen else 0
    call = client.runs.SubscribeRun(run_service_pb2.SubscribeRunRequest(run=run, after_sequence=after), timeout=60)
    try:
        async for event in call:
            if event.sequence:
                seen.append(event)  # noqa: PERF401 - what came before a break stays
    finally:
        call.cancel()


async def test_a_killed_orchestrator_takes_its_runs_up_again(mesh: Mesh) -> None:
    seen: list[run_event_pb2.RunEvent] = []
    async with mesh.orchestrator() as first:
        client = mesh.client(first)
        run = await client.create("say 100 20")
        following = asyncio.create_task(follow(client, run.id, seen))
        await until(lambda: len(seen) > 8)
        first.kill()
        with pytest.raises(Unavailable):
            await following
    async with mesh.orchestrator() as second:
        ready = time.monotonic()
        client = mesh.client(second)
        again = asyncio.create_task(follow(client, run.id, seen))
        await until(lambda: any(event.WhichOneof("event") == "step_restarted" for event in seen), 15)
        took = time.monotonic() - ready
        await again
    check_order(seen)
    print(f"taken up {took:.1f} s after the restart")
    assert took < 10
    assert text_of(seen) == seen[-1].state_changed.output == "".join(f"w{place} " for place in range(100))
    assert seen[-1].state_changed.attempt == 2


async def test_a_peer_takes_over_and_any_replica_serves(mesh: Mesh) -> None:
    async with mesh.orchestrator("a") as first, mesh.orchestrator("b") as second:
        here, there = mesh.client(first), mesh.client(second)
        run = await here.create("say 60 10")
        seen_there: list[run_event_pb2.RunEvent] = []
        following = asyncio.create_task(follow(there, run.id, seen_there))
        await follow(here, run.id, seen := [])
        await following
        check_order(seen)
        assert seen_there == seen

        delays = []
        for _ in range(3):
            hanging = await here.create("hang")
            await until(lambda hanging=hanging: hanging.id in mesh.agent.active)  # type: ignore[misc]
            await heard(mesh.redis, "acme", hanging.id)
            begin = time.monotonic()
            await there.runs.CancelRun(run_service_pb2.CancelRunRequest(run=hanging.id))
            await until(lambda hanging=hanging: hanging.id in mesh.agent.cancelled)  # type: ignore[misc]
            delays.append(mesh.agent.cancelled[hanging.id] - begin)
        print("cancelled from the other replica after ms", [round(delay * 1000) for delay in delays])
        assert max(delays) < 1.5

        orphans = [await here.create("say 50 20") for _ in range(5)]
        await until(lambda: sum(run.id in mesh.agent.active for run in orphans) == 5)
        killed = time.monotonic()
        first.kill()
        for orphan in orphans:
            done = await there.wait(orphan.id)
            assert (done.state, done.attempt) == (run_pb2.RUN_STATE_SUCCEEDED, 2)
            check_order(await there.events(orphan.id))
        print(f"a peer finished five runs of 1 s {time.monotonic() - killed:.1f} s after the kill")


async def test_a_drained_process_hands_its_streams_and_runs_on(mesh: Mesh) -> None:
    async with mesh.orchestrator("a") as first, mesh.orchestrator("b") as second:
        here, there = mesh.client(first), mesh.client(second)
        runs = [await here.create("say 150 20") for _ in range(5)]
        request = run_service_pb2.StreamRunRequest(
            run={"request_id": "attached", "input": "say 150 20"},
            on_disconnect=run_service_pb2.ON_DISCONNECT_CANCEL,
        )
        attached = here.runs.StreamRun(request)
        runs.append(await here.runs.GetRun(run_service_pb2.GetRunRequest(run=(await anext(aiter(attached))).run)))
        seen: dict[str, list[run_event_pb2.RunEvent]] = {run.id: [] for run in runs}
        streams = [asyncio.create_task(follow(here, run.id, seen[run.id])) for run in runs]
        await until(lambda: all(len(events) > 5 for events in seen.values()))
        begin = time.monotonic()
        stopped = asyncio.create_task(first.stop())
        for ended in await asyncio.gather(*streams, return_exceptions=True):
            assert isinstance(ended, Unavailable)
            assert ended.reason == "DRAINING"
        print(f"streams ended after {time.monotonic() - begin:.2f} s")
        await asyncio.gather(*(follow(there, run.id, seen[run.id]) for run in runs))
        assert await stopped == 0
        for run in runs:
            check_order(seen[run.id])
            final = await there.wait(run.id)
            assert final.state == run_pb2.RUN_STATE_SUCCEEDED
            assert text_of(seen[run.id]) == final.output


async def test_more_runs_than_room_wait_their_turn(mesh: Mesh) -> None:
    async with mesh.orchestrator(MESH_MAX_RUNS="3") as orchestrator:
        client = mesh.client(orchestrator)
        most = 0
        runs = [await client.create("say 30 10") for _ in range(9)]
        waiting = asyncio.gather(*(client.wait(run.id) for run in runs))
        while not waiting.done():
            most = max(most, len(mesh.agent.active))
            await asyncio.sleep(0.01)
        assert {run.state for run in await waiting} == {run_pb2.RUN_STATE_SUCCEEDED}
        assert most == 3


async def test_a_run_that_the_engine_never_heard_of_is_found(mesh: Mesh) -> None:
    """As if the process had died between accepting the run and handing it over."""
    database = await asyncpg.connect(mesh.database)
    try:
        async with mesh.orchestrator() as orchestrator:
            client = mesh.client(orchestrator)
            run = await client.create("say 1 0")
            await client.wait(run.id)
            await database.execute(
                "insert into orchestrator.run (id, tenant, session, user_id, agent, spec, input, state, last_sequence,"
                " create_time) select $2, tenant, session, user_id, agent, spec, input, 'QUEUED', 1,"
                " now() - interval '5 seconds' from orchestrator.run where id = $1",
                run.id,
                stray := run.id[:-3] + "ZZZ",
            )
            assert (await client.wait(stray, 10)).state == run_pb2.RUN_STATE_SUCCEEDED
    finally:
        await database.close()


async def test_a_run_whose_workflow_is_over_begins_again(mesh: Mesh) -> None:
    """As if an executor that was believed dead had taken it from its successor, and then died indeed."""
    database = await asyncpg.connect(mesh.database)
    try:
        async with mesh.orchestrator() as orchestrator:
            client = mesh.client(orchestrator)
            run = await client.create("say 200 20")
            await until(lambda: run.id in mesh.agent.active)
            await database.execute(
                "update orchestrator.run set start_time = start_time - interval '1 minute' where id = $1", run.id
            )
            over = "update dbos.workflow_status set status = 'SUCCESS' where workflow_uuid = $1"
            assert await database.execute(over, run.id) == "UPDATE 1"
            done = await client.wait(run.id)
            assert (done.state, done.attempt) == (run_pb2.RUN_STATE_SUCCEEDED, 2)
            check_order(events := await client.events(run.id))
            assert text_of(events) == done.output
    finally:
        await database.close()


async def test_what_dbos_recorded_is_deleted_after_a_day_and_the_run_stays(mesh: Mesh) -> None:
    async with mesh.orchestrator() as orchestrator:
        old, new = [await mesh.client(orchestrator).create("say 1 0") for _ in range(2)]
        for run in (old, new):
            await mesh.client(orchestrator).wait(run.id)
    database = await asyncpg.connect(mesh.database)
    try:
        day = 25 * 3600 * 1000
        await database.execute(
            "update dbos.workflow_status set completed_at = completed_at - $2, created_at = created_at - $2,"
            " updated_at = updated_at - $2 where workflow_uuid = $1",
            old.id,
            day,
        )
        async with mesh.orchestrator() as orchestrator, asyncio.timeout(10):
            count = "select array_agg(workflow_uuid) from dbos.workflow_status where workflow_uuid = any($1::text[])"
            while await database.fetchval(count, [old.id, new.id]) != [new.id]:  # noqa: ASYNC110 - its own process
                await asyncio.sleep(0.05)
            assert (await mesh.client(orchestrator).wait(old.id)).state == run_pb2.RUN_STATE_SUCCEEDED
    finally:
        await database.close()


async def test_redis_away_costs_latency_only(mesh: Mesh) -> None:
    async with mesh.orchestrator(REDIS_URL="redis://127.0.0.1:1/0") as orchestrator:
        client = mesh.client(orchestrator)
        begin = time.monotonic()
        run = await client.create("say 30 10")
        check_order(await client.events(run.id))
        assert time.monotonic() - begin < 3
        hanging = await client.create("hang")
        await until(lambda: hanging.id in mesh.agent.active)
        await client.runs.CancelRun(run_service_pb2.CancelRunRequest(run=hanging.id))
        await until(lambda: hanging.id in mesh.agent.cancelled, 1.5)


async def test_nothing_is_printed_but_our_own_log(mesh: Mesh) -> None:
    async with mesh.orchestrator("quiet") as orchestrator:
        await mesh.client(orchestrator).create("say 1 0")
        assert await orchestrator.stop() == 0
        lines = orchestrator.log.read_text().splitlines()
        assert all(line.startswith("{") for line in lines), lines
        assert not any(word in orchestrator.log.read_text() for word in ("console.dbos.dev", "Bearer", "password"))


async def test_a_missing_key_is_a_clear_error(mesh: Mesh, tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="MESH_AUTH_SIGNING_KEY_FILE"):
        async with mesh.orchestrator("unready", MESH_AUTH_SIGNING_KEY_FILE=""):
            pass
