"""What the gate lets begin, and how a run leaves: not before what is under way is recorded."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from agent_service.domain.activity import Activity
from agent_service.domain.events import AgentEvent, LimitReached, StepKind, StepStarted, Usage
from agent_service.domain.gate import Gate, Step
from agent_service.domain.ledger import Ask, Execute, Replay, Result, Suspend, SuspendedError, Verdict, tool_digest
from agent_service.domain.task import Limits
from agent_service.domain.tool import ToolAnswer
from meshkit.errors import Aborted, MeshError, ResourceExhausted, Unavailable

DIGEST = tool_digest("calculator", "{}")


@dataclass
class Scripted:
    """A ledger that answers what the test says, when the test says so."""

    answer: Callable[[Ask], Verdict | MeshError]
    asked: list[Ask] = field(default_factory=list)
    completed: list[str] = field(default_factory=list)
    open: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.open.set()

    async def begin(self, ask: Ask) -> Verdict:
        self.asked.append(ask)
        answer = self.answer(ask)
        await self.open.wait()
        if isinstance(answer, MeshError):
            raise answer
        return answer

    async def complete(self, step: str, result: Result | None, usage: Usage) -> None:
        self.completed.append(step)


def execute(ask: Ask) -> Verdict:
    return Execute(f"tool-{ask.occurrence}", f"run_1/tool-{ask.occurrence}")


def gate(ledger: Scripted, *, leaving: Callable[[], bool] = lambda: False) -> Gate:
    return Gate(ledger, Activity(Limits(), lambda: 0.0), lambda: 0.0, leaving=leaving)


async def begin(at: Gate) -> Step:
    return await at.begin(StepKind.TOOL, "calculator", DIGEST)


async def settle() -> None:
    """Let every task run as far as it gets."""
    for _ in range(20):
        await asyncio.sleep(0)


async def told(at: Gate) -> list[AgentEvent]:
    at.activity.close()
    return [event async for event in at.activity.events()]


async def test_the_same_request_is_another_step_each_time() -> None:
    ledger = Scripted(execute)
    at = gate(ledger)
    steps = [await begin(at), await begin(at)]
    await at.begin(StepKind.TOOL, "calculator", tool_digest("calculator", '{"a": 1}'))
    await at.begin(StepKind.MODEL, "calculator", DIGEST)
    assert [ask.occurrence for ask in ledger.asked] == [1, 2, 1, 1]
    assert [step.id for step in steps] == ["tool-1", "tool-2"]
    assert steps[1].idempotency_key == "run_1/tool-2"


async def test_a_replayed_step_says_so_and_has_what_it_brought() -> None:
    at = gate(Scripted(lambda _: Replay("tool-1", ToolAnswer("4"), cached=True)))
    step = await begin(at)
    assert step.recorded == ToolAnswer("4")
    assert await told(at) == [AgentEvent("tool-1", StepStarted(StepKind.TOOL, "calculator", True, True))]


async def test_a_suspended_run_leaves_only_when_what_is_under_way_is_recorded() -> None:
    ledger = Scripted(lambda ask: Suspend() if ask.occurrence == 2 else execute(ask))
    at = gate(ledger)
    first = await begin(at)
    second = asyncio.create_task(begin(at))
    await settle()
    third = asyncio.create_task(begin(at))
    await settle()
    assert not at.activity.failure.done()
    assert len(ledger.asked) == 2, "a run on its way out asks for nothing more"
    await first.complete(ToolAnswer("done"))
    assert not at.activity.failure.done(), "its end is not told yet"
    first.leave()
    first.leave()
    assert isinstance(at.activity.failure.result(), SuspendedError)
    assert ledger.completed == ["tool-1"]
    assert not second.done()
    assert not third.done()
    second.cancel()
    third.cancel()


async def test_a_step_that_the_ledger_lets_begin_while_another_suspends_is_done() -> None:
    """Else it would be STARTED for the ledger, and a person asked whether it happened."""
    ledger = Scripted(lambda ask: Suspend() if ask.occurrence == 2 else execute(ask))
    ledger.open.clear()
    at = gate(ledger)
    both = [asyncio.create_task(begin(at)) for _ in range(2)]
    await settle()
    ledger.open.set()
    await settle()
    step = both[0].result()
    assert not at.activity.failure.done()
    step.leave()
    assert isinstance(at.activity.failure.result(), SuspendedError)
    both[1].cancel()


async def test_a_draining_process_begins_nothing() -> None:
    ledger, leaving = Scripted(execute), False
    at = gate(ledger, leaving=lambda: leaving)
    step = await begin(at)
    leaving = True
    waiting = asyncio.create_task(begin(at))
    await settle()
    assert not at.activity.failure.done()
    step.leave()
    error = at.activity.failure.result()
    assert isinstance(error, Unavailable)
    assert error.reason == "DRAINING"
    assert len(ledger.asked) == 1
    waiting.cancel()


@pytest.mark.parametrize("at_begin", [True, False])
async def test_an_attempt_that_another_superseded_ends_at_once(at_begin: bool) -> None:
    superseded = Aborted("another attempt has begun", reason="ATTEMPT_SUPERSEDED")
    ledger = Scripted(lambda ask: superseded if ask.occurrence == 2 else execute(ask))
    at = gate(ledger)
    under_way = await begin(at)
    if at_begin:
        with pytest.raises(Aborted):
            await begin(at)
    else:

        async def refuse(step: str, result: Result | None, usage: Usage) -> None:
            raise superseded

        ledger.complete = refuse  # type: ignore[method-assign]
        with pytest.raises(Aborted):
            await under_way.complete(ToolAnswer("late"))
    assert at.activity.failure.result() is superseded, "at once: nothing that is under way counts any more"


async def test_a_limit_is_told_with_its_name_and_value() -> None:
    metadata = {"limit": "max_tool_calls", "value": "7"}
    at = gate(Scripted(lambda _: ResourceExhausted("enough", reason="LIMIT_REACHED", metadata=metadata)))
    with pytest.raises(ResourceExhausted) as caught:
        await begin(at)
    assert caught.value.metadata["limit"] == "max_tool_calls"
    assert await told(at) == [AgentEvent("", LimitReached("max_tool_calls", 7))]
    assert at.activity.failure.result() is caught.value


@pytest.mark.parametrize("while_asking", [True, False])
async def test_a_step_cancelled_as_it_begins_holds_no_run_back(while_asking: bool) -> None:
    """While the ledger is asked, and while the reader is so far behind that the step's start cannot be told."""
    ledger = Scripted(lambda ask: Suspend() if ask.occurrence == 2 else execute(ask))
    at = gate(ledger)
    if while_asking:
        ledger.open.clear()
    else:
        for number in range(256):
            await at.activity.emit(AgentEvent(f"tool-{number}", StepStarted(StepKind.TOOL, "x")))
    begun = asyncio.create_task(begin(at))
    await settle()
    assert not begun.done()
    begun.cancel()
    await settle()
    ledger.open.set()
    leaves = asyncio.create_task(begin(at))
    await settle()
    assert isinstance(at.activity.failure.result(), SuspendedError)
    leaves.cancel()
