"""The connections of a service to its schema.

Owns how connections are made (search path, time limits, JSON) and how a transaction is opened. Every service has one
schema of its own in the shared database and never reads another's.
"""

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import asyncpg
import structlog

from meshkit.errors import Unavailable
from meshkit.sql.failures import driver_errors

if TYPE_CHECKING:
    Pool = asyncpg.Pool[asyncpg.Record]
    Connection = asyncpg.Connection[asyncpg.Record] | asyncpg.pool.PoolConnectionProxy[asyncpg.Record]
else:  # the driver's classes cannot be subscripted at run time
    Pool, Connection = asyncpg.Pool, asyncpg.Connection

__all__ = ["Connection", "Pool", "open_pool", "ping_of", "transaction"]

SCHEMA_PATTERN = re.compile("^[a-z][a-z_]{0,30}$")
_COMMAND_SECONDS = 30.0  # no statement of a request takes longer; what does is stuck
_RETRY_SECONDS = 0.5
_CLOSE_SECONDS = 5.0
_log = structlog.get_logger(__name__)


@asynccontextmanager
async def open_pool(
    dsn: str, schema: str, *, min_size: int = 1, max_size: int = 10, patience: float = 60.0
) -> AsyncIterator[Pool]:
    """Give a pool whose connections look into `schema`, then `public`; jsonb columns are Python values.

    At start the database may come up after us: connecting is tried for `patience` seconds, then Unavailable is raised.
    """
    if not SCHEMA_PATTERN.fullmatch(schema):
        raise ValueError(f"{schema!r} is no schema name")
    pool = await _connect(dsn, schema, min_size, max_size, time.monotonic() + patience)
    try:
        yield pool
    finally:
        try:
            await asyncio.wait_for(pool.close(), _CLOSE_SECONDS)
        except TimeoutError:
            pool.terminate()  # a connection that somebody still holds must not keep the process alive


@asynccontextmanager
async def transaction(pool: Pool) -> AsyncIterator[Connection]:
    """Give a connection inside a transaction; driver errors are mapped. An exception rolls back."""
    with driver_errors():
        async with pool.acquire(timeout=_COMMAND_SECONDS) as connection, connection.transaction():
            yield connection


def ping_of(pool: Pool) -> Callable[[], Awaitable[object]]:
    """Return the health check of the pool's database."""

    async def ping() -> object:
        return await pool.fetchval("SELECT 1")

    return ping


async def _connect(dsn: str, schema: str, min_size: int, max_size: int, give_up: float) -> Pool:
    while True:
        try:
            with driver_errors():
                return await asyncpg.create_pool(
                    dsn,
                    min_size=min_size,
                    max_size=max_size,
                    command_timeout=_COMMAND_SECONDS,
                    timeout=10.0,
                    connection_class=_MeshConnection,
                    init=_prepare,
                    server_settings={"search_path": f"{schema},public", "application_name": f"agentmesh-{schema}"},
                )
        except Unavailable:
            if time.monotonic() >= give_up:
                raise
            _log.warning("database_awaited", schema=schema)
            await asyncio.sleep(_RETRY_SECONDS)


class _MeshConnection(asyncpg.Connection):
    """A connection that is given back as it is: an open transaction is rolled back, and nothing more is asked for.

    The driver's own way costs a round trip each time, to undo what no service does: session settings, listening,
    cursors and session locks, of which the few that exist are released by who took them.
    """

    __slots__ = ()

    def get_reset_query(self) -> str:
        """Return nothing."""
        return ""


async def _prepare(connection: Connection) -> None:
    for kind in ("json", "jsonb"):
        await connection.set_type_codec(kind, encoder=json.dumps, decoder=json.loads, schema="pg_catalog")
