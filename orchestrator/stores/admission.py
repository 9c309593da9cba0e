"""Taking a new run into its session: at once, behind the runs before it, or in their place.

Works in the transaction that accepts the run. Other processes may do the same for the session at the same moment; that
at most one run of a session is not done and does not wait, the unique index sees to.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import asyncpg

from meshkit.errors import NotFound, ResourceExhausted
from meshkit.sql.pool import Connection
from orchestrator.domain.events import StateChange, StoredEvent
from orchestrator.domain.model import OnBusy, Run, RunState
from orchestrator.domain.ports import EventCodec
from orchestrator.stores.changes import change_run
from orchestrator.stores.sessions import refuse_busy
from orchestrator.stores.specs import spec_to_json
from orchestrator.stores.telling import lock_run

__all__ = ["Admitted", "Displaced", "admit", "insert_run"]

MAX_WAITING = 100
"""How many runs may wait in a session; the contract's number."""

# With the event that tells it.
_INSERT = """
with accepted as (
    insert into run (
        id, tenant, session, user_id, agent, spec, input, state, last_sequence, traceparent, create_time, waits, bulk,
        forked_from, parent, parent_step, root, depth
    )
    values ($1, $2, $3, $4, $5, $6, $7, 'QUEUED', 1, $8, $9, $10, $11, $12, $13, $14, $15, $16)
    on conflict (session) where state not in ('SUCCEEDED', 'FAILED', 'CANCELLED') and not waits and parent = ''
    do nothing
    returning id, create_time
)
insert into run_event (run, sequence, create_time, body) select id, 1, create_time, $17 from accepted
"""

# Locked against others that queue up, so that they are counted.
_LOCK_SESSION = "select 1 from session where id = $1 for no key update"
_WAITING = "select count(*) from run where session = $1 and waits"

# Those that wait come first: else the end of the active one would let one of them begin. Whoever was asked comes before
# who asked.
_NOT_DONE = """
select id from run where session = $1 and state not in ('SUCCEEDED', 'FAILED', 'CANCELLED')
order by waits desc, depth desc, id desc for update
"""

# With what its agent asked others for.
_DELETE = "delete from run where session = $1 and (id = $2 or root = $2)"


@dataclass(frozen=True, slots=True)
class Admitted:
    """The run as it was stored, and the runs that it displaced."""

    run: Run
    displaced: Sequence["Displaced"] = ()


@dataclass(frozen=True, slots=True)
class Displaced:
    """A run that had to go, as it is now, and the events that tell it: none if it was deleted."""

    run: Run
    events: Sequence[StoredEvent]


async def insert_run(connection: Connection, codec: EventCodec, run: Run) -> bool:
    """Store a new run. Returns False if another one of its session is not done; raises NotFound without the session."""
    body = codec.state_changed(StateChange(RunState.QUEUED), run.trace_id)
    try:
        done = await connection.execute(
            _INSERT, run.id, run.tenant, run.session, run.user, run.agent, spec_to_json(run.spec), run.input,
            run.traceparent, run.create_time, run.waits, run.bulk, run.forked_from, run.parent, run.parent_step,
            run.root, run.depth, body,
        )  # fmt: skip
    except asyncpg.ForeignKeyViolationError as error:  # deleted since it was read
        raise NotFound("no such session") from error
    return done != "INSERT 0 0"


async def admit(connection: Connection, codec: EventCodec, run: Run, on_busy: OnBusy) -> Admitted:
    """Store the run in its session as `on_busy` says. What it displaced is to be told after the commit.

    Raises NotFound for a session that is gone, FailedPrecondition and ResourceExhausted (TOO_MANY_RUNS).
    """
    if on_busy is OnBusy.ENQUEUE:
        await connection.execute(_LOCK_SESSION, run.session)
        waiting = await connection.fetchval(_WAITING, run.session)
        if waiting >= MAX_WAITING:
            raise ResourceExhausted(
                f"{MAX_WAITING} runs wait in the session already", reason="TOO_MANY_RUNS", retry_after=1.0
            )
        if waiting or not await insert_run(connection, codec, run):
            run = replace(run, waits=True)
            await insert_run(connection, codec, run)
        return Admitted(run)
    displaced: list[Displaced] = []
    # The other run may end, or a new one begin, between two statements.
    while not await insert_run(connection, codec, run):
        if on_busy is OnBusy.REJECT:
            await refuse_busy(connection, run.session)
        else:
            displaced += await _displace(connection, codec, run.session, delete=on_busy is OnBusy.ROLLBACK)
    return Admitted(run, displaced)


async def _displace(connection: Connection, codec: EventCodec, session: str, *, delete: bool) -> list[Displaced]:
    displaced = []
    for row in await connection.fetch(_NOT_DONE, session):
        # The end of a run that an agent asked for has changed the one that waited for it.
        before = await lock_run(connection, row["id"])
        if delete:
            await connection.execute(_DELETE, session, before.id)
            # To whoever works on it or follows it here, a place beyond the last event says: look again.
            gone = replace(before, state=RunState.CANCELLED, last_sequence=before.last_sequence + 1)
            displaced.append(Displaced(gone, ()))
            continue
        end = StateChange(RunState.CANCELLED, before.attempt, usage=before.usage)
        changed = await change_run(connection, codec, before, end)
        assert changed is not None  # its row is locked
        displaced.append(Displaced(changed.run, changed.events))
    return displaced
