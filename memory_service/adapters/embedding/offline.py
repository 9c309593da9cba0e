"""The offline model as this service uses it: for vectors of texts, and for the tokens in them.

Owns that a text is read once: whoever wants its tokens usually wanted its vector a moment ago.
"""

from collections import OrderedDict
from collections.abc import Sequence

from memory_service.adapters.embedding.batching import Batching
from memory_service.adapters.embedding.forward import DIMENSION
from memory_service.adapters.embedding.minilm import MODEL, MiniLM
from memory_service.retrieval.tokens import Reading

__all__ = ["OfflineModel"]

_KEPT_READINGS = 64  # of at most 390 kB each


class OfflineModel:
    """`domain.embedding.Embedder` and `retrieval.tokens.TokenModel` on MiniLM."""

    model = MODEL
    dimension = DIMENSION

    def __init__(self, minilm: MiniLM) -> None:
        self._batches = Batching(minilm.read)
        self._kept: OrderedDict[str, Reading] = OrderedDict()

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """See `Embedder.embed`."""
        return [reading.vector for reading in await self.read(texts)]

    async def read(self, texts: Sequence[str]) -> list[Reading]:
        """See `TokenModel.read`."""
        there = {text: self._kept[text] for text in texts if text in self._kept}
        missing = [text for text in texts if text not in there]
        found = await self._batches.run(missing) if missing else []
        there |= zip(missing, found, strict=True)
        for text in texts[-_KEPT_READINGS:]:
            self._kept[text] = there[text]
            self._kept.move_to_end(text)
        while len(self._kept) > _KEPT_READINGS:
            self._kept.popitem(last=False)
        return [there[text] for text in texts]

    async def close(self) -> None:
        """See `Embedder.close`."""
        await self._batches.close()
