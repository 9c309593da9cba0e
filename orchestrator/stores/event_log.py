"""The event log's writer: one group commit at a time, over all runs of the process.

    pens ──► queue (bounded) ──► one statement ──► committed ──► feed, wake-ups

The statement bumps each run's counter and numbers its events, so a sequence exists only with its event. Events of an
attempt that is no longer the run's, or of a run that has ended, are refused by the same statement; those of a run that
is paused or waits are not: what was under way goes on. Text pieces that
wait for the next commit become one event; the pause between commits is therefore the coalescing window.
While Postgres is away the queue fills, pens wait, and the very same commit is tried again.
"""

import asyncio
import uuid
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Any

import structlog

from meshkit.errors import DeadlineExceeded, Unavailable
from meshkit.failpoints import failpoint
from meshkit.sql.failures import driver_errors
from meshkit.sql.pool import Pool
from orchestrator.domain.events import StoredEvent
from orchestrator.domain.feed import Feed
from orchestrator.domain.model import Run, RunState
from orchestrator.domain.ports import EventCodec, SupersededError
from orchestrator.stores.wakeups import Wakeups

__all__ = ["EventLog", "LogPen"]

WINDOW_SECONDS = 0.025
"""The pause between commits at rest. Under load a commit takes longer than this, and the window is as wide as that."""

# What may wait while Postgres is slow or away, over all runs: some seconds of a hundred fast models.
_MAX_WAITING_EVENTS = 10_000
_MAX_WAITING_BYTES = 16 * 1024 * 1024
# What goes into one statement: more makes the commit, and thus everybody's latency, longer.
_MAX_COMMIT_EVENTS = 2_000
_MAX_COMMIT_BYTES = 2 * 1024 * 1024
_MAX_TEXT = 16 * 1024  # characters in one piece of text, when a burst is waiting

_log = structlog.get_logger(__name__)

# A commit whose answer was lost is sent again with its batch id: the runs that have it already are not touched, and
# come back without a number.
_COMMIT = """
with incoming as (
    select * from unnest($1::text[], $2::int[], $3::bytea[]) with ordinality as i (run, attempt, body, place)
), wanted as (
    select run, attempt, count(*) as events from incoming group by run, attempt
), bumped as (
    update run set last_sequence = last_sequence + w.events, last_batch = $4
    from wanted w
    where run.id = w.run and run.attempt = w.attempt and run.state in ('RUNNING', 'PAUSED', 'WAITING')
        and run.last_batch <> $4
    returning run.id, run.attempt, run.state, run.last_sequence - w.events as before
), stored as (
    insert into run_event (run, sequence, create_time, body)
    select i.run, b.before + row_number() over (partition by i.run order by i.place), now(), i.body
    from incoming i join bumped b on b.id = i.run and b.attempt = i.attempt
)
select id, attempt, state, before, now() as time from bumped
union all
select run.id, run.attempt, run.state, null, now() from run join wanted w on run.id = w.run and run.attempt = w.attempt
where run.last_batch = $4
"""


@dataclass(slots=True)
class _Entry:
    """One event that waits: its body, or the text that its body will be made of."""

    pen: "LogPen"
    body: bytes = b""
    voice: tuple[str, str, bool] | None = None
    text: list[str] = field(default_factory=list)
    length: int = 0


class LogPen:
    """`domain.ports.Pen`: writes for one attempt of one run."""

    def __init__(self, log: "EventLog", run: Run) -> None:
        self.tenant, self.run, self.attempt, self.trace = run.tenant, run.id, run.attempt, run.trace_id
        self.refused = False
        self.waiting = 0
        self.last: _Entry | None = None
        """The newest entry that is not yet in a commit."""
        self.settled_event = asyncio.Event()
        self._log = log
        self._voice: tuple[str, str, bool] | None = None

    async def write(self, body: bytes) -> None:
        """Hand over an event."""
        await self._log.put(_Entry(self, body, length=len(body)))

    async def say(self, agent: str, step: str, text: str, *, thought: bool) -> None:
        """Hand over a piece of text; it joins the piece before it if that still waits."""
        if self.refused:
            raise SupersededError
        voice = (agent, step, thought)
        last = self.last
        if last is not None and last.voice == voice and last.length < _MAX_TEXT:
            self._log.join(last, text)
            return
        if voice != self._voice:
            self._voice = voice
            self._log.hurry()  # the first words of a step are what people wait for
        await self._log.put(_Entry(self, voice=voice, text=[text], length=len(text)))

    async def settled(self) -> None:
        """Wait until everything handed over is committed."""
        while self.waiting and not self.refused:
            self._log.hurry()
            self.settled_event.clear()
            await self.settled_event.wait()
        if self.refused:
            raise SupersededError


