"""Search by words and by meaning at once, of one owner's memory; it answers by words alone when meaning is late.

    query ─┬─► words (Postgres, always) ───────────────┬─► fuse ─► ids with scores
           └─► embed ─► vector index (within patience) ┘

Owns the patience and the rule of degrading. How scores are weighed is `ranking`.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from memory_service.domain.embedding import Embedder
from memory_service.domain.model import Place
from memory_service.domain.ports import Keywords
from memory_service.domain.ranking import CANDIDATES, fuse
from memory_service.domain.vectors import VectorStore
from meshkit.errors import MeshError

__all__ = ["PATIENCE_SECONDS", "Found", "Search", "Warn"]

PATIENCE_SECONDS = 0.5
"""How long meaning may take in all, embedding included, before words answer alone."""
_QUERY_BYTES = 8192  # what the contract says is searched for of a longer query

Warn = Callable[[str, BaseException], None]
"""Logs an action that went on without a part of it."""


@dataclass(frozen=True, slots=True)
class Found:
    """For each place asked for, in order: ids with scores from 0 to 1, best first."""

    places: Sequence[Sequence[tuple[str, float]]]
    degraded: bool


class Search:
    """Finds the ids of turns, facts and passages."""

    def __init__(
        self,
        embedder: Embedder,
        vectors: VectorStore,
        keywords: Keywords,
        *,
        warn: Warn,
        patience: float = PATIENCE_SECONDS,
    ) -> None:
        self._embedder, self._vectors, self._keywords = embedder, vectors, keywords
        self._warn, self._patience = warn, patience

    async def find(self, query: str, *places: Place) -> Found:
        """Search several places for the same query. Raises Unavailable when Postgres does not answer."""
        text = query.encode()[:_QUERY_BYTES].decode(errors="ignore")
        by_meaning, by_words = await asyncio.gather(
            self._meaning(text, places),
            asyncio.gather(*(self._keywords.search(place, text, CANDIDATES) for place in places)),
        )
        if by_meaning is None:
            return Found([fuse(words, None) for words in by_words], degraded=True)
        return Found([fuse(*pair) for pair in zip(by_words, by_meaning, strict=True)], degraded=False)

    async def _meaning(self, query: str, places: Sequence[Place]) -> list[dict[str, float]] | None:
        try:
            async with asyncio.timeout(self._patience):
                (vector,) = await self._embedder.embed([query])
                return await asyncio.gather(*(self._vectors.search(place, vector, CANDIDATES) for place in places))
        except (MeshError, TimeoutError) as error:
            self._warn("search_by_words_only", error)
            return None
