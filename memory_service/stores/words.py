"""The words of an owner's things, read from Postgres and kept in this process."""

from collections.abc import Collection
from typing import Any

from memory_service.domain.model import Place, Source
from memory_service.domain.ports import Sources
from memory_service.retrieval.shard import Row, WordShard
from memory_service.stores.mirror import Mirror
from memory_service.stores.rows import QUERIES, put_words
from meshkit.sql.pool import Pool, transaction

__all__ = ["PostgresWords", "WordRewriter"]

_KEPT_BYTES = 64 * 1024 * 1024


class PostgresWords:
    """`retrieval.ranker.Words` on Postgres."""

    def __init__(self, pool: Pool, *, most_bytes: int = _KEPT_BYTES) -> None:
        """Keep at most `most_bytes` of words in this process."""
        self._kept = Mirror(pool, QUERIES["new_words"], WordShard(), _add, most_bytes=most_bytes)

    async def of(self, place: Place) -> WordShard:
        """Return the words of everything in the place, whatever its session."""
        return await self._kept.of(place)


class WordRewriter:
    """Brings the terms of what the version before this one wrote."""

    def __init__(self, pool: Pool, sources: Sources) -> None:
        self._pool, self._sources = pool, sources

    async def rewrite(self, changed: Collection[Source]) -> Collection[Source]:
        """Write the words of the sources as they are now; returns all of them."""
        items = await self._sources.current(changed)
        async with transaction(self._pool) as connection:
            for source, item in items.items():
                # Only where nobody was faster, and only if it was not deleted meanwhile.
                if await connection.fetchval(QUERIES["lock_bare_words"], *_names(source)):
                    await put_words(connection, item)
        return changed


def _names(source: Source) -> tuple[str, str, str, str]:
    return source.owner.tenant, source.owner.user, source.kind, source.id


def _add(shard: WordShard, found: Any) -> WordShard | None:
    columns = (found[name] for name in ("sources", "sessions", "places", "heads", "asks", "terms"))
    return shard.with_rows([Row(*values) for values in zip(*columns, strict=True)])
