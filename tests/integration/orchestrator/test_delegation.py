"""Agents that ask agents: a run for each question, one budget, and nobody who waits in a process."""

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio

from meshkit.errors import NotFound
from meshkit.ids import new_id
from orchestrator.convert.events import ProtoEvents
from orchestrator.domain.events import StateChange
from orchestrator.domain.ledger import Attempt, Replay, StepAsk, Suspend
from orchestrator.domain.model import Failure, OnBusy, Run, RunState, Session, Usage
from orchestrator.domain.requests import Reply
from orchestrator.domain.specs import Approval, Limits, ToolPolicy
from orchestrator.domain.steps import Answer, ToolOutcome
from orchestrator.domain.storage import FindAgent, NewRun, RequestKey, RunFilter
from orchestrator.domain.viewing import Viewer
from orchestrator.stores.admission import insert_run
from tests.integration.orchestrator.conftest import ADA, TENANT, Stores
from tests.integration.orchestrator.desk import Desk, fork_of
from tests.integration.orchestrator.gatekeeper import ADA_CALLS, Ledger, model, refused, tool

ANALYSIS = ("analysis",)


@pytest_asyncio.fixture
async def ledger(stores: Stores) -> Ledger:
    return Ledger(stores)


def question(task: Any = "count the sheep", occurrence: int = 1) -> StepAsk:
    return tool(json.dumps({"task": task}), occurrence, "ask_analysis", repeatable=True)


async def asked(ledger: Ledger, attempt: Attempt) -> Run:
    """Return the run that the attempt's run has asked for last."""
    found = await ledger.stores.runs.list(ADA, RunFilter(parent=attempt.run), None, 10)
    return found[0]


async def asking(ledger: Ledger, **spec: Any) -> tuple[Attempt, Run]:
    """Return an attempt that has asked, and the run that it asked for."""
    attempt = await ledger.run(**{"agents": ANALYSIS, **spec})
    assert isinstance(await ledger.gate.begin(attempt, question()), Suspend)
    return attempt, await asked(ledger, attempt)


async def end(ledger: Ledger, run: Run, state: RunState = RunState.SUCCEEDED, **change: Any) -> None:
    await ledger.stores.runs.transition(run.id, lambda now: StateChange(state, now.attempt, **change))


async def rest(ledger: Ledger, attempt: Attempt) -> None:
    """Mark the run as one on which nothing works, as its executor does once its agent was suspended."""
    await ledger.stores.runs.transition(attempt.run, lambda run: StateChange(run.state, run.attempt, suspended=True))


async def test_a_question_is_a_run_of_its_own_and_its_answer_the_tools(ledger: Ledger) -> None:
    attempt, child = await asking(ledger)
    parent = await ledger.look(attempt)
    assert parent.state is RunState.WAITING
    assert (child.agent, child.input, child.state) == ("analysis", "count the sheep", RunState.QUEUED)
    assert (child.session, child.user, child.depth) == (parent.session, parent.user, 2)
    assert (child.parent, child.root, child.parent_step) == (parent.id, parent.id, 1)
    (told,) = [event for event in await ledger.events(attempt) if event.HasField("delegated")]
    assert (told.delegated.run, told.delegated.agent, told.step) == (child.id, "analysis", "tool-1")
    await rest(ledger, attempt)
    await end(ledger, child, output="There are 7.")
    await ledger.delegations.look()
    again = await ledger.look(attempt)
    assert (again.state, again.leg) == (RunState.QUEUED, 2)
    assert (attempt.run, 2) in ledger.engine.started
    second = await ledger.again(attempt)
    assert await ledger.gate.begin(second, question()) == Replay("tool-1", ToolOutcome("There are 7."))
    assert await ledger.gate.begin(second, question()) == Replay("tool-1", ToolOutcome("There are 7."))


async def test_who_asks_is_answered_at_once_while_it_is_held(ledger: Ledger) -> None:
    ledger.gate._hold = 10
    attempt = await ledger.run(agents=ANALYSIS)
    held = asyncio.create_task(ledger.gate.begin(attempt, question()))
    while not (found := await ledger.stores.runs.list(ADA, RunFilter(parent=attempt.run), None, 10)):  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    await end(ledger, found[0], output="7")
    await ledger.delegations.look()
    assert await asyncio.wait_for(held, 5) == Replay("tool-1", ToolOutcome("7"))
    assert (await ledger.look(attempt)).state is RunState.RUNNING


async def test_nobody_is_asked_twice_whatever_dies(ledger: Ledger) -> None:
    attempt, child = await asking(ledger)
    assert isinstance(await ledger.gate.begin(attempt, question()), Suspend), "the answer was lost"
    both = await asyncio.gather(*(Ledger(ledger.stores).gate.begin(attempt, question()) for _ in range(3)))
    assert all(isinstance(each, Suspend) for each in both)
    assert len(await ledger.stores.runs.list(ADA, RunFilter(parent=attempt.run), None, 10)) == 1
    await end(ledger, child, RunState.FAILED, failure=Failure("MODEL_FAILED", "secret words", "model"))
    await ledger.delegations.look()
    answer = await ledger.gate.begin(attempt, question())
    assert answer == Replay("tool-1", ToolOutcome("The agent analysis failed: MODEL_FAILED.", is_error=True))


