"""The port to a vector index: pieces of turns and facts as vectors, found again by likeness within one owner's memory.

Owns what memory needs of any engine. An index can always be made again from Postgres, so it promises little: what was
written may be lost with its engine, and what was deleted may show until the outbox has caught up.
"""

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from memory_service.domain.model import Owner, Place, Source

__all__ = ["Nearest", "Point", "VectorStore"]


@dataclass(frozen=True, slots=True)
class Point:
    """The vector of one piece of a source: pieces are numbered from 0."""

    source: Source
    session: str
    piece: int
    vector: Sequence[float]


Nearest = Callable[[Sequence[float], int], Awaitable[dict[str, float]]]
"""Takes a vector and a limit. Returns the ids of the sources whose best piece is most alike, with its cosine, best
first. Raises Unavailable when the engine does not answer."""


class VectorStore(Protocol):
    """An index for the vectors of one model. Every method raises Unavailable when the engine does not answer."""

    @property
    def name(self) -> str:
        """The name of the index: it tells engine, model and dimension."""

    async def exists(self) -> bool:
        """Tell whether the index is there."""

    async def reset(self) -> None:
        """Make the index, empty; what it held is gone."""

    async def drop(self) -> None:
        """Let the index be gone with all that it holds. Safe to repeat."""

    async def replace(self, sources: Collection[Source], points: Sequence[Point]) -> None:
        """Let the sources have these points and no others; a source without points is gone. Safe to repeat."""

    async def at(self, place: Place) -> Nearest:
        """Return what compares a vector with all in the place. It can be had before the vector is known."""

    async def forget(self, owner: Owner) -> None:
        """Let everything of the owner be gone. Safe to repeat."""

    async def count(self, owner: Owner) -> int:
        """Return how many points the owner has."""

    async def ping(self) -> object:
        """Return if the engine answers."""
