"""A task for a session that is busy, and many tasks at once."""

import asyncio
import time
from typing import Any

import asyncpg
import pytest
from agentmesh.errors.v1 import reason_pb2
from agentmesh.orchestrator.v1 import run_control_pb2, run_pb2, run_service_pb2, session_service_pb2

from meshkit.errors import FailedPrecondition, NotFound, ResourceExhausted
from meshkit.ids import new_id
from tests.integration.orchestrator.mesh import Client, Mesh, check_order, until

pytestmark = pytest.mark.asyncio(loop_scope="module")

QUEUED, RUNNING, SUCCEEDED = run_pb2.RUN_STATE_QUEUED, run_pb2.RUN_STATE_RUNNING, run_pb2.RUN_STATE_SUCCEEDED
CANCELLED = run_pb2.RUN_STATE_CANCELLED
REJECT, ENQUEUE, INTERRUPT, ROLLBACK = (
    run_service_pb2.ON_BUSY_REJECT, run_service_pb2.ON_BUSY_ENQUEUE, run_service_pb2.ON_BUSY_INTERRUPT,
    run_service_pb2.ON_BUSY_ROLLBACK,
)  # fmt: skip


async def get(client: Client, run: str) -> run_pb2.Run:
    return await client.runs.GetRun(run_service_pb2.GetRunRequest(run=run))


async def cancel(client: Client, run: str) -> run_pb2.Run:
    return await client.runs.CancelRun(run_service_pb2.CancelRunRequest(run=run))


async def busy(mesh: Mesh, client: Client) -> run_pb2.Run:
    run = await client.create("hang")
    await until(lambda: run.id in mesh.agent.active)
    return run


async def test_rejected(mesh: Mesh, client: Client) -> None:
    first = await busy(mesh, client)
    for choice in (REJECT, run_service_pb2.ON_BUSY_UNSPECIFIED):
        with pytest.raises(FailedPrecondition, match=first.id) as refused:
            await client.create("say 1 0", session=first.session, on_busy=choice)
        assert refused.value.reason == "STATE_CONFLICT"
    await client.runs.PauseRun(run_control_pb2.PauseRunRequest(run=first.id))
    with pytest.raises(FailedPrecondition, match="PAUSED"):
        await client.create("say 1 0", session=first.session)
    with pytest.raises(FailedPrecondition):
        await client.sessions.DeleteSession(session_service_pb2.DeleteSessionRequest(session=first.session))
    await cancel(client, first.id)


async def test_enqueued_runs_begin_one_after_the_other(mesh: Mesh, client: Client) -> None:
    first = await busy(mesh, client)
    second = await client.create("say 2 0", session=first.session, on_busy=ENQUEUE)
    third = await client.create("say 3 0", session=first.session, on_busy=ENQUEUE)
    unwanted = await client.create("say 9 0", session=first.session, on_busy=ENQUEUE)
    assert {run.state for run in (second, third, unwanted)} == {QUEUED}
    assert (await cancel(client, unwanted.id)).state == CANCELLED
    assert (await get(client, third.id)).state == QUEUED
    begin = time.monotonic()
    await cancel(client, first.id)
    assert (await client.wait(second.id)).state == SUCCEEDED
    assert (await client.wait(third.id)).state == SUCCEEDED
    assert time.monotonic() - begin < 2, "they waited for a sweep"
    asked = [request for request in mesh.agent.requests if request.run in (second.id, third.id, unwanted.id)]
    assert [request.run for request in asked] == [second.id, third.id]
    assert [message.text for message in asked[1].history] == ["say 2 0", "w0 w1 "]
    check_order(await client.events(third.id))
    # A session at rest takes the next one at once.
    after = await client.create("say 1 0", session=first.session, on_busy=ENQUEUE)
    assert (await client.wait(after.id)).state == SUCCEEDED


async def test_a_waiting_run_may_be_paused_and_keeps_its_place(mesh: Mesh, client: Client) -> None:
    first = await busy(mesh, client)
    second = await client.create("say 2 0", session=first.session, on_busy=ENQUEUE)
    third = await client.create("say 3 0", session=first.session, on_busy=ENQUEUE)
    paused = await client.runs.PauseRun(run_control_pb2.PauseRunRequest(run=second.id))
    assert paused.state == run_pb2.RUN_STATE_PAUSED
    await cancel(client, first.id)
    assert (await client.wait(third.id, 1)).state == QUEUED
    await client.runs.ResumeRun(run_control_pb2.ResumeRunRequest(run=second.id))
    assert (await client.wait(third.id)).state == SUCCEEDED
    assert (await get(client, second.id)).state == SUCCEEDED


