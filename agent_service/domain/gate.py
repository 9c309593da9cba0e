"""The gate of one attempt: every model call and tool call begins here, and is recorded here before it is told as done.

    gateway, toolbox ─► begin ─► ledger ─► Step (to do, or done before) ─► complete ─► finish

Owns the counting of occurrences and how a run leaves: told to suspend, or with its process draining, it begins nothing
more, lets what is under way be recorded, and only then ends.
"""

import asyncio
from collections import Counter
from collections.abc import Callable

from agent_service.domain.activity import Activity
from agent_service.domain.events import (
    AgentEvent,
    Event,
    HandedOff,
    StepFinished,
    StepKind,
    StepRestarted,
    StepStarted,
    Usage,
)
from agent_service.domain.ledger import Ask, Execute, Ledger, Replay, Result, Steering, Suspend, SuspendedError
from meshkit.errors import MeshError, Unavailable

__all__ = ["Gate", "Step"]

_NOTHING = Usage()


class Gate:
    """Lets steps begin."""

    def __init__(
        self,
        ledger: Ledger,
        activity: Activity,
        clock: Callable[[], float],
        *,
        leaving: Callable[[], bool] = lambda: False,
    ) -> None:
        """`leaving` tells whether the process drains: another one then goes on with the run."""
        self.ledger, self.activity = ledger, activity
        self._clock, self._leaving = clock, leaving
        self._asked: Counter[tuple[StepKind, bytes]] = Counter()
        self._speaking = ""
        self._under_way = 0
        self._exit: Exception | None = None

    async def begin(
        self,
        kind: StepKind,
        name: str,
        digest: bytes,
        *,
        speaker: str = "",
        arguments: str = "",
        repeatable: bool = True,
    ) -> "Step":
        """Begin a step of the speaker.

        Raises a MeshError, which ends the run; never returns once the run is on its way out.
        """
        self._asked[kind, digest] += 1
        ask = Ask(kind, name, digest, self._asked[kind, digest], speaker, arguments, repeatable)
        if self._leaving():
            return await self._leave(Unavailable("the process is shutting down", reason="DRAINING", retry_after=0.0))
        if self._exit is not None:
            return await self._leave(self._exit)
        self._under_way += 1  # from here on, so that nobody leaves while the ledger says EXECUTE
        try:
            verdict = await self._ask(ask)
        except BaseException:
            self.ended()
            raise
        if isinstance(verdict, Suspend):
            self.ended()
            return await self._leave(SuspendedError())
        step = Step(self, kind, speaker, verdict, self._clock)
        cached = isinstance(verdict, Replay) and verdict.cached
        try:
            await step.emit(StepStarted(kind, name, replayed=step.recorded is not None, cached=cached))
            if kind is StepKind.MODEL and speaker != self._speaking:
                # Said by the gate, which sees it whatever the framework calls it: selection, hand-off, delegation.
                self._speaking = speaker
                await step.emit(HandedOff(speaker))
        except BaseException:
            step.leave()  # cancelled while the reader is behind: nobody else knows of the step
            raise
        return step

    def ended(self) -> None:
        """Note that a step is no longer under way; the last one to end lets a run that is leaving go."""
        self._under_way -= 1
        if self._exit is not None and not self._under_way:
            self.activity.fail(self._exit)

    async def _ask(self, ask: Ask) -> Execute | Replay | Suspend:
        try:
            return await self.ledger.begin(ask)
        except MeshError as error:
            if error.reason == "LIMIT_REACHED":
                limit, value = error.metadata.get("limit", ""), error.metadata.get("value", "")
                raise self.activity.reach(limit, int(value) if value.isdecimal() else 0) from error
            self.activity.fail(error)
            raise

    async def _leave(self, exit_: Exception) -> "Step":
        """Begin nothing more, and return nothing: the framework is cancelled here when nothing is under way."""
        self._exit = self._exit or exit_
        if not self._under_way:
            self.activity.fail(self._exit)
        never: asyncio.Future[Step] = asyncio.get_running_loop().create_future()
        return await never


class Step:
    """One step of a run: a model call or a tool call."""

    def __init__(
        self, gate: Gate, kind: StepKind, speaker: str, verdict: Execute | Replay, clock: Callable[[], float]
    ) -> None:
        self._gate, self._kind, self._speaker, self._clock = gate, kind, speaker, clock
        self._started = clock()
        self._open = True
        self.id = verdict.step
        self.recorded: Result | None = verdict.result if isinstance(verdict, Replay) else None
        """What it brought when it was done before; None: it is to be done now."""
        self.arguments = verdict.arguments if isinstance(verdict, Execute) else ""
        """What a person made of a tool's arguments; empty: as asked."""
        self.idempotency_key = verdict.idempotency_key if isinstance(verdict, Execute) else ""
        """The same for every try of the step."""
        self.steering: tuple[Steering, ...] = verdict.steering

    async def emit(self, event: Event) -> None:
        """Add an event of this step."""
        await self._gate.activity.emit(AgentEvent(self.id, event, self._speaker))

    async def restart(self) -> None:
        """Take back what was told of the step: it begins again."""
        await self.emit(StepRestarted())

    async def complete(self, result: Result | None, usage: Usage = _NOTHING) -> None:
        """Record what the step brought, None if it failed. Raises a MeshError, which ends the run."""
        try:
            await self._gate.ledger.complete(self.id, result, usage)
        except MeshError as error:
            self._gate.activity.fail(error)
            raise

    async def finish(self, error: MeshError | None = None) -> None:
        """Tell the end of the step; with an error if it failed."""
        await self.emit(StepFinished(self._kind, self._clock() - self._started, error))

    def leave(self) -> None:
        """Note that nothing of the step is under way any more, however it ended. Once is enough."""
        if self._open:
            self._open = False
            self._gate.ended()
