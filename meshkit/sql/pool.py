"""The connections of a service to its schema.

Owns how connections are made (role, search path, time limits, JSON), what they are told of whom they work for, and how
a transaction is opened. Every service has one schema of its own in the shared database and never reads another's.
"""

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import asyncpg
import structlog

from meshkit.errors import Unavailable
from meshkit.sql.failures import driver_errors

if TYPE_CHECKING:
    Pool = asyncpg.Pool[asyncpg.Record]
    Connection = asyncpg.Connection[asyncpg.Record] | asyncpg.pool.PoolConnectionProxy[asyncpg.Record]
else:  # the driver's classes cannot be subscripted at run time
    Pool, Connection = asyncpg.Pool, asyncpg.Connection

__all__ = ["Connection", "Pool", "Settings", "open_pool", "ping_of", "transaction"]

Settings = Callable[[], Mapping[str, str]]
"""Returns what a connection is told, by the names of Postgres's settings (`mesh.tenant`), for whoever takes it now."""

SCHEMA_PATTERN = re.compile("^[a-z][a-z_]{0,30}$")
_COMMAND_SECONDS = 30.0  # no statement of a request takes longer; what does is stuck
_RETRY_SECONDS = 0.5
_CLOSE_SECONDS = 5.0
_TELL = "SELECT set_config(name, value, false) FROM unnest($1::text[], $2::text[]) AS told (name, value)"
_log = structlog.get_logger(__name__)


@asynccontextmanager
async def open_pool(
    dsn: str,
    schema: str,
    *,
    min_size: int = 1,
    max_size: int = 10,
    patience: float = 60.0,
    role: str = "",
    settings: Settings | None = None,
) -> AsyncIterator[Pool]:
    """Give a pool whose connections look into `schema`, then `public`; jsonb columns are Python values.

    Statements have the rights of `role` if it is set, else those of the role that connects. `settings` is called when a
    connection is taken, in the taker's context, and is in force before the first statement; what it raises, taking
    raises. It names the same settings every time. At start the database may come up after us: connecting is tried for
    `patience` seconds, then Unavailable is raised.
    """
    if not SCHEMA_PATTERN.fullmatch(schema):
        raise ValueError(f"{schema!r} is no schema name")
    options: dict[str, Any] = {"min_size": min_size, "max_size": max_size, "setup": settings and _telling(settings)}
    server_settings = {"search_path": f"{schema},public", "application_name": f"agentmesh-{schema}"}
    if role:
        server_settings["role"] = role
    pool = await _connect(dsn, options | {"server_settings": server_settings}, time.monotonic() + patience)
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


async def _connect(dsn: str, options: Mapping[str, Any], give_up: float) -> Pool:
    while True:
        try:
            with driver_errors():
                return await asyncpg.create_pool(
                    dsn,
                    command_timeout=_COMMAND_SECONDS,
                    timeout=10.0,
                    connection_class=_MeshConnection,
                    init=_prepare,
                    **options,
                )
        except Unavailable:
            if time.monotonic() >= give_up:
                raise
            _log.warning("database_awaited", application=options["server_settings"]["application_name"])
            await asyncio.sleep(_RETRY_SECONDS)


class _MeshConnection(asyncpg.Connection):
    """A connection that is given back as it is: an open transaction is rolled back, and nothing more is asked for.

    The driver's own way costs a round trip each time, to undo what no service does: session settings, listening,
    cursors and session locks, of which the few that exist are released by who took them. So what a connection was told
    stays, and need not be told again to work for the same.
    """

    __slots__ = ("_told",)

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._told: Mapping[str, str] = {}

    async def tell(self, settings: Mapping[str, str]) -> None:
        """Put settings in force, outside of any transaction, unless they are."""
        if settings != self._told:
            await self.execute(_TELL, list(settings), list(settings.values()))
            self._told = dict(settings)

    def get_reset_query(self) -> str:
        """Return nothing."""
        return ""


def _telling(settings: Settings) -> Callable[[Any], Awaitable[None]]:
    async def tell(connection: Any) -> None:
        await connection.tell(settings())  # should this fail or be cancelled, the driver closes the connection

    return tell


async def _prepare(connection: Connection) -> None:
    for kind in ("json", "jsonb"):
        await connection.set_type_codec(kind, encoder=json.dumps, decoder=json.loads, schema="pg_catalog")
