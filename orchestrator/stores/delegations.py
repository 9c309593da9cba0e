"""Agents that ask agents, in Postgres: the waiting step, the other agent's run and the event are one transaction."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

from meshkit.sql.failures import driver_errors
from meshkit.sql.pool import Connection, Pool, transaction
from orchestrator.domain.events import StateChange, StoredEvent
from orchestrator.domain.feed import Feed
from orchestrator.domain.ledger import Delegate, StepAsk
from orchestrator.domain.limits import left_of
from orchestrator.domain.model import Run, RunState, Usage
from orchestrator.domain.ports import EventCodec
from orchestrator.stores.admission import insert_run
from orchestrator.stores.changes import change_run
from orchestrator.stores.rows import run_of
from orchestrator.stores.telling import announce, lock_run, tell
from orchestrator.stores.wakeups import Wakeups

__all__ = ["WAITS", "PostgresDelegations", "ask_agent", "child_of", "tree_of"]

WAITS = """
select exists (select from input_request where run = $1 and answer is null) or exists (
    select from run child where child.parent = $1 and child.parent <> ''
        and child.state not in ('SUCCEEDED', 'FAILED', 'CANCELLED')
)
"""
"""Whether a run waits for anything: an open request, or a run that it asked for."""

_WAIT = """
insert into step (run, number, tenant, kind, digest, occurrence, name, agent, state, attempt, arguments)
select $1, 1 + (select coalesce(max(number), 0) from step where run = $1), $2, $3, $4, $5, $6, $7, 'WAITING', $8, $9
on conflict (run, kind, digest, occurrence) do update set
    state = 'WAITING', attempt = excluded.attempt, arguments = excluded.arguments
returning number
"""
_TAKEN = "update input_request set used = true where id = $1"
_CHILD = "select * from run where parent = $1 and parent <> '' and parent_step = $2"

# What has ended is in its parent's account, so only the others are added.
_TREE = """
select root.*, part.* from run root cross join lateral (
    select coalesce(sum(input_tokens), 0)::bigint as a, coalesce(sum(output_tokens), 0)::bigint as b,
        coalesce(sum(model_calls), 0)::int as c, coalesce(sum(tool_calls), 0)::int as d,
        coalesce(sum(cost_micros), 0)::bigint as e
    from run where root = $1 and root <> '' and state not in ('SUCCEEDED', 'FAILED', 'CANCELLED')
) as part
where root.id = $1
"""

_READY = """
select id from run where state = 'WAITING'
    and exists (select from run child where child.parent = run.id and child.parent <> '')
    and not exists (
        select from run child where child.parent = run.id and child.parent <> ''
            and child.state not in ('SUCCEEDED', 'FAILED', 'CANCELLED')
    )
    and not exists (select from input_request where input_request.run = run.id and answer is null)
order by id limit $1
"""
_ABANDONED = """
select child.id from run child join run asking on asking.id = child.parent
where child.parent <> '' and child.state not in ('SUCCEEDED', 'FAILED', 'CANCELLED')
    and asking.state in ('SUCCEEDED', 'FAILED', 'CANCELLED')
order by child.id limit $1
"""


async def child_of(connection: Connection | Pool, run: str, step: int) -> Run | None:
    """Return the run in which another agent works on the step."""
    row = await connection.fetchrow(_CHILD, run, step)
    return run_of(row) if row else None


async def tree_of(connection: Connection | Pool, root: str) -> Run | None:
    """Return the run that a person asked for, with what all its parts have used so far."""
    row = await connection.fetchrow(_TREE, root)
    if row is None:
        return None
    run = run_of(row)
    return replace(run, usage=run.usage + Usage(row["a"], row["b"], row["c"], row["d"], row["e"]))


async def ask_agent(
    connection: Connection, codec: EventCodec, run: Run, ask: StepAsk, decision: Delegate, *, child: str, now: datetime
) -> tuple[Run, Sequence[StoredEvent]]:
    """Store the other agent's run with this id and let the asking one wait; its row must be locked.

    Returns the asking run as it is then.
    """
    number = await connection.fetchval(
        _WAIT,
        run.id, run.tenant, ask.kind.value, ask.digest, ask.occurrence, ask.name, ask.agent, run.attempt,
        decision.arguments,
    )  # fmt: skip
    if decision.request:
        await connection.execute(_TAKEN, decision.request)
    spec = decision.agent.spec.limited(left_of(run, now))
    asked = Run(
        child, run.tenant, run.session, run.user, decision.agent.name, spec, decision.task, now, last_sequence=1,
        traceparent=run.traceparent, bulk=run.bulk, parent=run.id, parent_step=number, root=run.root or run.id,
        depth=run.depth + 1,
    )  # fmt: skip
    await insert_run(connection, codec, asked)
    step = f"{ask.kind.value.lower()}-{number}"
    told = await tell(connection, run.id, codec.delegated(asked, ask.agent, step))
    change = StateChange(RunState.WAITING, run.attempt, step_allowed=False if run.paused else None)
    changed = await change_run(connection, codec, replace(run, last_sequence=told.sequence), change)
    assert changed is not None  # its row is locked
    return changed.run, [told, *changed.events]


class PostgresDelegations:
    """`domain.delegation.DelegationStore` on Postgres."""

    def __init__(self, pool: Pool, codec: EventCodec, feed: Feed, wakeups: Wakeups) -> None:
        self._pool, self._codec, self._feed, self._wakeups = pool, codec, feed, wakeups

    async def ready(self, limit: int) -> Sequence[str]:
        """Return runs that wait for nothing any more."""
        with driver_errors():
            return [row["id"] for row in await self._pool.fetch(_READY, limit)]

    async def abandoned(self, limit: int) -> Sequence[str]:
        """Return runs that nobody waits for any more."""
        with driver_errors():
            return [row["id"] for row in await self._pool.fetch(_ABANDONED, limit)]

    async def go_on(self, run: str, decide: Callable[[Run], StateChange | None]) -> Run | None:
        """Let the run go on as decided, if it still waits for nothing."""
        async with transaction(self._pool) as connection:
            before = await lock_run(connection, run)
            change = None if await connection.fetchval(WAITS, run) else decide(before)
            if change is None:
                return None
            changed = await change_run(connection, self._codec, before, change)
            assert changed is not None  # its row is locked
        announce(self._feed, self._wakeups, changed.run, changed.events)
        return changed.run
