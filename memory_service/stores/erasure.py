"""Erasing a user from everywhere, and reading back that nothing is left. It runs as the mesh itself: it sees all rows.

Owns the order. The outbox comes first: deleting a user's changes waits for the worker that is at one of them, so that
nothing is written of what was there before once the rows are gone; then the rows, the vectors, the cache; then a look
at each of them.
"""

import structlog

from memory_service.domain.model import Owner
from memory_service.domain.privacy import Erased
from memory_service.stores.indexes import PostgresIndexes
from memory_service.stores.recent import RedisRecent
from memory_service.stores.rows import QUERIES
from meshkit.errors import Unavailable
from meshkit.sql.failures import driver_errors
from meshkit.sql.pool import Connection, Pool, transaction

__all__ = ["PostgresErasure"]

_TRIES = 3
_RETRY_AFTER = 1.0
_COUNTED = {"interaction": "interactions", "fact": "facts", "document": "documents", "extraction": "extractions"}
_log = structlog.get_logger(__name__)


class PostgresErasure:
    """`domain.privacy.Erasure`."""

    def __init__(self, pool: Pool, indexes: PostgresIndexes, recent: RedisRecent) -> None:
        """`pool` connects as the owner of the tables."""
        self._pool, self._indexes, self._recent = pool, indexes, recent

    async def erase(self, owner: Owner) -> Erased:
        """Erase everything of the owner. Raises Unavailable: what is left is erased by a repetition."""
        counts = dict.fromkeys(_COUNTED.values(), 0)
        left = ["rows"]
        for _ in range(_TRIES):  # again for what was written meanwhile
            with driver_errors():
                sessions = [row["session"] for row in await self._pool.fetch(QUERIES["sessions_of"], *_names(owner))]
            async with transaction(self._pool) as connection:
                for table, gone in (await _erase_rows(connection, owner)).items():
                    counts[_COUNTED[table]] += gone
            for vectors in await self._indexes.everywhere():
                await vectors.forget(owner)
            await self._recent.forget_owner(owner, sessions)
            left = await self._left(owner, sessions)
            if not left:
                _log.info("user_erased", **counts)
                return Erased(**counts)
        _log.warning("erasure_incomplete", left=left)
        raise Unavailable("the user's memory is being written to", retry_after=_RETRY_AFTER)

    async def _left(self, owner: Owner, sessions: list[str]) -> list[str]:
        with driver_errors():
            async with self._pool.acquire() as connection:
                places = [table for table in await _tables(connection) if await _count(connection, table, owner)]
                if await connection.fetchval(QUERIES["count_requests"], *_names(owner)):
                    places.append("idempotency")
        places += [vectors.name for vectors in await self._indexes.everywhere() if await vectors.count(owner)]
        if await self._recent.holds(owner, sessions):
            places.append("cache")
        return places


async def _erase_rows(connection: Connection, owner: Owner) -> dict[str, int]:
    tables = await _tables(connection)
    # Counted before any is deleted: rows also go with those that they belong to.
    counts = {table: await _count(connection, table, owner) for table in _COUNTED}
    for table in tables:
        statement = f'DELETE FROM "{table}" WHERE tenant = $1 AND user_id = $2'  # noqa: S608 - the catalog's name
        await connection.execute(statement, *_names(owner))
    await connection.execute(QUERIES["erase_requests"], *_names(owner))
    return counts


async def _count(connection: Connection, table: str, owner: Owner) -> int:
    statement = f'SELECT count(*) FROM "{table}" WHERE tenant = $1 AND user_id = $2'  # noqa: S608 - the catalog's name
    return int(await connection.fetchval(statement, *_names(owner)))


async def _tables(connection: Connection) -> list[str]:
    return [row["relname"] for row in await connection.fetch(QUERIES["personal_tables"])]


def _names(owner: Owner) -> tuple[str, str]:
    return owner.tenant, owner.user
