"""The port to a model that tells what each token of a text means, in its place there.

Owns what late interaction needs of any model: comparing a question with a text token by token.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["Reading", "TokenModel"]


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """What a text means."""

    vector: list[float]
    """As a whole, of length 1."""
    states: NDArray[np.float32]
    """(tokens, dimensions): token by token, in any length, with the model's own first and last token."""
    starts: Sequence[int]
    """Where each token begins in the text, in characters; 0 for the model's own."""
    words: Sequence[str | None]
    """Each token's whole word; None for the model's own."""

    def said(self, head: int) -> NDArray[np.float32]:
        """Return the states of the text's own tokens that begin at or after the character `head`."""
        own = [
            number
            for number, (start, word) in enumerate(zip(self.starts, self.words, strict=True))
            if word is not None and start >= head
        ]
        return self.states[np.array(own, dtype=np.int64)]


class TokenModel(Protocol):
    """A model that reads texts token by token."""

    async def read(self, texts: Sequence[str]) -> list[Reading]:
        """Return what each text means, up to its 256th token. Raises what `Embedder.embed` raises."""
