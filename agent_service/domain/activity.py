"""Everything that happens in one run, in one order: the two gates write here, the caller of Execute reads.

Owns the step ids, the counting against the run's limits, the run's first failure, and the bounded queue between the
run and its reader. It knows neither models nor tools.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable

from agent_service.domain.events import (
    AgentEvent,
    Event,
    LimitReached,
    StepFinished,
    StepKind,
    StepStarted,
    ThoughtDelta,
    TokenDelta,
    Usage,
)
from agent_service.domain.task import Limits
from meshkit.errors import MeshError, ResourceExhausted

__all__ = ["MAX_TEXT_BYTES", "Activity", "Step"]

MAX_TEXT_BYTES = 1024 * 1024
"""The longest text of one message or tool result, as the contract has it."""

# Enough for some seconds of a fast model; then the gates wait, so the model's socket is read no faster than our reader.
_MAX_QUEUED = 256
# Pieces that wait are joined up to this length: a slow reader gets fewer, longer messages instead of a longer queue.
_MAX_JOINED = 16 * 1024


class Activity:
    """The events of one run."""

    def __init__(self, limits: Limits, clock: Callable[[], float]) -> None:
        """`clock` gives seconds that only grow; it times the steps and the run's remaining time."""
        self._limits, self._clock = limits, clock
        self._deadline = clock() + limits.timeout
        self._queue: deque[AgentEvent] = deque()
        self._readable, self._writable = asyncio.Event(), asyncio.Event()
        self._closed = False
        self._counts = dict.fromkeys(StepKind, 0)
        self._input_tokens = self._output_tokens = 0
        self.failure: asyncio.Future[MeshError] = asyncio.get_running_loop().create_future()
        """The first failure of a gate: it ends the run, whatever the framework makes of it."""

    @property
    def total(self) -> Usage:
        """What the run has used so far."""
        return Usage(
            input_tokens=self._input_tokens,
            output_tokens=self._output_tokens,
            model_calls=self._counts[StepKind.MODEL],
            tool_calls=self._counts[StepKind.TOOL],
        )

    def remaining(self) -> float:
        """Return the seconds that the run may still take."""
        return max(0.0, self._deadline - self._clock())

    async def begin(self, kind: StepKind, name: str) -> "Step":
        """Begin a step. Raises ResourceExhausted (LIMIT_REACHED), and ends the run, if there may be no more."""
        limit, value = {
            StepKind.MODEL: ("max_model_calls", self._limits.max_model_calls),
            StepKind.TOOL: ("max_tool_calls", self._limits.max_tool_calls),
        }[kind]
        if self._counts[kind] >= value:
            raise self.reach(limit, value)
        self._counts[kind] += 1
        step = Step(self, kind, f"{kind.value}-{self._counts[kind]}", self._clock)
        await step.emit(StepStarted(kind, name))
        return step

    def reach(self, limit: str, value: int) -> MeshError:
        """End the run because of a limit; return the error that says so."""
        error = ResourceExhausted(
            f"the run reached its limit {limit} of {value}", reason="LIMIT_REACHED", metadata={"limit": limit}
        )
        if self.fail(error):
            # Past the bound on purpose: it is the last event, and the reader may be what is waited for.
            self._append(AgentEvent("", LimitReached(limit, value)))
        return error

    def fail(self, error: MeshError) -> bool:
        """End the run with this error, unless it has failed already. Returns whether it was the first."""
        first = not self.failure.done()
        if first:
            self.failure.set_result(error)
        return first

    def count(self, usage: Usage) -> None:
        """Count a model call's tokens. Raises ResourceExhausted (LIMIT_REACHED), and ends the run, above the limit."""
        self._input_tokens += usage.input_tokens
        self._output_tokens += usage.output_tokens
        if self._input_tokens + self._output_tokens > self._limits.max_tokens:
            raise self.reach("max_tokens", self._limits.max_tokens)

    async def emit(self, event: AgentEvent) -> None:
        """Add an event; waits while the reader is behind."""
        if self._joined(event):
            return
        while len(self._queue) >= _MAX_QUEUED:
            self._writable.clear()
            await self._writable.wait()
        self._append(event)

    def close(self) -> None:
        """No event comes any more; the reader ends when it has read what is there."""
        self._closed = True
        self._readable.set()

    async def events(self) -> AsyncIterator[AgentEvent]:
        """Give the events in order, until the activity is closed. One reader."""
        while True:
            while self._queue:
                event = self._queue.popleft()
                self._writable.set()
                yield event
            if self._closed:
                return
            self._readable.clear()
            await self._readable.wait()

    def _append(self, event: AgentEvent) -> None:
        self._queue.append(event)
        self._readable.set()

    def _joined(self, event: AgentEvent) -> bool:
        new = event.event
        if not isinstance(new, TokenDelta | ThoughtDelta) or not self._queue:
            return False
        last = self._queue[-1]
        if last.step != event.step or type(last.event) is not type(new):
            return False
        assert isinstance(last.event, TokenDelta | ThoughtDelta)
        if len(last.event.text) + len(new.text) > _MAX_JOINED:
            return False
        self._queue[-1] = AgentEvent(event.step, type(new)(last.event.text + new.text))
        return True


class Step:
    """One step of a run: a model call or a tool call."""

    def __init__(self, activity: Activity, kind: StepKind, step_id: str, clock: Callable[[], float]) -> None:
        self._activity, self._kind, self._clock = activity, kind, clock
        self._started = clock()
        self.id = step_id

    async def emit(self, event: Event) -> None:
        """Add an event of this step."""
        await self._activity.emit(AgentEvent(self.id, event))

    async def finish(self, error: MeshError | None = None) -> None:
        """End the step; with an error if it failed."""
        await self.emit(StepFinished(self._kind, self._clock() - self._started, error))
