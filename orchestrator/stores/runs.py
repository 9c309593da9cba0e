"""Runs in Postgres: accepted once, read by who may see them, changed together with the event that tells it."""

from collections.abc import Sequence
from dataclasses import astuple
from typing import Any

import asyncpg

from meshkit.errors import NotFound
from meshkit.sql import idempotency
from meshkit.sql.failures import driver_errors
from meshkit.sql.pool import Connection, Pool
from orchestrator.domain.events import StateChange, StoredEvent
from orchestrator.domain.feed import Feed
from orchestrator.domain.model import Agent, Run, RunState
from orchestrator.domain.ports import EventCodec
from orchestrator.domain.storage import Decision, MakeRun, RequestKey, RunFilter
from orchestrator.domain.viewing import Viewer
from orchestrator.stores.agents import find_agent
from orchestrator.stores.rows import failure_to_json, request_of, run_of, spec_to_json
from orchestrator.stores.sessions import find_session, insert_session, refuse_busy
from orchestrator.stores.wakeups import Wakeups

__all__ = ["PostgresRuns"]

# With the event that tells it.
_INSERT = """
with accepted as (
    insert into run (id, tenant, session, user_id, agent, spec, input, state, last_sequence, traceparent, create_time)
    values ($1, $2, $3, $4, $5, $6, $7, 'QUEUED', 1, $8, $9)
    on conflict (session) where state in ('QUEUED', 'RUNNING') do nothing returning id, create_time
)
insert into run_event (run, sequence, create_time, body) select id, 1, create_time, $10 from accepted
"""

_GET = "select * from run where id = $1 and tenant = $2 and ($3::text is null or user_id = $3)"

_LIST = """
select * from run
where tenant = $1 and ($2::text is null or user_id = $2)
  and ($3 = '' or session = $3) and ($4 = '' or agent = $4) and ($5 = '' or state = $5)
  and ($6::text is null or id < $6)
order by id desc limit $7
"""

# A change and the event that tells it, in one statement, if the run is still as it was when the change was decided.
_CHANGE = """
with changed as (
    update run set
        state = $2::text, attempt = $3, output = $4, failure = $5,
        input_tokens = coalesce($6::bigint, input_tokens), output_tokens = coalesce($7::bigint, output_tokens),
        model_calls = coalesce($8::int, model_calls), tool_calls = coalesce($9::int, tool_calls),
        start_time = case when $2::text = 'RUNNING' then coalesce(start_time, now()) else start_time end,
        finish_time = case when $10::bool then now() else null end,
        remember_time = case when $12::bool then now() else null end,
        last_sequence = last_sequence + 1
    where id = $1 and state = $13 and attempt = $14
        and (input_tokens, output_tokens, model_calls, tool_calls) = ($15, $16, $17, $18)
    returning *
), told as (
    insert into run_event (run, sequence, create_time, body) select id, last_sequence, now(), $11 from changed
)
select *, now() as event_time from changed
"""

# At most $3 events and about $4 bytes, but always one.
_EVENTS = """
select sequence, create_time, body from (
    select sequence, create_time, body, sum(length(body)) over (order by sequence) - length(body) as before
    from (select * from run_event where run = $1 and sequence > $2 order by sequence limit $3) as page
) as sized
where before < $4 order by sequence
"""
_PAGE_BYTES = 256 * 1024

# The longest overdue first. The pause is longer than a try takes, so that no two processes try the same one.
_TO_REMEMBER = """
with due as (
    select id from run where remember_time <= now() order by remember_time limit $1 for update skip locked
)
update run set
    remember_time = now() + make_interval(secs => least(60, 5 * 2 ^ least(remember_tries, 10))),
    remember_tries = remember_tries + 1
from due where run.id = due.id
returning run.*
"""

_HISTORY = """
select * from run where session = $1 and id < $2 and state = 'SUCCEEDED' order by id desc limit $3
"""


