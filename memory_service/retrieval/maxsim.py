"""A turn's token vectors as single bits, and how well each word of a question is met by some word of a turn.

Owns the stored form (one bit a dimension: the sign) and the comparison, in which the question keeps its exact numbers.
It runs no model and chooses no candidate.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["MAX_TOKENS", "best_matches", "pack"]

Floats = NDArray[np.float32]

MAX_TOKENS = 64
"""Tokens of a turn that are kept, from its beginning."""
_AT_ONCE = 256  # tokens whose numbers fit into a processor's cache: half the time of all at once


def pack(vectors: Floats) -> bytes:
    """Return the signs of a text's token vectors (tokens, dimensions), an eighth of a byte each: 48 bytes for 384.

    Tokens past `MAX_TOKENS` are dropped. Raises ValueError when the dimensions are no multiple of 8.
    """
    if vectors.shape[1] % 8:
        raise ValueError(f"{vectors.shape[1]} dimensions do not fill whole bytes")
    return np.packbits(vectors[:MAX_TOKENS] > 0, axis=1).tobytes()


def best_matches(query: Floats, packed: Sequence[bytes]) -> Floats:
    """Return (texts, query tokens): for each token of the question, the cosine of the nearest token in each text.

    `query` is (tokens, dimensions) in any length. A text without tokens is as far as can be: -1 everywhere.
    Raises ValueError when a packed text holds no whole number of tokens.
    """
    dimensions = query.shape[1]
    width = dimensions // 8
    sizes = np.fromiter(map(len, packed), dtype=np.int64, count=len(packed))
    if (sizes % width).any():
        raise ValueError("packed token vectors are cut short")
    matches = np.full((len(packed), len(query)), -1, dtype=np.float32)
    held = np.flatnonzero(sizes)
    if not len(held):
        return matches
    tokens = np.frombuffer(b"".join(packed), dtype=np.uint8).reshape(-1, width)
    unit = query / np.maximum(np.linalg.norm(query, axis=1, keepdims=True), np.float32(1e-12))
    # With signs s = 2 bits - 1 and |s| = sqrt(dimensions): q.s = 2 q.bits - sum(q).
    products = np.empty((len(tokens), len(query)), dtype=np.float32)
    for start in range(0, len(tokens), _AT_ONCE):
        bits = np.unpackbits(tokens[start : start + _AT_ONCE], axis=1).astype(np.float32)
        np.matmul(bits, unit.T, out=products[start : start + _AT_ONCE])
    starts = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(sizes[held] // width)[:-1]])
    best = np.maximum.reduceat(products, starts, axis=0)
    matches[held] = (2 * best - unit.sum(axis=1)) / np.float32(np.sqrt(dimensions))
    return matches
