"""From features to a score: a weighted sum, and its likelihood of being what was asked for."""

import numpy as np
from numpy.typing import NDArray

from memory_service.retrieval.weights import LinearModel

__all__ = ["score"]


def score(matrix: NDArray[np.float32], model: LinearModel) -> NDArray[np.float32]:
    """Return a score from 0 to 1 for each row of (candidates, features)."""
    sums = matrix @ model.weights * np.float32(model.scale) + np.float32(model.offset)
    likelihood: NDArray[np.float32] = 1 / (1 + np.exp(-sums.clip(-30, 30)))
    return likelihood
