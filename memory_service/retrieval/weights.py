"""The learned weights of turn ranking: one set for each way in which a question may have been looked at.

Owns the file that holds every weight, with the measurement that chose them (`weights.json`; `bench/locomo` makes it).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memory_service.retrieval.features import columns

__all__ = ["LinearModel", "Weights", "load_weights"]

LOOKS = {"words": (False, False), "meaning": (True, False), "tokens": (True, True)}
"""With vectors, with token vectors: what each set was learned with."""


@dataclass(frozen=True, slots=True, eq=False)
class LinearModel:
    """A weight for each feature, and how a sum becomes a score from 0 to 1."""

    weights: NDArray[np.float32]
    scale: float
    offset: float


@dataclass(frozen=True, slots=True)
class Weights:
    """The sets by whether vectors and token vectors were compared."""

    models: Mapping[tuple[bool, bool], LinearModel]

    def of(self, *, dense: bool, matches: bool) -> LinearModel:
        """Return the set for what was compared."""
        return self.models[dense, matches]


def load_weights(path: Path | None = None) -> Weights:
    """Return the weights of a file, by default those that come with the service.

    Raises ValueError for a file that does not fit the features, OSError if it cannot be read.
    """
    text = path.read_text() if path else files("memory_service.retrieval").joinpath("weights.json").read_text()
    sets = json.loads(text)["sets"]
    return Weights({look: _model(sets[name], look) for name, look in LOOKS.items()})


def _model(held: Mapping[str, Any], look: tuple[bool, bool]) -> LinearModel:
    dense, matches = look
    names = columns(dense=dense, matches=matches)
    if set(held["weights"]) != set(names):
        raise ValueError(f"the weights are not those of the features: {set(held['weights']) ^ set(names)}")
    weights = np.array([held["weights"][name] for name in names], dtype=np.float32)
    return LinearModel(weights, float(held["scale"]), float(held["offset"]))
