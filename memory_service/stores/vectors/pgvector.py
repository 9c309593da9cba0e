"""The vector index in Postgres itself (pgvector): the default, shared by all processes, with no server of its own.

Owns its tables, one per model. Search is exact: it compares with every vector of one owner, and needs no index that an
owner's filter would have to fight. The vectors of owners who are asked about are kept in this process (`kept`), for
comparing with ten thousand of them takes Postgres 26 ms and numpy 2; only an owner with very many is compared with in
Postgres. An approximate index over all owners would lose recall here: the planner then walks it and filters afterwards.
The query is written so that even a table that has one is searched exactly.
"""

import hashlib
import re
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

import asyncpg

from memory_service.domain.model import Owner, Place, Source
from memory_service.domain.vectors import Nearest, Point
from memory_service.stores.mirror import Mirror
from memory_service.stores.vectors.kept import KEPT_ROWS, NEW_ROWS, VectorShard
from meshkit.config import ConfigError
from meshkit.errors import Unavailable
from meshkit.sql.failures import driver_errors
from meshkit.sql.pool import Pool, ping_of, transaction

__all__ = ["PgVectors", "install_pgvector"]

_CREATE = """
CREATE TABLE IF NOT EXISTS {table} (
  tenant text NOT NULL,
  user_id text NOT NULL,
  kind text NOT NULL,
  source text COLLATE "C" NOT NULL,
  piece int NOT NULL,
  session text NOT NULL,
  -- Half precision: half the pages to read, and the cosine is the same to three digits.
  embedding halfvec({dimension}) NOT NULL,
  written xid8 NOT NULL DEFAULT pg_current_xact_id(),
  PRIMARY KEY (tenant, user_id, kind, source, piece)
);
CREATE INDEX IF NOT EXISTS {table}_written ON {table} (tenant, user_id, kind, written);
CREATE OR REPLACE TRIGGER rows_are_deleted AFTER DELETE ON {table}
REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION rows_are_deleted();
SELECT build_wall('{table}', 'select');
"""

_FORGET = "DELETE FROM {table} WHERE tenant = $1 AND user_id = $2"
_COUNT = "SELECT count(*) FROM {table} WHERE tenant = $1 AND user_id = $2"

_KEPT_BYTES = 192 * 1024 * 1024

_DELETE = """
DELETE FROM {table} AS old USING unnest($1::text[], $2::text[], $3::text[], $4::text[])
  AS gone (tenant, user_id, kind, source)
WHERE old.tenant = gone.tenant AND old.user_id = gone.user_id AND old.kind = gone.kind AND old.source = gone.source
"""

# Another process may have written the same piece a moment ago.
_INSERT = """
INSERT INTO {table} (tenant, user_id, kind, source, piece, session, embedding)
SELECT tenant, user_id, kind, source, piece, session, embedding::halfvec
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::int[], $6::text[], $7::text[])
  AS new (tenant, user_id, kind, source, piece, session, embedding)
ON CONFLICT (tenant, user_id, kind, source, piece)
DO UPDATE SET session = excluded.session, embedding = excluded.embedding, written = excluded.written
"""

# The one place where owner, kind and session are applied. MATERIALIZED keeps the planner from an approximate index, and
# the vector asked for in a row of its own from being parsed again for every vector compared.
_SEARCH = """
WITH asked AS MATERIALIZED (
  SELECT $5::text::halfvec AS vector
), mine AS MATERIALIZED (
  SELECT source, embedding <#> asked.vector AS distance FROM {table}, asked
  WHERE tenant = $1 AND user_id = $2 AND kind = $3 AND ($4 = '' OR session = $4)
)
SELECT source, -min(distance) AS likeness FROM mine GROUP BY source ORDER BY likeness DESC, source LIMIT $6
"""


async def install_pgvector(pool: Pool) -> None:
    """Make sure that the database has pgvector. Raises ConfigError with the remedy, Unavailable."""
    try:
        with driver_errors():
            await pool.execute("CREATE EXTENSION IF NOT EXISTS vector SCHEMA public")
            await pool.fetchval("SELECT NULL::halfvec(1)")
    except asyncpg.InsufficientPrivilegeError:
        raise ConfigError(
            "the database lacks pgvector and this role may not install it: "
            "let a superuser run CREATE EXTENSION vector SCHEMA public in it, or set QDRANT_URL"
        ) from None
    except (asyncpg.UndefinedObjectError, asyncpg.FeatureNotSupportedError, asyncpg.UndefinedFileError):
        raise ConfigError(
            "this Postgres has no pgvector, or one older than 0.7: install it, or set QDRANT_URL"
        ) from None


