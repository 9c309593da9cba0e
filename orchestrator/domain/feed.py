"""What this process knows of the runs that somebody here watches: how far they are, and their newest events.

    group commit ──► announce ──► watches ──► subscribers, executions
    Redis, poll  ──►

Owns the in-process wake-up and a short tail of events, so that many subscribers of a run that is executed here cost no
query each. It is a cache of what Postgres holds: an announcement that is lost costs time, never an event.
"""

import asyncio
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from orchestrator.domain.events import StoredEvent
from orchestrator.domain.model import RunState

__all__ = ["Feed", "Watch"]

# About the text of two seconds of a fast model. A subscriber further behind reads from Postgres.
_TAIL_EVENTS = 64
_TAIL_BYTES = 64 * 1024


class Watch:
    """One run that is watched here."""

    def __init__(self, tenant: str, run: str) -> None:
        self.tenant, self.run = tenant, run
        self.sequence = 0
        """The newest sequence known to be committed."""
        self.state = RunState.QUEUED
        """The newest state known."""
        self.gone = False
        """True when the run was deleted."""
        self.watchers = 0
        self._changed = asyncio.Event()
        self._tail: deque[StoredEvent] = deque()
        self._tail_bytes = 0

    def after(self, sequence: int) -> Sequence[StoredEvent]:
        """Return the events that follow a sequence, if the tail holds them without a hole, else nothing."""
        if not self._tail or sequence + 1 < self._tail[0].sequence:
            return ()
        return [event for event in self._tail if event.sequence > sequence]

    def announce(self, sequence: int, state: RunState, events: Sequence[StoredEvent] = ()) -> None:
        """Take in what was committed, in any order and any number of times."""
        if events:
            self._extend(events)
        if sequence > self.sequence or (sequence == self.sequence and state is not self.state):
            self.sequence, self.state = sequence, state
            self._wake()

    def vanish(self) -> None:
        """Take in that the run was deleted."""
        self.gone = True
        self._wake()

    async def beyond(self, sequence: int, seconds: float) -> bool:
        """Wait until something after the sequence is committed, or the run has ended; False if the time is up.

        Who reads Postgres may have the last event before it is announced; then only the end is news.
        """
        try:
            async with asyncio.timeout(seconds):
                while self.sequence <= sequence and not self.state.terminal and not self.gone:
                    await self._changed.wait()
        except TimeoutError:
            return False
        return True

    async def terminated(self) -> None:
        """Wait until the run is terminal or deleted."""
        while not self.state.terminal and not self.gone:
            await self._changed.wait()

    async def terminated_within(self, seconds: float) -> bool:
        """Wait until the run is terminal or deleted. Returns False when the seconds passed before."""
        try:
            async with asyncio.timeout(seconds):
                await self.terminated()
        except TimeoutError:
            return False
        return True

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    def _extend(self, events: Sequence[StoredEvent]) -> None:
        newest = self._tail[-1].sequence if self._tail else 0
        if events[0].sequence <= newest:
            return  # overtaken by a later commit; whoever needs it reads Postgres
        if events[0].sequence > newest + 1:
            self._tail.clear()  # another process wrote in between
            self._tail_bytes = 0
        for event in events:
            self._tail.append(event)
            self._tail_bytes += len(event.body)
        while self._tail and (len(self._tail) > _TAIL_EVENTS or self._tail_bytes > _TAIL_BYTES):
            self._tail_bytes -= len(self._tail.popleft().body)


class Feed:
    """The watches of this process: at most one a run, kept while somebody watches."""

    def __init__(self) -> None:
        self._watches: dict[tuple[str, str], Watch] = {}
        self.changed = asyncio.Event()
        """Set when a run is watched anew or no longer: whoever listens to Redis clears it."""

    def watched(self) -> list[Watch]:
        """Return the watches that there are now."""
        return list(self._watches.values())

    @contextmanager
    def watch(self, tenant: str, run: str) -> Iterator[Watch]:
        """Watch a run inside the block. Read the run itself after entering: nothing falls between the two.

        What is watched under a tenant that the run is not of hears nothing that is told to the run's own.
        """
        watch = self._watches.get((tenant, run))
        if watch is None:
            watch = self._watches[tenant, run] = Watch(tenant, run)
            self.changed.set()
        watch.watchers += 1
        try:
            yield watch
        finally:
            watch.watchers -= 1
            if not watch.watchers:
                del self._watches[tenant, run]
                self.changed.set()

    def announce(
        self, tenant: str, run: str, sequence: int, state: RunState, events: Sequence[StoredEvent] = ()
    ) -> None:
        """Tell the watchers of a run, if there are any, what was committed."""
        if watch := self._watches.get((tenant, run)):
            watch.announce(sequence, state, events)
