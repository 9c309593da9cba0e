"""The gate between agents and people: what is approved, answered, interrupted, paused, and held."""

import asyncio
from datetime import timedelta

import pytest_asyncio

from orchestrator.domain.events import StateChange
from orchestrator.domain.ledger import Execute, Replay, Suspend
from orchestrator.domain.model import RunState
from orchestrator.domain.requests import Reply
from orchestrator.domain.specs import Approval, ToolPolicy
from orchestrator.domain.steps import Answer, InputKind, ToolOutcome, tool_digest
from tests.integration.orchestrator.conftest import Stores, replica
from tests.integration.orchestrator.gatekeeper import (
    ADA_CALLS,
    NO_USE,
    Ledger,
    asking,
    model,
    name,
    refused,
    tool,
)


@pytest_asyncio.fixture
async def ledger(stores: Stores) -> Ledger:
    return Ledger(stores)


async def test_a_tool_that_is_denied_is_not_called(ledger: Ledger) -> None:
    attempt = await ledger.run(tool_policies={"search": ToolPolicy(Approval.DENY)})
    told = await ledger.gate.begin(attempt, tool())
    assert isinstance(told, Replay)
    assert isinstance(told.outcome, ToolOutcome)
    assert told.outcome.is_error
    assert (await ledger.look(attempt)).usage.tool_calls == 0
    assert await ledger.gate.begin(attempt, tool()) == told


async def test_an_approval_lets_one_call_happen(ledger: Ledger) -> None:
    attempt = await ledger.run(**asking())
    assert await ledger.gate.begin(attempt, tool()) == Suspend()
    request = await ledger.asked(attempt)
    assert (request.kind, request.tool, request.arguments) == (InputKind.APPROVAL, "search", '{"a": 1}')
    assert request.arguments_digest == tool_digest("search", '{"a": 1}').hex()
    assert (await ledger.look(attempt)).state is RunState.WAITING
    kinds = [event.WhichOneof("event") for event in await ledger.events(attempt)]
    assert kinds == ["state_changed", "state_changed", "input_requested", "state_changed"]

    waiting = asyncio.create_task(Ledger(ledger.stores, hold=10).gate.begin(attempt, tool()))
    await ledger.answer(attempt, Reply(Answer.APPROVED, digest=request.arguments_digest))
    told = await asyncio.wait_for(waiting, 5)
    assert told == Execute("tool-1", f"{attempt.run}/tool-1")
    assert (await ledger.look(attempt)).state is RunState.RUNNING
    # The same call once more, and another one, are other questions.
    await ledger.gate.complete(attempt, name("tool-1"), ToolOutcome("found"), NO_USE)
    for other in (tool(occurrence=2), tool('{"a": 2}')):
        assert await ledger.gate.begin(attempt, other) == Suspend()
    assert len(await ledger.requests.open(await ledger.look(attempt))) == 2


async def test_an_edited_call_is_carried_out_as_edited(ledger: Ledger) -> None:
    attempt = await ledger.run(**asking())
    await ledger.gate.begin(attempt, tool())
    digest = (await ledger.asked(attempt)).arguments_digest
    await ledger.answer(attempt, Reply(Answer.EDITED, text='{"a": 7}', digest=digest))
    told = await ledger.gate.begin(attempt, tool())
    assert told == Execute("tool-1", f"{attempt.run}/tool-1", '{"a": 7}')
    assert await ledger.gate.begin(attempt, tool()) == told
    second = await ledger.again(attempt)
    assert await ledger.gate.begin(second, tool()) == Suspend()
    request = await ledger.asked(second)
    assert (request.kind, request.arguments) == (InputKind.UNCERTAIN, '{"a": 7}')
    await ledger.answer(second, Reply(Answer.APPROVED))
    assert await ledger.gate.begin(second, tool()) == told


async def test_a_denied_call_is_told_with_its_reason(ledger: Ledger) -> None:
    attempt = await ledger.run(**asking())
    await ledger.gate.begin(attempt, tool())
    await ledger.answer(attempt, Reply(Answer.DENIED, text="too dear"))
    denied = Replay("tool-1", ToolOutcome("A person did not allow this call: too dear", is_error=True))
    assert await ledger.gate.begin(attempt, tool()) == denied
    assert await ledger.gate.begin(await ledger.again(attempt), tool()) == denied


async def test_nobody_answered(ledger: Ledger) -> None:
    attempt = await ledger.run(**asking(timedelta(microseconds=1)))
    await ledger.gate.begin(attempt, tool())
    while await ledger.requests.expire():
        pass
    told = await ledger.gate.begin(attempt, tool())
    assert isinstance(told, Replay)
    assert told.outcome == ToolOutcome("Nobody answered in time, so this did not happen.", is_error=True)


async def test_the_user_is_asked(ledger: Ledger) -> None:
    attempt, ask = await ledger.run(), tool('{"question": "Which one?"}', called="ask_user")
    assert await ledger.gate.begin(attempt, ask) == Suspend()
    request = await ledger.asked(attempt)
    assert (request.kind, request.question) == (InputKind.QUESTION, "Which one?")
    await ledger.answer(attempt, Reply(Answer.TEXT, text="The red one"))
    assert await ledger.gate.begin(attempt, ask) == Replay("tool-1", ToolOutcome("The red one"))


