"""Answers to what runs ask: who may give them, that each counts once, and how the run goes on."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from agentmesh.orchestrator.v1 import input_request_pb2, run_pb2

from meshkit.errors import DeadlineExceeded, FailedPrecondition, InvalidArgument, MeshError, NotFound
from meshkit.failpoints import arm, disarm
from orchestrator.domain.model import RunState
from orchestrator.domain.requests import Reply
from orchestrator.domain.steps import Answer, InputKind
from tests.integration.orchestrator.desk import ADA, BOB, OFFICE, STRANGER, Desk, desk

DENY = Reply(Answer.DENIED, text="too dear")


@pytest_asyncio.fixture
async def front(postgres_url: str, redis_url: str) -> AsyncIterator[Desk]:
    async with desk(postgres_url, redis_url) as opened:
        yield opened


def approve(digest: str, **fields: Any) -> Reply:
    return Reply(**{"answer": Answer.APPROVED, "digest": digest, **fields})


async def stored(front: Desk, request: str) -> Any:
    return await front.stores.pool.fetchrow("select * from input_request where id = $1", request)


async def test_an_approval_lets_the_run_go_on_and_is_told(front: Desk) -> None:
    run = await front.waiting()
    request, digest = await front.ask(run, 1)
    assert [each.id for each in await front.requests.open(run)] == [request]
    with front.stores.feed.watch(run.tenant, run.id) as watch:
        after = await front.requests.respond(ADA, run.id, request, approve(digest))
        assert (watch.sequence, watch.state) == (after.last_sequence, RunState.RUNNING)  # the gate that holds wakes
    assert (after.state, after.leg, after.idle_since) == (RunState.RUNNING, 1, None)
    assert after.idle > run.idle
    row = await stored(front, request)
    assert (row["answer"], row["answer_user"], row["used"]) == ("APPROVED", "ada", False)
    answered, state = (await front.told(run.id))[-2:]
    assert (answered.step, answered.input_answered.request) == ("tool-1", request)
    assert answered.input_answered.answer == input_request_pb2.INPUT_ANSWER_APPROVED
    assert answered.input_answered.user == "ada"
    assert state.state_changed.state == run_pb2.RUN_STATE_RUNNING
    assert state.sequence == answered.sequence + 1 == after.last_sequence
    assert await front.requests.open(after) == []
    assert front.engine.started == []


async def test_a_suspended_run_is_put_back_to_work_in_a_new_leg(front: Desk) -> None:
    run = await front.waiting(suspended=True, starts=1)
    request, digest = await front.ask(run, 1)
    after = await front.requests.respond(ADA, run.id, request, approve(digest))
    assert (after.state, after.leg, after.starts, after.suspended) == (RunState.QUEUED, 2, 0, False)
    assert front.engine.started == [(run.id, 2)]
    # Had the process died before the engine heard of it, the sweep of strays would find it.
    assert not await front.stores.pool.fetchval("select dispatched from run where id = $1", run.id)


@pytest.mark.parametrize(("step_allowed", "state"), [(False, RunState.PAUSED), (True, RunState.RUNNING)])
async def test_a_paused_run_stays_paused(front: Desk, *, step_allowed: bool, state: RunState) -> None:
    run = await front.waiting(paused=True, step_allowed=step_allowed)
    request, _ = await front.ask(run, 1)
    after = await front.requests.respond(ADA, run.id, request, DENY)
    assert (after.state, after.paused, front.engine.started) == (state, True, [])


async def test_the_run_waits_for_the_last_answer(front: Desk) -> None:
    run = await front.waiting()
    (first, digest), (second, _) = await front.ask(run, 1), await front.ask(run, 2)
    half = await front.requests.respond(ADA, run.id, first, approve(digest))
    assert half.state is RunState.WAITING
    assert half.last_sequence == run.last_sequence + 1
    assert [each.step for each in await front.requests.open(half)] == ["tool-2"]
    whole = await front.requests.respond(ADA, run.id, second, DENY)
    assert whole.state is RunState.RUNNING
    assert (await front.told(run.id))[-2].input_answered.text == "too dear"


async def test_the_same_answer_may_be_repeated_and_no_other(front: Desk) -> None:
    run = await front.waiting()
    request, digest = await front.ask(run, 1)
    first = await front.requests.respond(ADA, run.id, request, approve(digest))
    again = await front.requests.respond(ADA, run.id, request, approve(digest))
    assert again == first  # and no second event
    for caller, reply in (
        (ADA, DENY),
        (ADA, approve(digest, answer=Answer.EDITED, text="{}")),
        (OFFICE, approve(digest)),
    ):
        with pytest.raises(FailedPrecondition) as closed:
            await front.requests.respond(caller, run.id, request, reply)
        assert closed.value.reason == "REQUEST_CLOSED"


async def test_an_answer_counts_although_its_caller_heard_of_a_failure(front: Desk) -> None:
    run = await front.waiting(suspended=True)
    request, digest = await front.ask(run, 1)
    arm("approval.after_decision_before_resume:exec_then_timeout#1")
    try:
        with pytest.raises(DeadlineExceeded):
            await front.requests.respond(ADA, run.id, request, approve(digest))
    finally:
        disarm()
    again = await front.requests.respond(ADA, run.id, request, approve(digest))
    assert (again.state, again.leg) == (RunState.QUEUED, 2)
    assert front.engine.started == []  # the engine's sweep starts it
    assert not await front.stores.pool.fetchval("select dispatched from run where id = $1", run.id)


async def test_of_two_answers_at_once_one_counts(front: Desk) -> None:
    run = await front.waiting(suspended=True)
    request, digest = await front.ask(run, 1)
    replies = [approve(digest), DENY, Reply(Answer.DENIED, text="no"), approve(digest, answer=Answer.EDITED, text="{}")]
    done = await asyncio.gather(
        *(front.requests.respond(ADA, run.id, request, reply) for reply in replies * 2), return_exceptions=True
    )
    won = [reply for reply, result in zip(replies * 2, done, strict=True) if not isinstance(result, BaseException)]
    assert len(won) == 2  # the winner, and its own repetition
    assert won[0] == won[1]
    lost = [result for result in done if isinstance(result, BaseException)]
    assert {error.reason for error in lost if isinstance(error, MeshError)} == {"REQUEST_CLOSED"}
    assert (await stored(front, request))["answer"] == won[0].answer
    kinds = [event.WhichOneof("event") for event in await front.told(run.id)]
    assert kinds.count("input_answered") == 1
    assert front.engine.started[0] == (run.id, 2)
    assert {leg for _, leg in front.engine.started} == {2}


@pytest.mark.parametrize("caller", [BOB, STRANGER])
async def test_nobody_answers_for_a_run_that_they_do_not_see(front: Desk, caller: Any) -> None:
    run = await front.waiting()
    request, digest = await front.ask(run, 1)
    with pytest.raises(NotFound) as hidden:
        await front.requests.respond(caller, run.id, request, approve(digest))
    with pytest.raises(NotFound) as absent:
        await front.requests.respond(caller, "run_none", request, approve(digest))
    assert str(hidden.value) == str(absent.value)
    assert (await stored(front, request))["answer"] is None


async def test_a_request_is_answered_at_its_own_run_only(front: Desk) -> None:
    run, other = await front.waiting(), await front.waiting()
    request, digest = await front.ask(run, 1)
    with pytest.raises(NotFound):
        await front.requests.respond(ADA, other.id, request, approve(digest))


async def test_who_acts_for_users_answers_for_them(front: Desk) -> None:
    run = await front.waiting()
    request, digest = await front.ask(run, 1)
    await front.requests.respond(OFFICE, run.id, request, approve(digest))
    assert (await stored(front, request))["answer_user"] == "office"


@pytest.mark.parametrize(
    ("kind", "reply", "field"),
    [
        (InputKind.APPROVAL, Reply(Answer.APPROVED), "approve.arguments_digest"),
        (InputKind.APPROVAL, Reply(Answer.APPROVED, digest="0" * 64), "approve.arguments_digest"),
        (InputKind.APPROVAL, Reply(Answer.EDITED, text="{}", digest="0" * 64), "approve.arguments_digest"),
        (InputKind.APPROVAL, Reply(Answer.EDITED, text="[1]", digest="right"), "approve.edited_arguments"),
        (InputKind.APPROVAL, Reply(Answer.EDITED, text="{", digest="right"), "approve.edited_arguments"),
        (InputKind.APPROVAL, Reply(Answer.EDITED, text="[" * 100_000, digest="right"), "approve.edited_arguments"),
        (InputKind.APPROVAL, Reply(Answer.TEXT, text="yes"), "answer"),
        (InputKind.QUESTION, Reply(Answer.APPROVED, digest="right"), "answer"),
        (InputKind.UNCERTAIN, Reply(Answer.EDITED, text="{}", digest="right"), "approve.edited_arguments"),
        (InputKind.UNCERTAIN, Reply(Answer.APPROVED, digest="0" * 64), "approve.arguments_digest"),
    ],
)
async def test_an_answer_must_fit(front: Desk, kind: InputKind, reply: Reply, field: str) -> None:
    run = await front.waiting()
    request, digest = await front.ask(run, 1, kind)
    given = Reply(reply.answer, text=reply.text, digest=digest if reply.digest == "right" else reply.digest)
    with pytest.raises(InvalidArgument) as refused:
        await front.requests.respond(ADA, run.id, request, given)
    assert [violation.field for violation in refused.value.field_violations] == [field]
    assert (await stored(front, request))["answer"] is None


@pytest.mark.parametrize(
    ("kind", "reply"),
    [
        (InputKind.QUESTION, Reply(Answer.TEXT, text="blue")),
        (InputKind.QUESTION, DENY),
        (InputKind.UNCERTAIN, Reply(Answer.APPROVED)),
        (InputKind.UNCERTAIN, Reply(Answer.TEXT, text="it was paid")),
        (InputKind.UNCERTAIN, DENY),
    ],
)
async def test_each_kind_takes_its_answers(front: Desk, kind: InputKind, reply: Reply) -> None:
    run = await front.waiting()
    request, _ = await front.ask(run, 1, kind)
    after = await front.requests.respond(ADA, run.id, request, reply)
    assert after.state is RunState.RUNNING
    row = await stored(front, request)
    assert (row["answer"], row["answer_text"]) == (reply.answer, reply.text)


async def test_an_edit_is_kept_and_its_text_is_not_told(front: Desk) -> None:
    run = await front.waiting()
    request, digest = await front.ask(run, 1)
    await front.requests.respond(ADA, run.id, request, approve(digest, answer=Answer.EDITED, text='{"n": 2}'))
    assert (await stored(front, request))["answer_text"] == '{"n": 2}'
    told = (await front.told(run.id))[-2].input_answered
    assert (told.answer, told.text) == (input_request_pb2.INPUT_ANSWER_EDITED, "")


async def test_a_request_that_is_overdue_takes_no_answer(front: Desk) -> None:
    run = await front.waiting()
    request, digest = await front.ask(run, 1, seconds=-1)
    with pytest.raises(FailedPrecondition) as closed:
        await front.requests.respond(ADA, run.id, request, approve(digest))
    assert closed.value.reason == "REQUEST_CLOSED"


async def test_an_overdue_request_is_closed_once_over_all_replicas(
    front: Desk, postgres_url: str, redis_url: str
) -> None:
    run = await front.waiting(suspended=True)
    request, digest = await front.ask(run, 1, seconds=-1)
    other, _ = await front.ask(await front.waiting(), 1)
    async with desk(postgres_url, redis_url) as peer:
        await asyncio.gather(*(each.requests.expire() for each in (front, peer) * 3))
        assert [*front.engine.started, *peer.engine.started] == [(run.id, 2)]
    assert (await stored(front, request))["answer"] == "EXPIRED"
    assert (await stored(front, other))["answer"] is None
    answered, state = (await front.told(run.id))[-2:]
    assert answered.input_answered.answer == input_request_pb2.INPUT_ANSWER_EXPIRED
    assert answered.input_answered.user == ""
    assert state.state_changed.state == run_pb2.RUN_STATE_QUEUED
    with pytest.raises(FailedPrecondition):
        await front.requests.respond(ADA, run.id, request, approve(digest))


async def test_nothing_is_asked_by_a_run_that_has_ended(front: Desk) -> None:
    run = await front.waiting()
    request, digest = await front.ask(run, 1)
    late, _ = await front.ask(run, 2, seconds=-1)
    ended = await front.stores.end(run, RunState.CANCELLED)
    assert ended is not None
    assert await front.requests.open(ended) == ()
    with pytest.raises(FailedPrecondition) as closed:
        await front.requests.respond(ADA, run.id, request, approve(digest))
    assert closed.value.reason == "REQUEST_CLOSED"
    await front.requests.expire()
    assert (await stored(front, late))["answer"] == "EXPIRED"  # so that no sweep finds it again
    assert len(await front.told(run.id)) == ended.last_sequence  # nothing follows the end