class PostgresRuns:
    """`domain.storage.RunStore` on Postgres; tells the feed and the other processes of every change."""

    def __init__(self, pool: Pool, codec: EventCodec, feed: Feed, wakeups: Wakeups) -> None:
        self._pool, self._codec, self._feed, self._wakeups = pool, codec, feed, wakeups

    async def create(self, key: RequestKey, viewer: Viewer, session: str, make: MakeRun) -> Run:
        """Store the run and, if it has none, its session; once for the key."""
        made: list[Run] = []

        async def effect(connection: Connection) -> bytes:
            home = await find_session(connection, viewer, session) if session else None

            async def find(name: str) -> Agent | None:
                return await find_agent(connection, key.tenant, name)

            new = await make(home, find)
            if new.session:
                await insert_session(connection, new.session)
            await self._insert(connection, new.run)
            made.append(new.run)
            return new.run.id.encode()

        run_id = (await idempotency.once(self._pool, request_of(key), key.digest, effect)).decode()
        return made[0] if made else (await self.get(viewer, run_id)).as_accepted()

    async def get(self, viewer: Viewer, run: str) -> Run:
        """Return the run. Raises NotFound."""
        with driver_errors():
            row = await self._pool.fetchrow(_GET, run, viewer.tenant, viewer.user)
        if row is None:
            raise NotFound("no such run")
        return run_of(row)

    async def load(self, run: str) -> Run | None:
        """Return the run."""
        with driver_errors():
            row = await self._pool.fetchrow("select * from run where id = $1", run)
        return run_of(row) if row else None

    async def list(self, viewer: Viewer, query: RunFilter, before: str | None, limit: int) -> Sequence[Run]:
        """Return runs, newest first."""
        state = query.state.value if query.state else ""
        with driver_errors():
            rows = await self._pool.fetch(
                _LIST, viewer.tenant, viewer.user, query.session, query.agent, state, before, limit
            )
        return [run_of(row) for row in rows]

    async def transition(self, run: str, decide: Decision) -> Run | None:
        """Change the run as decided and store the event; decide again if it changed in between."""
        changed = None
        while changed is None:
            before = await self.load(run)
            change = decide(before) if before else None
            if before is None or change is None:
                return None
            body = self._codec.state_changed(change, before.trace_id)
            with driver_errors():
                changed = await self._pool.fetchrow(_CHANGE, *_columns(before, change, body))
        after = run_of(changed)
        event = StoredEvent(run, after.last_sequence, changed["event_time"], body)
        self._feed.announce(after.tenant, run, after.last_sequence, after.state, [event])
        self._wakeups.publish(after.tenant, run, after.last_sequence, after.state)
        return after

    async def events(self, run: str, after: int, limit: int) -> Sequence[StoredEvent]:
        """Return a page of events."""
        with driver_errors():
            rows = await self._pool.fetch(_EVENTS, run, after, limit, _PAGE_BYTES)
        return [StoredEvent(run, row["sequence"], row["create_time"], row["body"]) for row in rows]

    async def history(self, session: str, before: str, max_runs: int) -> Sequence[Run]:
        """Return the session's earlier runs that have an answer, newest first."""
        with driver_errors():
            rows = await self._pool.fetch(_HISTORY, session, before, max_runs)
        return [run_of(row) for row in rows]

    async def to_remember(self, limit: int) -> Sequence[Run]:
        """Take what is due; it is due again after a pause that doubles up to a minute."""
        with driver_errors():
            rows = await self._pool.fetch(_TO_REMEMBER, limit)
        return [run_of(row) for row in rows]

    async def remembered(self, run: str) -> None:
        """Note that memory has the run's turn."""
        with driver_errors():
            await self._pool.execute("update run set remember_time = null where id = $1", run)

    async def positions(self, runs: Sequence[str]) -> dict[str, tuple[int, RunState]]:
        """Return how far runs are; those that are gone are left out."""
        with driver_errors():
            rows = await self._pool.fetch(
                "select id, last_sequence, state from run where id = any($1::text[])", list(runs)
            )
        return {row["id"]: (row["last_sequence"], RunState(row["state"])) for row in rows}

    async def _insert(self, connection: Connection, run: Run) -> None:
        body = self._codec.state_changed(StateChange(RunState.QUEUED), run.trace_id)
        values = (
            run.id, run.tenant, run.session, run.user, run.agent, spec_to_json(run.spec), run.input, run.traceparent,
            run.create_time, body,
        )  # fmt: skip
        try:
            # The other run may end between the two statements: then there is room.
            while await connection.execute(_INSERT, *values) == "INSERT 0 0":
                await refuse_busy(connection, run.session)
        except asyncpg.ForeignKeyViolationError as error:  # deleted since it was read
            raise NotFound("no such session") from error


def _columns(before: Run, change: StateChange, body: bytes) -> tuple[Any, ...]:
    usage = astuple(change.usage) if change.usage else (None,) * 4
    failure = failure_to_json(change.failure)
    state = change.state
    new = (
        before.id,
        state.value,
        change.attempt,
        change.output,
        failure,
        *usage,
        state.terminal,
        body,
        change.remember,
    )
    return (*new, before.state.value, before.attempt, *astuple(before.usage))
