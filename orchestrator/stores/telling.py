"""Telling what happens in a run from inside a transaction that does more: its row is locked, the event commits with it.

    lock_run ─► tell, or `changes.change_run` ─► commit ─► announce

The event log writes for attempts, many at a time; this writes what people and the gate do, one run at a time.
"""

from collections.abc import Sequence

from meshkit.errors import NotFound
from meshkit.sql.pool import Connection
from orchestrator.domain.events import StoredEvent
from orchestrator.domain.feed import Feed
from orchestrator.domain.model import Run
from orchestrator.domain.viewing import Viewer
from orchestrator.stores.rows import run_of
from orchestrator.stores.wakeups import Wakeups

__all__ = ["announce", "lock_run", "tell"]

_LOCK = "select * from run where id = $1"
_LOCK_SEEN = f"{_LOCK} and tenant = $2 and ($3::text is null or user_id = $3)"

_TELL = """
with bumped as (update run set last_sequence = last_sequence + 1 where id = $1 returning id, last_sequence)
insert into run_event (run, sequence, create_time, body) select id, last_sequence, now(), $2 from bumped
returning sequence, create_time
"""


async def lock_run(connection: Connection, run: str, viewer: Viewer | None = None) -> Run:
    """Return the run and lock its row until the transaction ends. Raises NotFound, also if the viewer does not see it.

    Without a viewer the run is anybody's: for the mesh's own work.
    """
    if viewer is None:
        row = await connection.fetchrow(f"{_LOCK} for update", run)
    else:
        row = await connection.fetchrow(f"{_LOCK_SEEN} for update", run, viewer.tenant, viewer.user)
    if row is None:
        raise NotFound("no such run")
    return run_of(row)


async def tell(connection: Connection, run: str, body: bytes) -> StoredEvent:
    """Store an event of the run; its row must be locked."""
    row = await connection.fetchrow(_TELL, run, body)
    assert row is not None
    return StoredEvent(run, row["sequence"], row["create_time"], body)


def announce(feed: Feed, wakeups: Wakeups, run: Run, events: Sequence[StoredEvent]) -> None:
    """Tell this process and the others what was committed; `run` is as it was after the last event."""
    newest = events[-1].sequence if events else run.last_sequence
    feed.announce(run.tenant, run.id, newest, run.state, events)
    wakeups.publish(run.tenant, run.id, newest, run.state)
