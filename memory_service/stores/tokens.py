"""The token vectors of turns in Postgres. They go with their turns."""

from collections.abc import Mapping, Sequence

from memory_service.domain.model import Owner
from memory_service.stores.rows import QUERIES
from meshkit.sql.failures import driver_errors
from meshkit.sql.pool import Pool

__all__ = ["PostgresTokens"]


class PostgresTokens:
    """`retrieval.search.Tokens` and `retrieval.reading.TokenWriter` on Postgres."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def load(self, owner: Owner, turns: Sequence[str]) -> Mapping[str, bytes]:
        """Return what is there of the owner's turns."""
        with driver_errors():
            rows = await self._pool.fetch(QUERIES["load_tokens"], owner.tenant, owner.user, turns)
        return {row["source"]: row["tokens"] for row in rows}

    async def put(self, tokens: Mapping[str, bytes]) -> None:
        """Store the tokens of turns, whoever owns them."""
        with driver_errors():
            await self._pool.execute(QUERIES["put_tokens"], list(tokens), list(tokens.values()))
