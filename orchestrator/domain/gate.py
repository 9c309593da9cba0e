"""The gate: every effect of an agent asks here first.

    replay? ─► limits? ─► allowed? ─► a person's word? ─► paused? ─► cached? ─► do it

Owns the decision and its order, and how long a step is held. What is decided takes effect only if nothing that it rests
on changed in between; that is the store's.
"""

import asyncio
import json
from collections.abc import Sequence

from meshkit.errors import Aborted, InvalidArgument
from orchestrator.domain.delegation import delegation, of_child
from orchestrator.domain.events import StateChange
from orchestrator.domain.feed import Feed
from orchestrator.domain.ledger import (
    Ask,
    Attempt,
    Decision,
    Delegate,
    Do,
    Execute,
    Finish,
    Held,
    Hold,
    LedgerStore,
    Look,
    Recorded,
    Replay,
    StepAsk,
    StepName,
    Suspend,
    Verdict,
)
from orchestrator.domain.limits import check_limits
from orchestrator.domain.model import Run, RunState, Usage
from orchestrator.domain.specs import Approval, ToolPolicy
from orchestrator.domain.steps import (
    ASK_USER,
    Answer,
    InputKind,
    InputRequest,
    Outcome,
    Step,
    StepKind,
    StepState,
    ToolOutcome,
    tool_digest,
)
from orchestrator.domain.storage import RunStore

__all__ = ["HOLD_SECONDS", "Gate", "decide", "executing"]

HOLD_SECONDS = 5.0
"""How long a step is held before its agent is told to give up its memory: most pauses of a person at work are longer,
and most of those of a program are shorter."""


class Gate:
    """The verbs of agents on the ledger."""

    def __init__(self, ledger: LedgerStore, runs: RunStore, feed: Feed, *, hold: float = HOLD_SECONDS) -> None:
        self._ledger, self._runs, self._feed, self._hold = ledger, runs, feed, hold

    async def begin(self, attempt: Attempt, ask: StepAsk) -> Verdict:
        """Say what is to be done about a step; wait some seconds if that is nothing for now.

        Raises Aborted (ATTEMPT_SUPERSEDED), ResourceExhausted (LIMIT_REACHED), InvalidArgument.
        """
        for field, text in (("name", ask.name), ("agent", ask.agent), ("arguments", ask.arguments)):
            if "\0" in text:  # no database keeps it
                raise InvalidArgument(f"{field} holds a NUL character", field=field)
        if ask.kind is StepKind.TOOL and ask.digest != tool_digest(ask.name, ask.arguments):
            raise InvalidArgument("digest is not that of the tool's name and arguments", field="digest")
        verdict = await self._look(attempt, ask)
        if not isinstance(verdict, Held):
            return verdict
        loop = asyncio.get_running_loop()
        give_up = loop.time() + self._hold
        with self._feed.watch(attempt.tenant, attempt.run) as watch:
            while True:
                verdict = await self._look(attempt, ask)
                if not isinstance(verdict, Held):
                    return verdict
                # Any event may be the one: whatever lets a run go on is told.
                if not await watch.beyond(verdict.sequence, give_up - loop.time()):
                    return Suspend()

    async def recorded(self, attempt: Attempt, after: StepName) -> Sequence[Recorded]:
        """Return what the run has done after that step, as much as goes into one answer."""
        return await self._ledger.recorded(attempt, after.number)

    async def complete(self, attempt: Attempt, step: StepName, outcome: Outcome | None, usage: Usage) -> None:
        """Record what a step brought; None: it failed. Raises Aborted (ATTEMPT_SUPERSEDED), NotFound."""
        if outcome is not None and isinstance(outcome, ToolOutcome) != (step.kind is StepKind.TOOL):
            raise InvalidArgument("result is not one of this kind of step", field="result")
        await self._ledger.complete(attempt, step, outcome, usage)

    async def _look(self, attempt: Attempt, ask: StepAsk) -> Execute | Replay | Held:
        while True:
            verdict = await self._ledger.begin(attempt, ask, lambda look: decide(attempt.number, ask, look))
            if not (isinstance(verdict, Held) and verdict.paused and verdict.state is RunState.RUNNING):
                return verdict
            resting = await self._runs.transition(attempt.run, lambda run: _rest(run, attempt.number))
            if resting is not None:
                return Held(True, resting.state, resting.last_sequence)