class EventLog:
    """`domain.ports.Log` on Postgres. `keep_writing` must run."""

    def __init__(
        self, pool: Pool, codec: EventCodec, feed: Feed, wakeups: Wakeups, *, window: float = WINDOW_SECONDS
    ) -> None:
        self._pool, self._codec, self._feed, self._wakeups, self._window = pool, codec, feed, wakeups, window
        self._queue: deque[_Entry] = deque()
        self._bytes = 0
        self._filled, self._hurried, self._room = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._room.set()

    def pen(self, run: Run) -> LogPen:
        """Return the pen of the run's current attempt."""
        return LogPen(self, run)

    async def put(self, entry: _Entry) -> None:
        """Queue an entry; waits while the queue is full."""
        while not self._room.is_set() and not entry.pen.refused:
            await self._room.wait()
        if entry.pen.refused:
            raise SupersededError
        self._queue.append(entry)
        self._bytes += entry.length
        entry.pen.waiting += 1
        entry.pen.last = entry
        self._filled.set()
        if len(self._queue) >= _MAX_WAITING_EVENTS or self._bytes >= _MAX_WAITING_BYTES:
            self._room.clear()

    def join(self, entry: _Entry, text: str) -> None:
        """Add to a piece of text that still waits."""
        entry.text.append(text)
        entry.length += len(text)
        self._bytes += len(text)

    def hurry(self) -> None:
        """Commit what waits without the rest of the pause: somebody waits for it."""
        self._hurried.set()

    async def keep_writing(self) -> None:
        """Commit what comes, until cancelled; what then still waits was never acknowledged."""
        while True:
            await self._filled.wait()
            self._hurried.clear()
            group = self._take()
            await self._commit(group)
            # The first event after a pause goes at once; those that follow wait for company.
            try:
                async with asyncio.timeout(self._window):
                    await self._hurried.wait()
            except TimeoutError:
                pass

    def _take(self) -> list[_Entry]:
        group: list[_Entry] = []
        size = 0
        while self._queue and len(group) < _MAX_COMMIT_EVENTS and size < _MAX_COMMIT_BYTES:
            entry = self._queue.popleft()
            size += entry.length
            if entry.pen.last is entry:
                entry.pen.last = None
            if entry.voice:
                agent, step, thought = entry.voice
                entry.body = self._codec.text(agent, step, "".join(entry.text), entry.pen.trace, thought=thought)
            group.append(entry)
        self._bytes -= size
        if not self._queue:
            self._filled.clear()
        return group

    async def _commit(self, group: list[_Entry]) -> None:
        """Store the group, however long it takes, then tell what became of it."""
        batch, pause = uuid.uuid4().hex, 0.05
        while True:
            try:
                await failpoint("agent.event.before_append")
                accepted = await self.store(batch, group)
                await failpoint("agent.event.after_append_before_publish")
                break
            except (Unavailable, DeadlineExceeded) as error:
                _log.warning("event_log_waits", events=len(group), reason=error.message)
                await asyncio.sleep(pause)
                pause = min(1.0, pause * 2)
        self._release(group, accepted)
        self._room.set()

    async def store(self, batch: str, group: list[_Entry]) -> dict[tuple[str, int], Any]:
        """Run the statement. Returns the rows of the attempts that were accepted."""
        columns = zip(*((entry.pen.run, entry.pen.attempt, entry.body) for entry in group), strict=True)
        with driver_errors():
            rows = await self._pool.fetch(_COMMIT, *map(list, columns), batch)
        return {(row["id"], row["attempt"]): row for row in rows}

    def _release(self, group: list[_Entry], accepted: dict[tuple[str, int], Any]) -> None:
        stored: dict[tuple[str, int], list[StoredEvent]] = {}
        counts: Counter[LogPen] = Counter(entry.pen for entry in group)
        for entry in group:
            key = (entry.pen.run, entry.pen.attempt)
            row = accepted.get(key)
            if row is not None and row["before"] is not None:
                events = stored.setdefault(key, [])
                sequence = row["before"] + len(events) + 1
                events.append(StoredEvent(entry.pen.run, sequence, row["time"], entry.body))
        for pen, count in counts.items():
            key = (pen.run, pen.attempt)
            pen.waiting -= count
            pen.refused = pen.refused or key not in accepted
            pen.settled_event.set()
            if events := stored.pop(key, []):
                newest, state = events[-1].sequence, RunState(accepted[key]["state"])
                self._feed.announce(pen.tenant, pen.run, newest, state, events)
                self._wakeups.publish(pen.tenant, pen.run, newest, state)
