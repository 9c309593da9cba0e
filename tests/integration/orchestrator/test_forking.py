"""Forks: what the new run has of the other, what is changed, and what is refused."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from agentmesh.orchestrator.v1 import run_pb2

from meshkit.errors import FailedPrecondition, InvalidArgument, NotFound
from meshkit.ids import new_id
from orchestrator.domain.model import Run, RunState, Usage
from orchestrator.domain.steps import StepKind, ToolOutcome
from orchestrator.domain.viewing import Viewer
from tests.integration.orchestrator.desk import (
    ADA,
    BOB,
    COMPLETION,
    OFFICE,
    STRANGER,
    Desk,
    desk,
    fork_of,
    three_steps,
)


@pytest_asyncio.fixture
async def front(postgres_url: str, redis_url: str) -> AsyncIterator[Desk]:
    async with desk(postgres_url, redis_url) as opened:
        yield opened


async def forkable(front: Desk) -> Run:
    """Return a run that works, has three steps and was told two things."""
    run = await front.stores.running()
    await three_steps(front, run)
    pool = front.stores.pool
    await pool.execute("insert into run_context (run, body) values ($1, 'what it was given')", run.id)
    await pool.execute("update run set model_calls = 2, input_tokens = 14 where id = $1", run.id)
    for number, step in ((1, 1), (2, 3), (3, None)):
        await pool.execute(
            "insert into steering (run, number, text, user_id, create_time, step)"
            " values ($1, $2, $3, 'ada', now(), $4)",
            run.id, number, f"said {number}", step,
        )  # fmt: skip
    return run


async def rows(front: Desk, table: str, run: str) -> list[dict[str, Any]]:
    order = "" if table == "run_context" else " order by number"
    found = await front.stores.pool.fetch(f"select * from {table} where run = $1{order}", run)
    return [dict(row) for row in found]


async def test_a_fork_has_the_conversation_and_the_steps_up_to_the_one_named(front: Desk) -> None:
    run = await forkable(front)
    made = await front.forking.fork(ADA, fork_of(run, "tool-2", traceparent=f"00-{'a' * 32}-{'b' * 16}-01"))
    assert made.id != run.id
    assert made.session != run.session
    assert (made.user, made.agent, made.spec, made.input) == (run.user, run.agent, run.spec, run.input)
    assert (made.state, made.usage, made.attempt, made.forked_from) == (RunState.QUEUED, Usage(), 0, run.id)
    assert made.trace_id == "a" * 32
    assert front.engine.started == [(made.id, 1)]
    assert [row["body"] for row in await rows(front, "run_context", made.id)] == [b"what it was given"]
    kept = await rows(front, "step", made.id)
    assert [(row["number"], row["state"], row["attempt"]) for row in kept] == [(1, "COMPLETED", 0), (2, "COMPLETED", 0)]
    same = ("kind", "digest", "occurrence", "name", "arguments", "result", "tenant")
    source = await rows(front, "step", run.id)
    assert [[row[column] for column in same] for row in kept] == [[row[c] for c in same] for row in source[:2]]
    said = await rows(front, "steering", made.id)
    assert [(row["number"], row["text"], row["step"]) for row in said] == [(1, "said 1", 1)]
    (event,) = await front.told(made.id)
    assert (event.sequence, event.state_changed.state) == (1, run_pb2.RUN_STATE_QUEUED)
    assert event.trace_id == "a" * 32
    assert (await front.stores.runs.get(Viewer.of(ADA), made.id)).last_sequence == made.last_sequence == 1


async def test_the_other_run_stays_as_it_is(front: Desk) -> None:
    run = await forkable(front)
    before = [await rows(front, table, run.id) for table in ("step", "steering", "run_context")]
    was = await front.stores.runs.load(run.id)
    await front.forking.fork(ADA, fork_of(run, "tool-2", outcome=ToolOutcome("5")))
    assert [await rows(front, table, run.id) for table in ("step", "steering", "run_context")] == before
    assert await front.stores.runs.load(run.id) == was


async def test_without_a_step_nothing_is_kept_but_the_conversation(front: Desk) -> None:
    run = await forkable(front)
    made = await front.forking.fork(ADA, fork_of(run, input="another question"))
    assert made.input == "another question"
    assert await rows(front, "step", made.id) == await rows(front, "steering", made.id) == []
    assert len(await rows(front, "run_context", made.id)) == 1


async def test_a_result_is_replaced_in_the_fork_alone(front: Desk) -> None:
    run = await forkable(front)
    edited = ToolOutcome("22", is_error=True)
    tool = await front.forking.fork(ADA, fork_of(run, "tool-2", outcome=edited))
    page = await front.stepping.list(ADA, tool.id, 50, "", full=True)
    assert [step.outcome for step in page.items] == [COMPLETION, edited]
    answer = json.dumps({"choices": [{"message": {"role": "assistant", "content": "no"}}]})
    model = await front.forking.fork(ADA, fork_of(run, "model-3", outcome=answer))
    page = await front.stepping.list(ADA, model.id, 50, "", full=True)
    assert [step.outcome for step in page.items] == [COMPLETION, ToolOutcome("4", memory="mem_1"), answer]
    page = await front.stepping.list(ADA, run.id, 50, "", full=True)
    assert page.items[2].outcome == COMPLETION


async def test_contents_are_stored_once(front: Desk) -> None:
    run = await forkable(front)
    blobs = "select count(*) from blob where tenant = 'acme'"
    before = await front.stores.pool.fetchval(blobs)
    for _ in range(3):
        await front.forking.fork(ADA, fork_of(run, "model-3"))
        await front.forking.fork(ADA, fork_of(run, "tool-2", outcome=ToolOutcome(f"only here {run.id}")))
    assert await front.stores.pool.fetchval(blobs) == before + 1


@pytest.mark.parametrize("state", [RunState.SUCCEEDED, RunState.FAILED, RunState.CANCELLED, RunState.PAUSED])
async def test_a_run_in_any_state_is_forked(front: Desk, state: RunState) -> None:
    run = await front.pausing() if state is RunState.PAUSED else await front.stores.running()
    await three_steps(front, run)
    if state.terminal:
        await front.stores.end(run, state)
    made = await front.forking.fork(ADA, fork_of(run, "model-3"))
    assert made.state is RunState.QUEUED
    assert len(await rows(front, "step", made.id)) == 3
    still = await front.stores.runs.load(run.id)
    assert still is not None
    assert still.state is state


async def test_a_run_that_has_not_begun_is_forked(front: Desk) -> None:
    run = await front.stores.queued()
    made = await front.forking.fork(ADA, fork_of(run))
    assert made.state is RunState.QUEUED
    assert await rows(front, "run_context", made.id) == []


async def test_a_fork_is_forked(front: Desk) -> None:
    run = await forkable(front)
    first = await front.forking.fork(ADA, fork_of(run, "tool-2"))
    second = await front.forking.fork(ADA, fork_of(first, "model-1"))
    assert second.forked_from == first.id
    assert [row["number"] for row in await rows(front, "step", second.id)] == [1]


async def test_the_same_request_makes_one_fork(front: Desk) -> None:
    run = await forkable(front)
    request_id = new_id("req")
    first = await front.forking.fork(ADA, fork_of(run, "tool-2", request_id=request_id))
    await front.stores.begin(first.id)
    again = await front.forking.fork(ADA, fork_of(run, "tool-2", request_id=request_id))
    assert again == first  # as it was accepted
    forks = await front.stores.pool.fetchval("select count(*) from run where forked_from = $1", run.id)
    assert forks == 1


async def test_the_same_request_at_once_makes_one_fork(front: Desk) -> None:
    run = await forkable(front)
    request_id = new_id("req")
    await asyncio.gather(
        *(front.forking.fork(ADA, fork_of(run, "tool-2", request_id=request_id)) for _ in range(5)),
        return_exceptions=True,
    )
    assert await front.stores.pool.fetchval("select count(*) from run where forked_from = $1", run.id) == 1


@pytest.mark.parametrize("caller", [BOB, STRANGER])
async def test_nobody_forks_a_run_that_they_do_not_see(front: Desk, caller: Any) -> None:
    run = await forkable(front)
    with pytest.raises(NotFound):
        await front.forking.fork(caller, fork_of(run, caller=caller))
    assert await front.stores.pool.fetchval("select count(*) from run where forked_from = $1", run.id) == 0


async def test_a_fork_is_of_the_same_user_whoever_makes_it(front: Desk) -> None:
    run = await forkable(front)
    made = await front.forking.fork(OFFICE, fork_of(run, caller=OFFICE))
    assert made.user == "ada"
    assert (await front.stores.sessions.get(Viewer.of(ADA), made.session)).user == "ada"


async def test_only_what_a_completed_step_brought_is_kept(front: Desk) -> None:
    run = await forkable(front)
    await front.step(run, StepKind.TOOL, 4)
    await front.step(run, StepKind.TOOL, 5, ToolOutcome("done beside it"), name="other")
    with pytest.raises(FailedPrecondition) as refused:
        await front.forking.fork(ADA, fork_of(run, "tool-4"))
    assert refused.value.reason == "STATE_CONFLICT"
    made = await front.forking.fork(ADA, fork_of(run, "tool-5"))
    assert [row["number"] for row in await rows(front, "step", made.id)] == [1, 2, 3, 5]


@pytest.mark.parametrize("step", ["tool-9", "model-2", "tool-99999999999999999999", "tool-02"])
async def test_an_unknown_step_is_not_found(front: Desk, step: str) -> None:
    run = await forkable(front)
    with pytest.raises(NotFound):
        await front.forking.fork(ADA, fork_of(run, step))


@pytest.mark.parametrize(
    ("step", "outcome", "field"),
    [
        ("", ToolOutcome("x"), "step"),
        ("model-1", ToolOutcome("x"), "result"),
        ("tool-2", COMPLETION, "result"),
        ("model-1", "no json", "result.completion"),
        ("model-1", "[]", "result.completion"),
        ("model-1", '{"choices": []}', "result.completion"),
        ("model-1", '{"choices": [{"text": "old"}]}', "result.completion"),
        ("model-1", "[" * 100_000, "result.completion"),
    ],
)
async def test_a_result_must_be_of_the_steps_kind(front: Desk, step: str, outcome: Any, field: str) -> None:
    run = await forkable(front)
    with pytest.raises(InvalidArgument) as refused:
        await front.forking.fork(ADA, fork_of(run, step, outcome=outcome))
    assert [violation.field for violation in refused.value.field_violations] == [field]
    assert await front.stores.pool.fetchval("select count(*) from run where forked_from = $1", run.id) == 0


async def test_a_session_that_goes_on_after_a_fork_has_the_talk_before_it(front: Desk) -> None:
    stores = front.stores
    first = await stores.running()
    await stores.end(first)
    second = await stores.begin((await stores.queued(session=first.session)).id)
    await stores.end(second)
    made = await front.forking.fork(ADA, fork_of(second))
    assert [run.id for run in await stores.runs.history(made.session, made.id, 100)] == [first.id]
    await stores.end(await stores.begin(made.id))
    next_ = await stores.queued(session=made.session)
    assert [run.id for run in await stores.runs.history(made.session, next_.id, 100)] == [made.id, first.id]
    deeper = await front.forking.fork(ADA, fork_of(made))
    assert [run.id for run in await stores.runs.history(deeper.session, deeper.id, 100)] == [first.id]
    assert [run.id for run in await stores.runs.history(made.session, next_.id, 1)] == [made.id]
