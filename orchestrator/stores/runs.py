"""Runs in Postgres: accepted once, read by who may see them, changed together with the event that tells it."""

from collections.abc import Callable, Sequence

from meshkit.errors import NotFound
from meshkit.sql import idempotency
from meshkit.sql.failures import driver_errors
from meshkit.sql.pool import Connection, Pool
from orchestrator.domain.events import StoredEvent
from orchestrator.domain.feed import Feed
from orchestrator.domain.model import Agent, OnBusy, Run, RunState
from orchestrator.domain.ports import EventCodec
from orchestrator.domain.storage import Decision, MakeRun, RequestKey, RunFilter
from orchestrator.domain.viewing import Viewer
from orchestrator.stores.admission import Displaced, admit
from orchestrator.stores.agents import find_agent
from orchestrator.stores.changes import change_run
from orchestrator.stores.rows import request_of, run_of
from orchestrator.stores.sessions import find_session, insert_session
from orchestrator.stores.telling import announce
from orchestrator.stores.wakeups import Wakeups

__all__ = ["PostgresRuns"]

_GET = "select * from run where id = $1 and tenant = $2 and ($3::text is null or user_id = $3)"

_LIST = """
select * from run
where tenant = $1 and ($2::text is null or user_id = $2)
  and ($3 = '' or session = $3) and ($4 = '' or agent = $4) and ($5 = '' or state = $5)
  and ($6::text is null or id < $6) and parent = $8
order by id desc limit $7
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

# A session that began with a fork goes on with the talk before the run that was forked.
_HISTORY = """
with recursive talk as (
    select $1::text as session, $2::text as before, 1 as depth
    union all
    select source.session, source.id, talk.depth + 1
    from talk
    join run as fork on fork.session = talk.session and fork.forked_from <> ''
    join run as source on source.id = fork.forked_from
    where talk.depth < 100
)
select past.* from talk cross join lateral (
    select * from run where session = talk.session and id < talk.before and state = 'SUCCEEDED' and parent = ''
    order by id desc limit $3
) as past order by past.id desc limit $3
"""


class PostgresRuns:
    """`domain.storage.RunStore` on Postgres; tells the feed and the other processes of every change."""

    def __init__(
        self,
        pool: Pool,
        codec: EventCodec,
        feed: Feed,
        wakeups: Wakeups,
        *,
        released: Callable[[], None] = lambda: None,
    ) -> None:
        """`released` is called when a run that waited may begin: the engine then looks for it at once."""
        self._pool, self._codec, self._feed, self._wakeups = pool, codec, feed, wakeups
        self._released, self._ended = released, _nobody

    def when_ended(self, hint: Callable[[], None]) -> None:
        """Call this when a run has ended that another one may wait for, or that may have asked for others."""
        self._ended = hint

    async def create(
        self, key: RequestKey, viewer: Viewer, session: str, make: MakeRun, on_busy: OnBusy = OnBusy.REJECT
    ) -> Run:
        """Store the run and, if it has none, its session; once for the key."""
        made: list[Run] = []
        displaced: list[Displaced] = []

        async def effect(connection: Connection) -> bytes:
            home = await find_session(connection, viewer, session) if session else None

            async def find(name: str) -> Agent | None:
                return await find_agent(connection, key.tenant, name)

            new = await make(home, find)
            if new.session:
                await insert_session(connection, new.session)
            admitted = await admit(connection, self._codec, new.run, on_busy)
            made.append(admitted.run)
            displaced.extend(admitted.displaced)
            return new.run.id.encode()

        run_id = (await idempotency.once(self._pool, request_of(key), key.digest, effect)).decode()
        for gone in displaced:
            announce(self._feed, self._wakeups, gone.run, gone.events)
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
                _LIST, viewer.tenant, viewer.user, query.session, query.agent, state, before, limit, query.parent
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
            with driver_errors():
                changed = await change_run(self._pool, self._codec, before, change)
        announce(self._feed, self._wakeups, changed.run, changed.events)
        if changed.released:
            self._released()
        if changed.run.state.terminal and (changed.run.parent or changed.run.spec.agents):
            self._ended()
        return changed.run

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


def _nobody() -> None:
    """Tell nobody."""
