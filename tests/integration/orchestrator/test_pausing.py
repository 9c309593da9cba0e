"""Runs that are held: at once, for any time, through restarts; and let go on where they were."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import asyncpg
import pytest
import pytest_asyncio
from agentmesh.agent.v1 import agent_spec_pb2
from agentmesh.orchestrator.v1 import run_control_pb2, run_event_pb2, run_pb2, run_service_pb2

from meshkit.errors import FailedPrecondition, NotFound
from tests.integration.orchestrator.mesh import Client, Mesh, Orchestrator, check_order, text_of, until

pytestmark = pytest.mark.asyncio(loop_scope="module")

QUEUED, RUNNING, SUCCEEDED = run_pb2.RUN_STATE_QUEUED, run_pb2.RUN_STATE_RUNNING, run_pb2.RUN_STATE_SUCCEEDED
PAUSED, CANCELLED = run_pb2.RUN_STATE_PAUSED, run_pb2.RUN_STATE_CANCELLED


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def database(mesh: Mesh) -> AsyncIterator["asyncpg.Connection[Any]"]:
    connection = await asyncpg.connect(mesh.database)
    yield connection
    await connection.close()


async def pause(client: Client, run: str) -> run_pb2.Run:
    return await client.runs.PauseRun(run_control_pb2.PauseRunRequest(run=run))


async def resume(client: Client, run: str) -> run_pb2.Run:
    return await client.runs.ResumeRun(run_control_pb2.ResumeRunRequest(run=run))


async def step(client: Client, run: str) -> run_pb2.Run:
    return await client.runs.StepRun(run_control_pb2.StepRunRequest(run=run))


async def cancel(client: Client, run: str) -> run_pb2.Run:
    return await client.runs.CancelRun(run_service_pb2.CancelRunRequest(run=run))


async def suspended(database: "asyncpg.Connection[Any]", run: str, seconds: float = 10) -> None:
    """Wait until nothing works on the run any more."""
    async with asyncio.timeout(seconds):
        while not await database.fetchval("select suspended from orchestrator.run where id = $1", run):  # noqa: ASYNC110 - another process's row
            await asyncio.sleep(0.01)


def states(events: Sequence[run_event_pb2.RunEvent]) -> list[tuple[int, int]]:
    changes = [event.state_changed for event in events if event.WhichOneof("event") == "state_changed"]
    return [(change.state, change.attempt) for change in changes]


async def test_a_pause_lasts_as_long_as_it_lasts(mesh: Mesh, client: Client, database: Any) -> None:
    run = await client.create("rest 1")
    await until(lambda: run.id in mesh.agent.active)
    assert (await pause(client, run.id)).state == PAUSED
    assert (await pause(client, run.id)).state == PAUSED
    mesh.agent.resting.add(run.id)
    await suspended(database, run.id)
    assert run.id not in mesh.agent.active
    resumed = await resume(client, run.id)
    assert resumed.state == QUEUED
    done = await client.wait(run.id)
    assert (done.state, done.attempt, done.output) == (SUCCEEDED, 2, "w0 w1 w2 ")
    assert (await client.wait(run.id)) == done
    events = await client.events(run.id)
    check_order(events)
    assert states(events) == [(QUEUED, 0), (RUNNING, 1), (PAUSED, 1), (QUEUED, 1), (RUNNING, 2), (SUCCEEDED, 2)]
    assert text_of(events) == done.output
    with pytest.raises(FailedPrecondition) as refused:
        await pause(client, run.id)
    assert refused.value.reason == "STATE_CONFLICT"


async def test_who_lets_it_go_on_in_time_wakes_the_same_leg(mesh: Mesh, client: Client) -> None:
    run = await client.create("rest 1")
    await until(lambda: run.id in mesh.agent.active)
    await pause(client, run.id)
    assert (await resume(client, run.id)).state == RUNNING
    assert (await resume(client, run.id)).state == RUNNING
    mesh.agent.resting.add(run.id)  # the ledger had told it so just before
    done = await client.wait(run.id)
    assert (done.state, done.attempt) == (SUCCEEDED, 2)
    assert states(await client.events(run.id))[2:] == [(PAUSED, 1), (RUNNING, 1), (RUNNING, 2), (SUCCEEDED, 2)]


async def test_an_agent_that_needs_no_further_step_ends_a_paused_run(client: Client) -> None:
    run = await client.create("say 20 20")
    assert (await pause(client, run.id)).state == PAUSED
    if (await client.runs.GetRun(run_service_pb2.GetRunRequest(run=run.id))).attempt == 0:
        await resume(client, run.id)  # it had not begun
    done = await client.wait(run.id)
    assert done.state == SUCCEEDED
    check_order(await client.events(run.id))


async def test_the_time_of_a_pause_does_not_count(mesh: Mesh, client: Client, database: Any) -> None:
    limits = agent_spec_pb2.RunLimits()
    limits.timeout.FromSeconds(2)
    held = await client.create("hang", limits=limits)
    rested = await client.create("rest 1", limits=limits)
    for run in (held, rested):
        await until(lambda run=run: run.id in mesh.agent.active)  # type: ignore[misc]
        await pause(client, run.id)
    mesh.agent.resting.add(rested.id)
    await suspended(database, rested.id)
    moved = "update orchestrator.run set idle_since = idle_since - interval '1 day', start_time = start_time -"
    await database.execute(f"{moved} interval '1 day' where id = any($1::text[])", [held.id, rested.id])
    waited = await client.wait(held.id, 3)
    assert waited.state == PAUSED  # though longer ago than its timeout
    await resume(client, rested.id)
    assert (await client.wait(rested.id)).state == SUCCEEDED
    await resume(client, held.id)
    ended = await client.wait(held.id, 5)
    assert ended.state == run_pb2.RUN_STATE_FAILED
    events = await client.events(held.id)
    assert events[-2].limit_reached.limit == "timeout"


async def test_a_step_is_allowed_by_setting_it_going(mesh: Mesh, client: Client, database: Any) -> None:
    run = await client.create("rest 1")
    await until(lambda: run.id in mesh.agent.active)
    assert (await step(client, run.id)).state == RUNNING  # held from the next step on
    assert await flags(database, run.id) == (True, True)
    assert (await pause(client, run.id)).state == PAUSED
    assert await flags(database, run.id) == (True, False)
    mesh.agent.resting.add(run.id)
    await suspended(database, run.id)
    assert (await step(client, run.id)).state == QUEUED
    assert await flags(database, run.id) == (True, True)
    assert (await client.wait(run.id)).state == SUCCEEDED


async def flags(database: "asyncpg.Connection[Any]", run: str) -> tuple[bool, bool]:
    row = await database.fetchrow("select paused, step_allowed from orchestrator.run where id = $1", run)
    assert row is not None
    return row["paused"], row["step_allowed"]


async def test_a_held_run_can_be_cancelled(mesh: Mesh, client: Client, database: Any) -> None:
    held, rested = await client.create("hang"), await client.create("rest 1")
    for run in (held, rested):
        await until(lambda run=run: run.id in mesh.agent.active)  # type: ignore[misc]
        await pause(client, run.id)
    mesh.agent.resting.add(rested.id)
    await suspended(database, rested.id)
    for run in (held, rested):
        assert (await cancel(client, run.id)).state == CANCELLED
        check_order(await client.events(run.id))
        with pytest.raises(FailedPrecondition):
            await resume(client, run.id)
    await until(lambda: held.id in mesh.agent.cancelled)


async def test_others_runs_are_not_there(mesh: Mesh, orchestrator: Orchestrator, client: Client) -> None:
    run = await client.create("hang")
    for stranger in (mesh.client(orchestrator, user="bob"), mesh.client(orchestrator, tenant="other")):
        for verb in (pause, resume, step):
            with pytest.raises(NotFound):
                await verb(stranger, run.id)
    await cancel(client, run.id)


@pytest.mark.parametrize("rests", [True, False])
async def test_a_pause_outlives_every_process(mesh: Mesh, database: Any, rests: bool) -> None:
    """Killed while it is at rest, or while an executor still holds it: in both cases nothing is lost."""
    async with mesh.orchestrator("p") as first:
        client = mesh.client(first)
        run = await client.create("rest 1")
        await until(lambda: run.id in mesh.agent.active)
        await pause(client, run.id)
        if rests:
            mesh.agent.resting.add(run.id)
            await suspended(database, run.id)
        first.kill()
    async with mesh.orchestrator("q") as second:
        client = mesh.client(second)
        await suspended(database, run.id, 15)
        assert (await client.wait(run.id, 0)).state == PAUSED
        assert (await resume(client, run.id)).state == QUEUED
        done = await client.wait(run.id)
        assert (done.state, done.attempt) == (SUCCEEDED, 2)
        check_order(await client.events(run.id))


async def test_a_run_let_go_on_that_the_engine_never_heard_of_is_found(
    mesh: Mesh, client: Client, database: Any
) -> None:
    """As if the process had died between storing that it goes on and starting it."""
    run = await client.create("rest 1")
    await until(lambda: run.id in mesh.agent.active)
    await pause(client, run.id)
    mesh.agent.resting.add(run.id)
    await suspended(database, run.id)
    await database.execute(
        "update orchestrator.run set state = 'QUEUED', leg = 2, starts = 0, paused = false, suspended = false,"
        " dispatched = false, idle_since = null, create_time = create_time - interval '5 seconds' where id = $1",
        run.id,
    )
    assert (await client.wait(run.id, 10)).state == SUCCEEDED
