"""Turns and facts as they are now, for the index."""

from collections.abc import Collection, Mapping

from memory_service.domain.model import Fact, Interaction, Kind, Source
from memory_service.stores.rows import QUERIES, fact_of, interaction_of
from meshkit.sql.failures import driver_errors
from meshkit.sql.pool import Pool

__all__ = ["PostgresSources"]


class PostgresSources:
    """`domain.ports.Sources` on Postgres."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def current(self, sources: Collection[Source]) -> Mapping[Source, Interaction | Fact]:
        """Return those of the sources that exist."""
        turns = [source.id for source in sources if source.kind is Kind.INTERACTION]
        facts = [source.id for source in sources if source.kind is Kind.FACT]
        found: list[Interaction | Fact] = []
        with driver_errors():
            if turns:
                found += map(interaction_of, await self._pool.fetch(QUERIES["current_interactions"], turns))
            if facts:
                found += map(fact_of, await self._pool.fetch(QUERIES["current_facts"], facts))
        return {_source_of(item): item for item in found}


def _source_of(item: Interaction | Fact) -> Source:
    return Source(item.owner, Kind.FACT if isinstance(item, Fact) else Kind.INTERACTION, item.id)
