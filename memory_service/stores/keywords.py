"""Search by words, on Postgres's full text."""

from memory_service.domain.model import Place
from memory_service.stores.rows import QUERIES
from meshkit.sql.failures import driver_errors
from meshkit.sql.pool import Pool

__all__ = ["PostgresKeywords"]


class PostgresKeywords:
    """`domain.ports.Keywords` on Postgres."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def search(self, place: Place, query: str, limit: int) -> dict[str, float]:
        """Return ids with the share of the query's words that they have."""
        owner = place.owner
        with driver_errors():
            rows = await self._pool.fetch(
                QUERIES["search_words"], owner.tenant, owner.user, place.kind, place.session, query, limit
            )
        return {row["source"]: row["score"] for row in rows}
