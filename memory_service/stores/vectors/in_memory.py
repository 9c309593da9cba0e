"""A vector index in this process: for tests, and the plainest statement of what an index does."""

from collections.abc import Collection, Sequence
from functools import partial

from memory_service.domain.model import Owner, Place, Source
from memory_service.domain.vectors import Nearest, Point
from meshkit.errors import Unavailable

__all__ = ["InMemoryVectors"]


class InMemoryVectors:
    """`domain.vectors.VectorStore` in a dictionary."""

    def __init__(self, model: str, dimension: int) -> None:
        self.name = f"memory/{model}/{dimension}"
        self._points: dict[Source, list[Point]] | None = None

    async def exists(self) -> bool:
        """Tell whether `reset` was called."""
        return self._points is not None

    async def reset(self) -> None:
        """Make the index, empty."""
        self._points = {}

    async def drop(self) -> None:
        """Let the index be gone."""
        self._points = None

    async def replace(self, sources: Collection[Source], points: Sequence[Point]) -> None:
        """Let the sources have these points and no others."""
        held = self._held()
        for source in sources:
            held.pop(source, None)
        for point in points:
            held.setdefault(point.source, []).append(point)

    async def at(self, place: Place) -> Nearest:
        """Return what compares a vector with every point of the place."""
        return partial(self._nearest, place)

    async def _nearest(self, place: Place, vector: Sequence[float], limit: int) -> dict[str, float]:
        likeness = {
            source.id: max(_cosine(point.vector, vector) for point in points)
            for source, points in self._held().items()
            if source.owner == place.owner
            and source.kind == place.kind
            and (not place.session or points[0].session == place.session)
        }
        return dict(sorted(likeness.items(), key=lambda each: (-each[1], each[0]))[:limit])

    async def forget(self, owner: Owner) -> None:
        """Let everything of the owner be gone."""
        held = self._held()
        for source in [source for source in held if source.owner == owner]:
            del held[source]

    async def count(self, owner: Owner) -> int:
        """Return how many points the owner has."""
        return sum(len(points) for source, points in self._held().items() if source.owner == owner)

    async def ping(self) -> object:
        """Return always."""
        return None

    def _held(self) -> dict[Source, list[Point]]:
        if self._points is None:
            raise Unavailable("the vector index is not there")
        return self._points


def _cosine(one: Sequence[float], other: Sequence[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))  # both are of length 1