async def test_two_at_once_are_both_waited_for(ledger: Ledger) -> None:
    attempt, first = await asking(ledger)
    assert isinstance(await ledger.gate.begin(attempt, question("and the goats")), Suspend)
    second = await asked(ledger, attempt)
    assert second.id != first.id
    await end(ledger, second, output="3 goats")
    await ledger.delegations.look()
    assert (await ledger.look(attempt)).state is RunState.WAITING
    await end(ledger, first, output="7 sheep")
    await ledger.delegations.look()
    assert (await ledger.look(attempt)).state is RunState.RUNNING
    assert await ledger.gate.begin(attempt, question("and the goats")) == Replay("tool-2", ToolOutcome("3 goats"))


async def test_a_person_may_be_asked_first_and_change_the_question(ledger: Ledger) -> None:
    attempt = await ledger.run(agents=ANALYSIS, tool_policies={"ask_analysis": ToolPolicy(Approval.ASK)})
    assert isinstance(await ledger.gate.begin(attempt, question()), Suspend)
    assert not await ledger.stores.runs.list(ADA, RunFilter(parent=attempt.run), None, 10)
    request = await ledger.asked(attempt)
    edited = '{"task": "count the wolves"}'
    await ledger.answer(attempt, Reply(Answer.EDITED, text=edited, digest=request.arguments_digest))
    assert isinstance(await ledger.gate.begin(attempt, question()), Suspend)
    child = await asked(ledger, attempt)
    assert child.input == "count the wolves"
    await end(ledger, child, output="none")
    await ledger.delegations.look()
    assert await ledger.gate.begin(attempt, question()) == Replay("tool-1", ToolOutcome("none"))


async def test_a_wrong_question_is_an_answer_to_the_model(ledger: Ledger) -> None:
    attempt = await ledger.run(agents=("analysis", "nobody-there"))
    for arguments in ("{}", "no json", '{"task": 7}', '{"task": " "}', "[]"):
        told = await ledger.gate.begin(attempt, tool(arguments, called="ask_analysis", repeatable=True))
        assert isinstance(told, Replay)
        assert isinstance(told.outcome, ToolOutcome)
        assert told.outcome.is_error
    told = await ledger.gate.begin(attempt, tool('{"task": "x"}', called="ask_nobody_there", repeatable=True))
    assert isinstance(told, Replay)
    assert "nobody-there" in str(told.outcome)
    assert not await ledger.stores.runs.list(ADA, RunFilter(parent=attempt.run), None, 10)


async def test_depth_has_an_end_that_is_named(ledger: Ledger) -> None:
    attempt = await ledger.run(agents=ANALYSIS, limits=Limits(max_depth=1))
    error = await refused(attempt, ledger, question())
    assert (error.reason, error.metadata["limit"]) == ("LIMIT_REACHED", "max_depth")


async def test_the_whole_tree_has_one_budget(ledger: Ledger) -> None:
    limits = Limits(max_model_calls=4, max_tokens=100, timeout=timedelta(minutes=3))
    attempt = await ledger.run(agents=ANALYSIS, limits=limits)
    await ledger.done(attempt, model(), "{}", Usage(20, 10))
    for task in ("one", "two"):
        await ledger.gate.begin(attempt, question(task))
    two, one = await ledger.stores.runs.list(ADA, RunFilter(parent=attempt.run), None, 10)
    assert (one.spec.limits.max_model_calls, one.spec.limits.max_tokens) == (3, 70)
    assert timedelta(minutes=2) < one.spec.limits.timeout <= timedelta(minutes=3)
    children = [Attempt(TENANT, run.id, (await ledger.stores.begin(run.id)).attempt) for run in (one, two)]
    await ledger.done(children[0], model("a"), "{}", Usage(30, 10))
    await ledger.done(children[1], model("b"), "{}", Usage(30, 0))
    for child in children:  # each is within its own limits; together they have used all
        error = await refused(child, ledger, model("c"))
        assert (error.reason, error.metadata["limit"]) == ("LIMIT_REACHED", "max_tokens")
    for run in (one, two):
        await end(ledger, run, output="done")
    assert (await ledger.look(attempt)).usage == Usage(80, 20, 3)


async def test_the_time_for_which_others_work_is_used_up_and_counts_once(ledger: Ledger) -> None:
    attempt, child = await asking(ledger, limits=Limits(timeout=timedelta(minutes=10)))
    await ledger.gate.begin(attempt, question("and the goats"))
    pool = ledger.stores.pool
    await pool.execute("update run set idle_since = now() - interval '8 minutes' where id = $1", attempt.run)
    for run, idle in ((child.id, 1), ((await asked(ledger, attempt)).id, 0)):
        await ledger.stores.begin(run)
        await pool.execute(
            "update run set start_time = now() - interval '5 minutes', idle = make_interval(mins => $2) where id = $1",
            run, idle,
        )  # fmt: skip
    await end(ledger, child, output="7")
    first = (await ledger.look(attempt)).idle_since
    assert first is not None
    assert abs(datetime.now(UTC) - first - timedelta(minutes=4)) < timedelta(seconds=10), "four of the eight were work"
    await end(ledger, await asked(ledger, attempt), output="3")
    await ledger.delegations.look()
    assert (await ledger.look(attempt)).idle < timedelta(seconds=10), "never more than the time that has passed"