async def test_not_too_many_wait(mesh: Mesh, client: Client) -> None:
    first = await busy(mesh, client)
    waiting = [await client.create("say 1 0", session=first.session, on_busy=ENQUEUE) for _ in range(100)]
    with pytest.raises(ResourceExhausted) as refused:
        await client.create("say 1 0", session=first.session, on_busy=ENQUEUE)
    assert refused.value.reason == "TOO_MANY_RUNS"
    last = await client.create("say 1 0", session=first.session, on_busy=INTERRUPT)
    assert (await client.wait(last.id)).state == SUCCEEDED
    states = {(await get(client, run.id)).state for run in waiting}
    assert states == {CANCELLED}


async def test_interrupted(mesh: Mesh, client: Client) -> None:
    first = await busy(mesh, client)
    waiting = await client.create("say 2 0", session=first.session, on_busy=ENQUEUE)
    begin = time.monotonic()
    second = await client.create("say 1 0", session=first.session, on_busy=INTERRUPT)
    await until(lambda: first.id in mesh.agent.cancelled)
    assert mesh.agent.cancelled[first.id] - begin < 0.5
    assert (await client.wait(second.id)).state == SUCCEEDED
    for run in (first, waiting):
        assert (await get(client, run.id)).state == CANCELLED
        check_order(await client.events(run.id))


async def test_rolled_back(mesh: Mesh, client: Client) -> None:
    first = await busy(mesh, client)
    waiting = await client.create("say 2 0", session=first.session, on_busy=ENQUEUE)
    following = asyncio.create_task(client.events(first.id))
    await asyncio.sleep(0)
    key = new_id("req")
    second = await client.create("say 1 0", session=first.session, on_busy=ROLLBACK, request_id=key)
    await until(lambda: first.id in mesh.agent.cancelled, 1)
    with pytest.raises(NotFound):
        await following
    for run in (first, waiting):
        with pytest.raises(NotFound):
            await get(client, run.id)
    assert (await client.wait(second.id)).state == SUCCEEDED
    again = await client.create("say 1 0", session=first.session, on_busy=ROLLBACK, request_id=key)
    assert again.id == second.id
    request = session_service_pb2.ListMessagesRequest(session=first.session)
    said = await client.sessions.ListMessages(request)
    assert [message.text for message in said.messages] == ["say 1 0", "w0 "]


async def test_many_at_once_are_interrupted_by_one(mesh: Mesh, client: Client) -> None:
    first = await busy(mesh, client)
    made = await asyncio.gather(*(client.create("say 3 1", session=first.session, on_busy=INTERRUPT) for _ in range(8)))
    ended = [await client.wait(run.id) for run in made]
    assert sorted(run.state for run in ended).count(SUCCEEDED) >= 1
    assert {run.state for run in ended} <= {SUCCEEDED, CANCELLED}
    assert (await get(client, first.id)).state == CANCELLED


async def test_a_run_that_began_to_wait_too_late_is_found(mesh: Mesh, client: Client) -> None:
    """As if the run before it had ended while it was being stored."""
    run = await client.create("say 1 0")
    await client.wait(run.id)
    database = await asyncpg.connect(mesh.database)
    try:
        await database.execute(
            "insert into orchestrator.run (id, tenant, session, user_id, agent, spec, input, state, last_sequence,"
            " create_time, waits) select $2, tenant, session, user_id, agent, spec, input, 'QUEUED', 1,"
            " now() - interval '5 seconds', true from orchestrator.run where id = $1",
            run.id,
            late := run.id[:-3] + "ZZZ",
        )
    finally:
        await database.close()
    assert (await client.wait(late, 10)).state == SUCCEEDED


def task(text: str, **fields: Any) -> run_service_pb2.CreateRunRequest:
    return run_service_pb2.CreateRunRequest(input=text, **{"request_id": new_id("req"), **fields})


async def test_a_batch_tells_of_each(mesh: Mesh, client: Client) -> None:
    occupied = await busy(mesh, client)
    tasks = [task("say 1 0"), task("say 2 0", agent="nobody"), task("x", session=occupied.session), task("say 3 0")]
    batch = run_service_pb2.BatchCreateRunsRequest(requests=tasks)
    results = (await client.runs.BatchCreateRuns(batch)).results
    assert [result.WhichOneof("result") for result in results] == ["run", "failure", "failure", "run"]
    reasons = [reason_pb2.ErrorReason.Name(result.failure.reason) for result in results[1:3]]
    assert reasons == ["ERROR_REASON_NOT_FOUND", "ERROR_REASON_STATE_CONFLICT"]
    for place in (0, 3):
        assert (await client.wait(results[place].run.id)).state == SUCCEEDED
    again = (await client.runs.BatchCreateRuns(batch)).results
    assert [result.run.id for result in again] == [result.run.id for result in results]
    assert again[0].run.state == QUEUED  # the first answer once more
    await cancel(client, occupied.id)