class PgVectors:
    """`domain.vectors.VectorStore` on pgvector."""

    def __init__(
        self, callers: Pool, owner: Pool, model: str, dimension: int, *, most_bytes: int = _KEPT_BYTES
    ) -> None:
        """Search for callers, behind their wall, and write as the owner; keep at most `most_bytes` in this process."""
        self.name = f"pgvector/{model}/{dimension}"
        self._ping = ping_of(owner)
        self._callers, self._owner, self._dimension = callers, owner, dimension
        self._table = _table(self.name, model)
        statement = NEW_ROWS.format(table=self._table, most=KEPT_ROWS)
        self._kept = Mirror(callers, statement, VectorShard.empty(dimension), VectorShard.plus, most_bytes=most_bytes)

    async def exists(self) -> bool:
        """Tell whether the table is there."""
        with driver_errors():
            return bool(await self._owner.fetchval("SELECT to_regclass($1) IS NOT NULL", self._table))

    async def reset(self) -> None:
        """Make the table, empty."""
        async with transaction(self._owner) as connection:
            await connection.execute(_CREATE.format(table=self._table, dimension=self._dimension))
            await connection.execute(f"TRUNCATE {self._table}")

    async def drop(self) -> None:
        """Drop the table."""
        async with transaction(self._owner) as connection:
            await connection.execute("SET LOCAL lock_timeout = '500ms'")  # searches must not wait behind us
            await connection.execute(f"DROP TABLE IF EXISTS {self._table}")
            await connection.execute("DELETE FROM deletion WHERE relation = $1", self._table)

    async def replace(self, sources: Collection[Source], points: Sequence[Point]) -> None:
        """Let the sources have these points and no others."""
        gone = sorted(_columns(source) for source in sources)  # sorted: two processes lock rows in the same order
        new = sorted((*_columns(point.source), point.piece, point.session, _text(point.vector)) for point in points)
        with _index_errors():
            async with transaction(self._owner) as connection:
                await connection.execute(_DELETE.format(table=self._table), *_turned(gone, 4))
                await connection.execute(_INSERT.format(table=self._table), *_turned(new, 7))

    async def at(self, place: Place) -> Nearest:
        """Return what compares a vector with all of the place, as they are now."""
        with _index_errors():
            shard = await self._kept.of(place)
        return partial(self._nearest_in_postgres if shard.overflown else shard.nearest, place)

    async def _nearest_in_postgres(self, place: Place, vector: Sequence[float], limit: int) -> dict[str, float]:
        owner = place.owner
        with _index_errors(), driver_errors():
            rows = await self._callers.fetch(
                _SEARCH.format(table=self._table), owner.tenant, owner.user, place.kind, place.session,
                _text(vector), limit,
            )  # fmt: skip
        return {row["source"]: row["likeness"] for row in rows}

    async def forget(self, owner: Owner) -> None:
        """Let everything of the owner be gone."""
        with _index_errors(), driver_errors():
            await self._owner.execute(_FORGET.format(table=self._table), owner.tenant, owner.user)

    async def count(self, owner: Owner) -> int:
        """Return how many points the owner has."""
        with _index_errors(), driver_errors():
            return int(await self._owner.fetchval(_COUNT.format(table=self._table), owner.tenant, owner.user))

    async def ping(self) -> object:
        """Return if Postgres answers."""
        return await self._ping()


def _table(name: str, model: str) -> str:
    readable = re.sub("[^a-z0-9]+", "_", model.lower())[:32]
    return f"vectors_{readable}_{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def _columns(source: Source) -> tuple[str, str, str, str]:
    return source.owner.tenant, source.owner.user, str(source.kind), source.id


def _text(vector: Sequence[float]) -> str:
    return f"[{','.join(f'{number:.6g}' for number in vector)}]"


def _turned(rows: Sequence[tuple[object, ...]], width: int) -> list[list[object]]:
    return [[row[column] for row in rows] for column in range(width)]


@contextmanager
def _index_errors() -> Iterator[None]:
    try:
        yield
    except asyncpg.UndefinedTableError as error:  # another process made an index for another model
        raise Unavailable("the vector index is not there") from error
