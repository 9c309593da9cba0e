"""The port to search: what fits a query in one owner's memory, found by words and by meaning.

Owns what callers are promised; how it is done is `memory_service.retrieval`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from memory_service.domain.model import Place

__all__ = ["Found", "Search"]


@dataclass(frozen=True, slots=True)
class Found:
    """For each place asked for, in order: ids with scores from 0 to 1, best first."""

    places: Sequence[Sequence[tuple[str, float]]]
    degraded: bool
    """Words were compared only: the model or the vector index did not answer in time."""


class Search(Protocol):
    """Finds the ids of turns, facts and passages."""

    async def find(self, query: str, *places: Place) -> Found:
        """Search several places for the same query. Raises Unavailable when Postgres does not answer."""
        ...
