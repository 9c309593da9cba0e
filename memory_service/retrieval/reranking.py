"""The port to a reranker: a model that reads the question and each text together, and says how well they fit.

Owns how its judgement enters: the first ones are put in its order, the others stay behind them. It is optional, and
when it is late or wrong the order stays as it was.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from memory_service.domain.model import Place
from memory_service.domain.search import Found, Search
from meshkit.errors import MeshError

__all__ = ["RerankedSearch", "Reranker", "Texts", "reordered"]

_RERANKED = 30  # texts that it is asked about, of each place
_PATIENCE_SECONDS = 1.0


class Reranker(Protocol):
    """A model that compares."""

    async def scores(self, query: str, texts: Sequence[str]) -> list[float]:
        """Return how well each text fits, 0 to 1. Raises a MeshError when the model does not do its work."""
        ...


class Texts(Protocol):
    """What was found, as text."""

    async def load(self, place: Place, ids: Sequence[str]) -> Mapping[str, str]:
        """Return the texts of those that exist and are the owner's."""
        ...


class RerankedSearch:
    """`domain.search.Search` whose first findings a reranker puts in order."""

    def __init__(
        self, search: Search, texts: Texts, reranker: Reranker, *, warn: Callable[[str, BaseException], None]
    ) -> None:
        self._search, self._texts, self._reranker, self._warn = search, texts, reranker, warn

    async def find(self, query: str, *places: Place) -> Found:
        """Search several places for the same query. Raises Unavailable when Postgres does not answer."""
        found = await self._search.find(query, *places)
        ordered = await asyncio.gather(
            *(self._order(query, place, ranked) for place, ranked in zip(places, found.places, strict=True))
        )
        return Found(ordered, found.degraded)

    async def _order(
        self, query: str, place: Place, ranked: Sequence[tuple[str, float]]
    ) -> Sequence[tuple[str, float]]:
        texts = await self._texts.load(place, [source for source, _ in ranked[:_RERANKED]])
        if len(texts) < 2:
            return ranked
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                scores = await self._reranker.scores(query, list(texts.values()))
        except (MeshError, TimeoutError) as error:
            self._warn("search_not_reranked", error)
            return ranked
        return reordered(ranked, dict(zip(texts, scores, strict=True)))


def reordered(ranked: Sequence[tuple[str, float]], judged: Mapping[str, float]) -> list[tuple[str, float]]:
    """Return the ids in the order of their judgement; those that were not judged behind them, as they were."""
    first = sorted(
        ((source, min(1.0, max(0.0, judged[source]))) for source, _ in ranked if source in judged),
        key=lambda each: -each[1],
    )
    least = first[-1][1] if first else 1.0
    return first + [(source, min(score, least)) for source, score in ranked if source not in judged]
