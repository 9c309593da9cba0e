"""The learned weights of turn ranking: a weighted sum of features, with one set for each thing that may be missing.

Owns the file that holds every weight (`weights.json`, made by `python -m bench.locomo --learn`; docs/memory.md has the
measurement that chose them) and the sum. It computes no feature and learns nothing.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from memory_service.retrieval import features

__all__ = ["SETS", "Weights", "dump_weights", "load_weights"]

Floats = NDArray[np.float32]

SETS: Mapping[str, tuple[str, ...]] = {
    "words": features.columns(dense=False, matches=False),
    "dense": features.columns(dense=True, matches=False),
    "full": features.columns(dense=True, matches=True),
}
"""The columns of each set of weights: words alone, with vectors, with token vectors too."""


@dataclass(frozen=True, slots=True)
class Weights:
    """Weights for each of `SETS`, in the order of its columns."""

    sets: Mapping[str, Floats]

    def score(self, scene: features.Scene) -> Floats:
        """Return (candidates,): higher is better, comparable within one question only. Takes the set that fits."""
        name = "words" if not scene.meaning else "dense" if scene.matches is None else "full"
        scores: Floats = features.matrix(scene) @ self.sets[name]
        return scores


def dump_weights(weights: Weights) -> str:
    """Return the file of weights: each set's columns with their weights, in JSON."""
    rounded = {
        name: {column: round(float(weight), 4) for column, weight in zip(SETS[name], weights.sets[name], strict=True)}
        for name in SETS
    }
    return json.dumps(rounded, indent=1) + "\n"


def load_weights(path: Path | None = None) -> Weights:
    """Return the weights of a file, by default those that come with the service.

    Raises ValueError when a set or a column is missing, unknown or not finite, OSError when the file cannot be read.
    """
    text = path.read_text() if path else files("memory_service.retrieval").joinpath("weights.json").read_text()
    raw = json.loads(text)
    if not isinstance(raw, dict) or set(raw) != set(SETS):
        raise ValueError(f"the ranking's weights must be the sets {', '.join(SETS)}")
    sets: dict[str, Floats] = {}
    for name, wanted in SETS.items():
        if set(raw[name]) != set(wanted):
            raise ValueError(f"the weights of the set {name} must be for {', '.join(wanted)}")
        sets[name] = np.array([raw[name][column] for column in wanted], dtype=np.float32)
        if not np.isfinite(sets[name]).all():
            raise ValueError(f"the weights of the set {name} must be finite")
    return Weights(sets)