@pytest.mark.parametrize("on_busy", [OnBusy.INTERRUPT, OnBusy.ROLLBACK])
async def test_another_message_may_displace_the_whole_tree(ledger: Ledger, on_busy: OnBusy) -> None:
    attempt, child = await asking(ledger)
    second = await ledger.stores.begin(child.id)
    await ledger.done(Attempt(TENANT, child.id, second.attempt), model(), "{}", Usage(3, 4))
    await ledger.gate.begin(attempt, question("and the goats"))
    ended = await asked(ledger, attempt)
    await end(ledger, ended, output="3")
    parent = await ledger.look(attempt)

    async def make(_home: Session | None, _find: FindAgent) -> NewRun:
        return NewRun(replace(parent, id=new_id("run"), state=RunState.QUEUED, attempt=0, usage=Usage()), None)

    key = RequestKey(TENANT, "ada", "CreateRun", new_id("req"), b"")
    await ledger.stores.runs.create(key, ADA, parent.session, make, on_busy)
    after = [await ledger.stores.runs.load(run) for run in (parent.id, child.id, ended.id)]
    if on_busy is OnBusy.ROLLBACK:
        assert after == [None, None, None]
        return
    assert [run.state for run in after if run] == [RunState.CANCELLED, RunState.CANCELLED, RunState.SUCCEEDED]
    assert after[0] is not None
    assert after[0].usage == Usage(3, 4, 1)


async def test_a_fork_knows_the_answers_and_asks_anew_what_was_not_answered(ledger: Ledger, stores: Stores) -> None:
    attempt, child = await asking(ledger)
    await end(ledger, child, output="7")
    assert isinstance(await ledger.gate.begin(attempt, question()), Replay)
    await ledger.gate.begin(attempt, question("and the goats"))
    fork = await Desk(stores).forking.fork(ADA_CALLS, fork_of(await ledger.look(attempt), "tool-1"))
    forked = await ledger.again(Attempt(TENANT, fork.id, 0))
    assert await ledger.gate.begin(forked, question()) == Replay("tool-1", ToolOutcome("7"))
    assert isinstance(await ledger.gate.begin(forked, question("and the goats")), Suspend)
    assert (await asked(ledger, forked)).session == fork.session != child.session


async def test_runs_that_nobody_waits_for_end(ledger: Ledger) -> None:
    attempt, child = await asking(ledger)
    await ledger.stores.begin(child.id)
    await end(ledger, await ledger.look(attempt), RunState.CANCELLED)
    await ledger.delegations.look()
    after = await ledger.stores.runs.load(child.id)
    assert after is not None
    assert after.state is RunState.CANCELLED


async def test_a_pause_of_the_one_who_asks_holds_it_and_not_the_other(ledger: Ledger) -> None:
    attempt, child = await asking(ledger)
    await ledger.pausing.pause(ADA_CALLS, attempt.run)
    await end(ledger, child, output="7")
    await ledger.delegations.look()
    assert (await ledger.look(attempt)).state is RunState.PAUSED
    assert await ledger.gate.begin(attempt, question()) == Replay("tool-1", ToolOutcome("7"))
    assert isinstance(await ledger.gate.begin(attempt, model()), Suspend)


async def test_what_agents_ask_each_other_is_no_talk_of_the_session(ledger: Ledger) -> None:
    attempt, child = await asking(ledger)
    await end(ledger, child, output="7")
    runs = ledger.stores.runs
    parent = await ledger.look(attempt)
    assert [run.id for run in await runs.list(ADA, RunFilter(session=parent.session), None, 10)] == [parent.id]
    assert not await runs.history(parent.session, "run_z", 10)
    messages = await ledger.stores.sessions.messages(parent.session, None, 10)
    assert [message.run for _, message in messages] == [parent.id]


async def test_the_next_message_waits_for_the_one_who_asked(ledger: Ledger) -> None:
    """The end of what an agent asked for is not the end of the session's run."""
    attempt, child = await asking(ledger)
    parent = await ledger.look(attempt)
    waiting = replace(parent, id="run_waiting", waits=True, state=RunState.QUEUED, attempt=0, last_sequence=1)
    async with ledger.stores.pool.acquire() as connection:
        assert await insert_run(connection, ProtoEvents(), waiting)
    await end(ledger, child, output="7")
    after = await ledger.stores.runs.load("run_waiting")
    assert after is not None
    assert after.waits


async def test_only_its_user_sees_what_an_agent_asked_for(ledger: Ledger) -> None:
    attempt, child = await asking(ledger)
    for stranger in (Viewer("other", "ada"), Viewer(TENANT, "bob")):
        assert not await ledger.stores.runs.list(stranger, RunFilter(parent=attempt.run), None, 10)
        with pytest.raises(NotFound):
            await ledger.stores.runs.get(stranger, child.id)