def decide(attempt: int, ask: StepAsk, look: Look) -> Decision:
    """Say what is to be done about a step, as things are.

    Raises Aborted (ATTEMPT_SUPERSEDED), ResourceExhausted (LIMIT_REACHED).
    """
    run, step = look.run, look.step
    if run.attempt != attempt or run.state.terminal or run.state is RunState.QUEUED or run.suspended:
        raise superseded()
    if step is not None and step.state is StepState.COMPLETED and step.outcome is not None:
        return Replay(step.id, step.outcome, step.cached, look.said)
    if step is not None and step.state is StepState.STARTED and step.attempt == attempt:
        return executing(run, ask, step, look)  # the answer to the same question was lost
    if look.child is not None:
        return of_child(look.child)
    check_limits(run, ask.kind)
    if look.root is not None:
        check_limits(look.root, ask.kind)
    decision = _of_model(look) if ask.kind is StepKind.MODEL else _of_tool(ask, look)
    if isinstance(decision, Do) and ask.kind is StepKind.TOOL and ask.name in run.spec.asking:
        decision = delegation(run, ask.name, look.peer, decision)
    begins = isinstance(decision, Do | Delegate) or (isinstance(decision, Finish) and decision.stepped)
    if begins and run.paused and not run.step_allowed:
        return Hold(paused=True)
    return decision


def executing(run: Run, ask: StepAsk, step: Step, look: Look) -> Execute:
    """Return the word to do a step that is begun: the same every time that it is given."""
    edited = step.arguments if step.arguments != ask.arguments else ""
    return Execute(step.id, f"{run.id}/{step.id}", edited, look.said)


def superseded() -> Aborted:
    """Return the answer to an attempt that is not at work."""
    return Aborted("another attempt of the run began, or the run ended or rests", reason="ATTEMPT_SUPERSEDED")


def _of_model(look: Look) -> Decision:
    return Do("") if look.cached is None else Finish(look.cached, cached=True, stepped=True)


def _of_tool(ask: StepAsk, look: Look) -> Decision:
    request, step = look.request, look.step
    policy = look.run.spec.tool_policies.get(ask.name, ToolPolicy())
    if request is not None and request.answer is None:
        return Hold(paused=False)
    if policy.approval is Approval.DENY:
        return Finish(ToolOutcome(f"the tool {ask.name} is not allowed here", is_error=True))
    if request is not None and request.answer is not None and not request.used:
        return _answered(request, request.answer, ask, step)
    if ask.name == ASK_USER:
        return Ask(InputKind.QUESTION, policy.time_limit, _question(ask.arguments))
    if step is not None and step.state is StepState.STARTED and not ask.repeatable:
        return Ask(InputKind.UNCERTAIN, policy.time_limit)
    if step is not None and request is not None and ask.repeatable:
        return Do(step.arguments)  # the same call once more, under the same approval
    if policy.approval is Approval.ASK:
        return Ask(InputKind.APPROVAL, policy.time_limit)
    return Do(ask.arguments)


def _answered(request: InputRequest, answer: Answer, ask: StepAsk, step: Step | None) -> Decision:
    """Say what a person's answer means for the step; it counts once."""
    match answer:
        case Answer.APPROVED:
            # An interrupted call is done again as it was, also if it had been edited.
            again = request.kind is InputKind.UNCERTAIN and step is not None
            return Do(step.arguments if again and step is not None else ask.arguments, request.id)
        case Answer.EDITED:
            return Do(request.answer_text, request.id)
        case Answer.TEXT:
            return Finish(ToolOutcome(request.answer_text), request=request.id)
        case Answer.DENIED if request.kind is InputKind.QUESTION:
            said = "The user did not answer"
        case Answer.DENIED if request.kind is InputKind.UNCERTAIN:
            said = "The call was interrupted, and is taken as failed"
        case Answer.DENIED:
            said = "A person did not allow this call"
        case Answer.EXPIRED:
            said = "Nobody answered in time, so this did not happen"
            if request.kind is InputKind.UNCERTAIN:
                said = "The call was interrupted, and nobody could say in time whether it had its effect"
    reason = f": {request.answer_text}" if request.answer_text else "."
    return Finish(ToolOutcome(f"{said}{reason}", is_error=True), request=request.id)


def _question(arguments: str) -> str:
    """Return what the agent asks: the argument `question`, or all of what it wrote."""
    try:
        question = json.loads(arguments)["question"]
    except (ValueError, RecursionError, LookupError, TypeError):
        return arguments
    return question.replace("\0", "\N{REPLACEMENT CHARACTER}") if isinstance(question, str) else arguments


def _rest(run: Run, attempt: int) -> StateChange | None:
    """Let a run rest whose next step is held because it is paused."""
    resting = run.paused and not run.step_allowed and run.state is RunState.RUNNING and run.attempt == attempt
    return StateChange(RunState.PAUSED, attempt) if resting else None
