"""Keeping the vector index as the rows are. It is told what changed, reads how it is now, and makes the index so.

Because it reads and does not replay, changes may come twice, late or out of order. Two processes may work on the same
source at once; whoever finds it changed while writing leaves it to be done again, so the last state always wins.
"""

from collections.abc import Collection, Mapping

from memory_service.domain.indexes import Index
from memory_service.domain.model import Indexed, Source, session_of
from memory_service.domain.passages import passages
from memory_service.domain.ports import Sources
from memory_service.domain.vectors import Point

__all__ = ["Indexer"]

_TEXTS_AT_ONCE = 4
"""A question waits for the texts that the model is at: few, so that what is indexed never keeps a search waiting."""


class Indexer:
    """Brings a vector index up to date."""

    def __init__(self, sources: Sources, index: Index) -> None:
        self._sources, self._embedder, self._vectors = sources, index.embedder, index.vectors

    async def index(self, changed: Collection[Source]) -> Collection[Source]:
        """Index the sources as they are now. Returns those that did not change meanwhile; the others are to come again.

        Raises a MeshError when the model or the index does not answer.
        """
        sources = set(changed)
        before = await self._sources.current(sources)
        await self._vectors.replace(sources, await self._points(before))
        after = await self._sources.current(sources)
        return [source for source in sources if before.get(source) == after.get(source)]

    async def _points(self, items: Mapping[Source, Indexed]) -> list[Point]:
        pieces = [
            (source, item, number, text) for source, item in items.items() for number, text in enumerate(passages(item))
        ]
        texts = [text for *_, text in pieces]
        vectors: list[list[float]] = []
        for start in range(0, len(texts), _TEXTS_AT_ONCE):
            vectors += await self._embedder.embed(texts[start : start + _TEXTS_AT_ONCE])
        return [
            Point(source, session_of(item), number, vector)
            for (source, item, number, _), vector in zip(pieces, vectors, strict=True)
        ]
