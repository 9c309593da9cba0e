"""Vectors without a model: words and their letters, hashed. It finds shared words and spellings, never shared meaning.

Owns the fallback for machines that have no weights; its name, `builtin/hash-384`, tells callers what they get.
"""

import math
import re
import unicodedata
from collections.abc import Iterator, Sequence
from hashlib import blake2b

__all__ = ["DIMENSION", "MODEL", "encode_hashed"]

MODEL = "builtin/hash-384"
DIMENSION = 384

_MAX_CHARACTERS = 32_768  # what is read of one text, so that none costs more than some tens of milliseconds
_WORD_WEIGHT = 1.0
_LETTERS_WEIGHT = 0.3  # a word has several letter groups; together they weigh about as much as the word
_GROUP = 3  # letters


def encode_hashed(texts: Sequence[str]) -> list[list[float]]:
    """Return one unit vector of 384 numbers a text; the same text gives the same vector on every machine."""
    return [_vector(text[:_MAX_CHARACTERS]) for text in texts]


def _vector(text: str) -> list[float]:
    vector = [0.0] * DIMENSION
    for feature, weight in _features(text):
        digest = int.from_bytes(blake2b(feature.encode("utf-8", "replace"), digest_size=8).digest(), "big")
        # The sign comes from another bit than the place, so that features that meet in one place cancel on average.
        vector[(digest >> 1) % DIMENSION] += weight if digest & 1 else -weight
    length = math.sqrt(sum(value * value for value in vector))
    if length == 0.0:  # every feature cancelled
        return [1.0] + [0.0] * (DIMENSION - 1)
    return [value / length for value in vector]


def _features(text: str) -> Iterator[tuple[str, float]]:
    normal = unicodedata.normalize("NFKC", text).casefold()
    for word in re.findall(r"\w+", normal) or [normal]:
        yield f"word:{word}", _WORD_WEIGHT
        marked = f"<{word}>"
        for start in range(len(marked) - _GROUP + 1):
            yield f"letters:{marked[start : start + _GROUP]}", _LETTERS_WEIGHT
