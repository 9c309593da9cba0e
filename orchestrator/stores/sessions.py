"""Sessions in Postgres, and what was said in them."""

from collections.abc import Sequence
from typing import Any

import asyncpg

from meshkit.errors import Aborted, FailedPrecondition, NotFound
from meshkit.sql import idempotency
from meshkit.sql.failures import driver_errors
from meshkit.sql.pool import Connection, Pool, transaction
from orchestrator.domain.model import Agent, Message, Role, Session
from orchestrator.domain.storage import MakeSession, RequestKey
from orchestrator.domain.viewing import Viewer
from orchestrator.stores.agents import find_agent
from orchestrator.stores.rows import request_of, session_of
from orchestrator.stores.snapshots import session_from_bytes, session_to_bytes

__all__ = ["PostgresSessions", "find_session", "insert_session", "refuse_busy"]

_INSERT = """
insert into session (id, tenant, user_id, title, agent, labels, create_time, update_time, etag)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
"""

_GET = "select * from session where id = $1 and tenant = $2 and ($3::text is null or user_id = $3)"

_LIST = """
select * from session where tenant = $1 and user_id = $2 and ($3::text is null or id < $3) order by id desc limit $4
"""

_BUSY = """
select id, state from run where session = $1 and state not in ('SUCCEEDED', 'FAILED', 'CANCELLED') order by waits, id
"""

_UPDATE = """
update session set title = $3, agent = $4, labels = $5, update_time = $6, etag = $7
where id = $1 and tenant = $2 and etag = $8 returning *
"""

# What the user said has place 1 in its run, the answer place 2. Ids grow with time, and a session's runs follow each
# other, so the order of ids is the order of the talk.
_MESSAGES = """
select * from (
    select id as run, 1 as place, input as text, agent, create_time as said from run
    where session = $1 and id >= $2 and parent = ''
    union all
    select id, 2, output, agent, finish_time from run
    where session = $1 and id >= $2 and state = 'SUCCEEDED' and parent = ''
) as message
where (run, place) > ($2, $3) order by run, place limit $4
"""


async def find_session(connection: Connection | Pool, viewer: Viewer, session: str) -> Session:
    """Return the session. Raises NotFound."""
    return session_of(_found(await connection.fetchrow(_GET, session, viewer.tenant, viewer.user)))


async def insert_session(connection: Connection, session: Session) -> None:
    """Store a new session in the transaction going on."""
    await connection.execute(
        _INSERT, session.id, session.tenant, session.user, session.title, session.agent, dict(session.labels),
        session.create_time, session.update_time, session.etag,
    )  # fmt: skip


async def refuse_busy(connection: Connection, session: str) -> None:
    """Raise FailedPrecondition if a run of the session is not done; it tells which one and how far it is."""
    if busy := await connection.fetchrow(_BUSY, session):
        raise FailedPrecondition(f"the session's run {busy['id']} is {busy['state']}")


class PostgresSessions:
    """`domain.storage.SessionStore` on Postgres."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def create(self, key: RequestKey, make: MakeSession) -> Session:
        """Store the session, once for the key."""

        async def effect(connection: Connection) -> bytes:
            async def find(name: str) -> Agent | None:
                return await find_agent(connection, key.tenant, name)

            session = await make(find)
            await insert_session(connection, session)
            return session_to_bytes(session)

        return session_from_bytes(await idempotency.once(self._pool, request_of(key), key.digest, effect))

    async def get(self, viewer: Viewer, session: str) -> Session:
        """Return the session. Raises NotFound."""
        with driver_errors():
            return await find_session(self._pool, viewer, session)

    async def list(self, tenant: str, user: str, before: str | None, limit: int) -> Sequence[Session]:
        """Return the user's sessions, newest first."""
        with driver_errors():
            rows = await self._pool.fetch(_LIST, tenant, user, before, limit)
        return [session_of(row) for row in rows]

    async def update(self, session: Session, expected_etag: str) -> Session:
        """Replace the session if its etag is the expected one."""
        with driver_errors():
            row = await self._pool.fetchrow(
                _UPDATE, session.id, session.tenant, session.title, session.agent, dict(session.labels),
                session.update_time, session.etag, expected_etag,
            )  # fmt: skip
        if row is None:
            await self.get(Viewer(session.tenant, session.user), session.id)
            raise Aborted("the session changed since it was read")
        return session_of(row)

    async def delete(self, viewer: Viewer, session: str) -> None:
        """Delete the session with its runs and their events."""
        async with transaction(self._pool) as connection:
            # Locked against a run being added at the same time.
            _found(await connection.fetchrow(f"{_GET} for update", session, viewer.tenant, viewer.user))
            await refuse_busy(connection, session)
            await connection.execute("delete from session where id = $1", session)

    async def messages(self, session: str, after: tuple[str, int] | None, limit: int) -> Sequence[tuple[int, Message]]:
        """Return what was said, oldest first, with its place in the run."""
        with driver_errors():
            rows = await self._pool.fetch(_MESSAGES, session, *(after or ("", 0)), limit)
        return [(row["place"], _message(row)) for row in rows]


def _message(row: Any) -> Message:
    role = Role.USER if row["place"] == 1 else Role.ASSISTANT
    return Message(row["run"], role, row["text"], row["agent"], row["said"])


def _found(row: "asyncpg.Record | None") -> "asyncpg.Record":
    if row is None:
        raise NotFound("no such session")
    return row
