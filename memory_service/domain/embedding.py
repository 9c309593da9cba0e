"""The port to an embedding model: texts in, vectors that lie close when the texts mean the same.

Owns what the memory needs of any model; it knows no model, library or endpoint (`memory_service.adapters.embedding`).
"""

from collections.abc import Sequence
from typing import Protocol

__all__ = ["Embedder"]


class Embedder(Protocol):
    """A model that turns texts into vectors. One model and one dimension for as long as the process lives."""

    @property
    def model(self) -> str:
        """The model's name, stored with every index: vectors of two models must never be compared."""

    @property
    def dimension(self) -> int:
        """How many numbers a vector has."""

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """Return one vector of length 1 (Euclidean) for each text, in the order of the texts.

        The inner product of two vectors is thus their cosine. Any text is accepted, the empty one too. A model reads
        only the beginning of a long text: split what must be found as a whole. The offline model reads 256 tokens,
        some 200 English words. The last digits of a vector may depend on which texts were embedded together with it.

        At most 1,024 texts a call. Cancelling the call gives up its turn and delays nobody.

        Raises InvalidArgument for more texts than that, ResourceExhausted (OVERLOADED) when too many texts wait
        already, Unavailable (DRAINING) after `close`, Unavailable (DEPENDENCY_UNAVAILABLE, MODEL_FAILED) or
        DeadlineExceeded (MODEL_TIMEOUT) when a remote model does not do its work.
        """

    async def close(self) -> None:
        """Free the model: texts at work are finished, texts that wait fail with Unavailable (DRAINING)."""