async def test_a_question_may_hold_any_character(ledger: Ledger) -> None:
    attempt = await ledger.run()
    await ledger.gate.begin(attempt, tool('{"question": "\\u0000?"}', called="ask_user"))
    assert (await ledger.asked(attempt)).question == "\N{REPLACEMENT CHARACTER}?"


async def test_a_repeatable_call_is_done_again_under_the_same_key(ledger: Ledger) -> None:
    first = await ledger.run()
    told = await ledger.gate.begin(first, tool(repeatable=True))
    assert await ledger.gate.begin(await ledger.again(first), tool(repeatable=True)) == told


async def test_an_interrupted_call_is_a_persons_to_judge(ledger: Ledger) -> None:
    first = await ledger.run()
    told = await ledger.gate.begin(first, tool())
    second = await ledger.again(first)
    assert await ledger.gate.begin(second, tool()) == Suspend()
    assert (await ledger.asked(second)).kind is InputKind.UNCERTAIN
    await ledger.answer(second, Reply(Answer.APPROVED))
    assert await ledger.gate.begin(second, tool()) == told
    third = await ledger.again(second)  # the word for one call is none for another
    assert await ledger.gate.begin(third, tool()) == Suspend()
    await ledger.answer(third, Reply(Answer.TEXT, text="it was sent"))
    assert await ledger.gate.begin(third, tool()) == Replay("tool-1", ToolOutcome("it was sent"))


async def test_an_approved_repeatable_call_needs_no_second_word(ledger: Ledger) -> None:
    first, ask = await ledger.run(**asking()), tool(repeatable=True)
    await ledger.gate.begin(first, ask)
    digest = (await ledger.asked(first)).arguments_digest
    await ledger.answer(first, Reply(Answer.EDITED, text='{"a": 9}', digest=digest))
    told = await ledger.gate.begin(first, ask)
    assert await ledger.gate.begin(await ledger.again(first), ask) == told


async def test_a_paused_run_begins_nothing_and_replays(ledger: Ledger) -> None:
    attempt = await ledger.run()
    await ledger.done(attempt, model(), "answer")
    await ledger.pausing.pause(ADA_CALLS, attempt.run)
    assert isinstance(await ledger.gate.begin(attempt, model()), Replay)
    assert await ledger.gate.begin(attempt, tool()) == Suspend()
    waiting = asyncio.create_task(Ledger(ledger.stores, hold=10).gate.begin(attempt, tool()))
    await ledger.pausing.resume(ADA_CALLS, attempt.run)
    assert isinstance(await asyncio.wait_for(waiting, 5), Execute)


async def test_one_step_at_a_time(ledger: Ledger) -> None:
    attempt = await ledger.run()
    await ledger.pausing.step(ADA_CALLS, attempt.run)
    assert (await ledger.look(attempt)).state is RunState.RUNNING
    answers = await asyncio.gather(*(ledger.gate.begin(attempt, tool(occurrence=n)) for n in (1, 2, 3)))
    assert sorted(type(answer).__name__ for answer in answers) == ["Execute", "Suspend", "Suspend"]
    assert (await ledger.look(attempt)).state is RunState.PAUSED
    told = await asyncio.gather(
        ledger.gate.begin(attempt, tool(occurrence=4)), ledger.pausing.step(ADA_CALLS, attempt.run)
    )
    assert isinstance(told[0], Execute)


async def test_a_held_step_goes_on_when_another_replica_says_so(
    ledger: Ledger, postgres_url: str, redis_url: str
) -> None:
    attempt = await ledger.run()
    await ledger.pausing.pause(ADA_CALLS, attempt.run)
    waiting = asyncio.create_task(Ledger(ledger.stores, hold=20).gate.begin(attempt, tool()))
    async with replica(postgres_url, redis_url) as other:
        await Ledger(other).pausing.resume(ADA_CALLS, attempt.run)
        assert isinstance(await asyncio.wait_for(waiting, 10), Execute)


async def test_an_approved_call_of_a_paused_run_is_held(ledger: Ledger) -> None:
    attempt = await ledger.run(**asking())
    await ledger.gate.begin(attempt, tool())
    digest = (await ledger.asked(attempt)).arguments_digest
    await ledger.pausing.pause(ADA_CALLS, attempt.run)
    run = await ledger.answer(attempt, Reply(Answer.APPROVED, digest=digest))
    assert run.state is RunState.PAUSED
    assert await ledger.gate.begin(attempt, tool()) == Suspend()
    await ledger.pausing.resume(ADA_CALLS, attempt.run)
    assert isinstance(await ledger.gate.begin(attempt, tool()), Execute)


async def test_an_agent_of_a_run_that_rests_is_refused(ledger: Ledger) -> None:
    attempt = await ledger.run()
    await ledger.pausing.pause(ADA_CALLS, attempt.run)
    await ledger.stores.runs.transition(attempt.run, lambda run: StateChange(run.state, run.attempt, suspended=True))
    assert (await refused(attempt, ledger, model())).reason == "ATTEMPT_SUPERSEDED"
    await ledger.pausing.resume(ADA_CALLS, attempt.run)
    assert ledger.engine.started == [(attempt.run, 2)]
    assert (await refused(attempt, ledger, model())).reason == "ATTEMPT_SUPERSEDED"
