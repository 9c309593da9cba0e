"""Everything that happens in one run, in one order: gateway and toolbox write here, the caller of Execute reads.

Owns the run's remaining time, its first failure, and the bounded queue between the run and its reader. It knows neither
models nor tools.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable

from agent_service.domain.events import (
    AgentEvent,
    LimitReached,
    ThoughtDelta,
    TokenDelta,
    Usage,
)
from agent_service.domain.task import Limits
from meshkit.errors import MeshError, ResourceExhausted

__all__ = ["MAX_TEXT_BYTES", "Activity"]

MAX_TEXT_BYTES = 1024 * 1024
"""The longest text of one message or tool result, as the contract has it."""

# Enough for some seconds of a fast model; then the gates wait, so the model's socket is read no faster than our reader.
_MAX_QUEUED = 256
# Pieces that wait are joined up to this length: a slow reader gets fewer, longer messages instead of a longer queue.
_MAX_JOINED = 16 * 1024


class Activity:
    """The events of one run."""

    def __init__(self, limits: Limits, clock: Callable[[], float]) -> None:
        """`clock` gives seconds that only grow."""
        self._clock = clock
        self._deadline = clock() + limits.timeout
        self._queue: deque[AgentEvent] = deque()
        self._readable, self._writable = asyncio.Event(), asyncio.Event()
        self._closed = False
        self.total = Usage()
        """What this attempt has used so far; what was replayed cost nothing."""
        self.failure: asyncio.Future[Exception] = asyncio.get_running_loop().create_future()
        """The first failure of the gate: it ends the run, whatever the framework makes of it."""

    def remaining(self) -> float:
        """Return the seconds that the run may still take."""
        return max(0.0, self._deadline - self._clock())

    def reach(self, limit: str, value: int) -> MeshError:
        """End the run because of a limit; return the error that says so."""
        error = ResourceExhausted(
            f"the run reached its limit {limit} of {value}", reason="LIMIT_REACHED", metadata={"limit": limit}
        )
        if self.fail(error):
            # Past the bound on purpose: it is the last event, and the reader may be what is waited for.
            self._append(AgentEvent("", LimitReached(limit, value)))
        return error

    def fail(self, error: Exception) -> bool:
        """End the run with this error, unless it has failed already. Returns whether it was the first."""
        first = not self.failure.done()
        if first:
            self.failure.set_result(error)
        return first

    def count(self, usage: Usage) -> None:
        """Add what a step has used."""
        self.total += usage

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
        self._queue[-1] = AgentEvent(event.step, type(new)(last.event.text + new.text), event.speaker)
        return True
