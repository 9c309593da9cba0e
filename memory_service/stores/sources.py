"""Turns, facts and passages as they are now, for the index."""

from collections.abc import Callable, Collection, Mapping
from typing import Any

from memory_service.domain.model import Indexed, Kind, Source, source_of
from memory_service.stores.rows import QUERIES, fact_of, interaction_of, passage_of
from meshkit.sql.failures import driver_errors
from meshkit.sql.pool import Pool

__all__ = ["PostgresSources"]


_READ: Mapping[Kind, tuple[str, Callable[[Any], Indexed]]] = {
    Kind.INTERACTION: ("current_interactions", interaction_of),
    Kind.FACT: ("current_facts", fact_of),
    Kind.DOCUMENT: ("current_passages", passage_of),
}


class PostgresSources:
    """`domain.ports.Sources` on Postgres."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def current(self, sources: Collection[Source]) -> Mapping[Source, Indexed]:
        """Return those of the sources that exist."""
        found: list[Indexed] = []
        with driver_errors():
            for kind, (query, make) in _READ.items():
                if ids := [source.id for source in sources if source.kind is kind]:
                    found += [make(row) for row in await self._pool.fetch(QUERIES[query], ids)]
        return {source_of(item): item for item in found}
