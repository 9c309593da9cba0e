"""The model's arithmetic in numpy: what runs where onnxruntime is missing, and what the ONNX graph is tested against.

Owns one forward pass of a six-layer BERT in 32-bit floats. It knows no text (`minilm`) and no file (`weights`). Its
matrix products use as many cores as OPENBLAS_NUM_THREADS allows.
"""

import math

import numpy as np
from numpy.typing import NDArray

from memory_service.adapters.embedding.weights import Tensors

__all__ = ["DIMENSION", "HEADS", "LAYERS", "MAX_TOKENS", "NORM_EPSILON", "NumpyForward"]

DIMENSION = 384
LAYERS = 6
HEADS = 12
MAX_TOKENS = 256  # the model was trained on no more, though it has 512 positions
NORM_EPSILON = 1e-12

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]


class NumpyForward:
    """The forward pass over a batch of token ids."""

    def __init__(self, tensors: Tensors) -> None:
        self._tensors = tensors

    def __call__(self, ids: Ints, mask: Ints) -> tuple[Floats, Floats]:
        """Return one unit vector a row, and one a token in any length: (texts, tokens, dimensions).

        `ids` and `mask` are (texts, tokens); `mask` is 0 where `ids` is padding.
        """
        tensors = self._tensors
        hidden = tensors["embeddings.word_embeddings.weight"][ids]
        hidden = hidden + tensors["embeddings.position_embeddings.weight"][: ids.shape[1]]
        hidden = hidden + tensors["embeddings.token_type_embeddings.weight"][0]
        hidden = self._norm(hidden, "embeddings.LayerNorm")
        bias = np.where(mask[:, None, None, :] == 1, np.float32(0), np.float32(-1e9))
        for layer in range(LAYERS):
            name = f"encoder.layer.{layer}"
            attended = self._linear(self._attention(hidden, bias, name), f"{name}.attention.output.dense")
            hidden = self._norm(hidden + attended, f"{name}.attention.output.LayerNorm")
            inner = _gelu(self._linear(hidden, f"{name}.intermediate.dense"))
            hidden = self._norm(hidden + self._linear(inner, f"{name}.output.dense"), f"{name}.output.LayerNorm")
        summed = (hidden * mask[:, :, None].astype(np.float32)).sum(axis=1)
        vectors: Floats = summed / np.linalg.norm(summed, axis=-1, keepdims=True)
        return vectors, hidden

    def _attention(self, hidden: Floats, bias: Floats, name: str) -> Floats:
        texts, tokens, _ = hidden.shape
        query, key, value = (
            self._linear(hidden, f"{name}.attention.self.{part}")
            .reshape(texts, tokens, HEADS, -1)
            .transpose(0, 2, 1, 3)
            for part in ("query", "key", "value")
        )
        scores = query @ key.transpose(0, 1, 3, 2) / np.float32(math.sqrt(DIMENSION // HEADS)) + bias
        scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
        scores /= scores.sum(axis=-1, keepdims=True)
        attended: Floats = (scores @ value).transpose(0, 2, 1, 3).reshape(texts, tokens, DIMENSION)
        return attended

    def _linear(self, x: Floats, name: str) -> Floats:
        return x @ self._tensors[f"{name}.weight"].T + self._tensors[f"{name}.bias"]

    def _norm(self, x: Floats, name: str) -> Floats:
        centred = x - x.mean(axis=-1, keepdims=True)
        variance = (centred * centred).mean(axis=-1, keepdims=True)
        scaled = centred / np.sqrt(variance + np.float32(NORM_EPSILON))
        normed: Floats = scaled * self._tensors[f"{name}.weight"] + self._tensors[f"{name}.bias"]
        return normed


def _gelu(x: Floats) -> Floats:
    return np.float32(0.5) * x * (1 + _erf(x / np.float32(math.sqrt(2))))


def _erf(x: Floats) -> Floats:
    # Numpy has no erf. Abramowitz and Stegun 7.1.26 errs by at most 1.5e-7, which is what a 32-bit float can hold.
    z = np.abs(x)
    t = 1 / (1 + np.float32(0.3275911) * z)
    series = np.zeros_like(z)
    for coefficient in (1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592):
        series = (series + np.float32(coefficient)) * t
    result: Floats = np.copysign(1 - series * np.exp(-z * z), x)
    return result
