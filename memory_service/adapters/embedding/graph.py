"""The model as an ONNX graph, made from its weights with no framework: six layers, mean pooling, unit length.

Owns the graph's shape and its 8-bit form. It reads and writes no file (`cache`) and runs nothing (`minilm`).

    ids, mask (texts, tokens) -> word + position -> 6 x [attention, feed-forward] -> states
    states -> mean -> length 1 -> vectors
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, checker, helper, numpy_helper

from memory_service.adapters.embedding.forward import DIMENSION, HEADS, LAYERS, MAX_TOKENS, NORM_EPSILON
from memory_service.adapters.embedding.weights import Tensors

__all__ = ["build_graph"]

_OPSET = 23  # the first with Attention as one operator
_IR_VERSION = 11
# Weights take 7 bits of their 8: without VNNI instructions, two 8-bit products can overflow the 16 bits they are summed
# in. On such a machine 7 bits were as close to the exact vectors as 8; on every other they are safe.
_WEIGHT_LEVELS = np.float32(63)
_TABLE_LEVELS = np.float32(127)


def build_graph(tensors: Tensors, *, quantized: bool) -> bytes:
    """Return the serialised graph: inputs `ids` and `mask`, outputs `vectors` and `states`.

    `quantized` keeps the words and the attention's weights as 8-bit integers, one scale a word or output channel, and
    rounds the attention's activations as they come: 44 MB instead of 90, some 1.4 times as fast, cosine to the exact
    vector about 0.998. The feed-forward part stays exact: its activations have outliers, and one scale for the whole
    batch would cost a text as much as 0.03 of cosine, depending on which texts it meets there, for little speed.
    """
    return _Builder(tensors, quantized=quantized).build()


class _Builder:
    """Collects nodes and constants; every method returns the name of the value that it adds."""

    def __init__(self, tensors: Tensors, *, quantized: bool) -> None:
        self._tensors = tensors
        self._quantized = quantized
        self._nodes: list[Any] = []
        self._constants: list[Any] = []

    def build(self) -> bytes:
        hidden = self._embeddings()
        mask = self._attention_mask()
        for layer in range(LAYERS):
            hidden = self._layer(hidden, mask, f"encoder.layer.{layer}")
        self._nodes.append(helper.make_node("LpNormalization", [self._sum(hidden)], ["vectors"], axis=-1, p=2))
        self._nodes.append(helper.make_node("Identity", [hidden], ["states"]))
        graph = helper.make_graph(
            self._nodes,
            "all-MiniLM-L6-v2",
            [helper.make_tensor_value_info(name, TensorProto.INT64, ["texts", "tokens"]) for name in ("ids", "mask")],
            [
                helper.make_tensor_value_info("vectors", TensorProto.FLOAT, ["texts", DIMENSION]),
                helper.make_tensor_value_info("states", TensorProto.FLOAT, ["texts", "tokens", DIMENSION]),
            ],
            self._constants,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR_VERSION)
        checker.check_model(model)
        return model.SerializeToString()

    def _embeddings(self) -> str:
        words = self._tensors["embeddings.word_embeddings.weight"]
        if self._quantized:
            scales = np.abs(words).max(axis=1, keepdims=True) / _TABLE_LEVELS
            rows = self._op("Gather", self._constant(np.rint(words / scales).astype(np.int8)), "ids")
            rows = self._op("Cast", rows, to=TensorProto.FLOAT)
            word = self._op("Mul", rows, self._op("Gather", self._constant(scales), "ids"))
        else:
            word = self._op("Gather", self._constant(words), "ids")
        # A text alone is always of token type 0, so its vector joins the positions.
        positions = self._tensors["embeddings.position_embeddings.weight"][:MAX_TOKENS]
        positions = positions + self._tensors["embeddings.token_type_embeddings.weight"][0]
        tokens = self._op("Shape", "ids", start=1, end=2)
        position = self._op("Slice", self._constant(positions), self._integers(0), tokens)
        return self._norm(self._op("Add", word, position), "embeddings.LayerNorm")

    def _attention_mask(self) -> str:
        # Attention wants one row of the mask for each query token: (texts, 1, tokens, tokens).
        keys = self._op("Unsqueeze", self._op("Cast", "mask", to=TensorProto.BOOL), self._integers(1, 2))
        texts, tokens = self._op("Shape", "ids", start=0, end=1), self._op("Shape", "ids", start=1, end=2)
        return self._op("Expand", keys, self._op("Concat", texts, self._integers(1), tokens, tokens, axis=0))

    def _layer(self, hidden: str, mask: str, name: str) -> str:
        parts = [f"{name}.attention.self.{part}" for part in ("query", "key", "value")]
        mixed = self._linear(hidden, parts, quantized=self._quantized)  # one product instead of three
        query, key, value = self._ops("Split", [mixed], outputs=3, axis=-1, num_outputs=3)
        attended = self._op("Attention", query, key, value, mask, q_num_heads=HEADS, kv_num_heads=HEADS)
        attended = self._linear(attended, [f"{name}.attention.output.dense"], quantized=self._quantized)
        hidden = self._norm(self._op("Add", hidden, attended), f"{name}.attention.output.LayerNorm")
        inner = self._op("Gelu", self._linear(hidden, [f"{name}.intermediate.dense"], quantized=False))
        inner = self._linear(inner, [f"{name}.output.dense"], quantized=False)
        return self._norm(self._op("Add", hidden, inner), f"{name}.output.LayerNorm")

    def _linear(self, x: str, names: Sequence[str], *, quantized: bool) -> str:
        weight = np.concatenate([self._tensors[f"{name}.weight"] for name in names])
        bias = self._constant(np.concatenate([self._tensors[f"{name}.bias"] for name in names]))
        if not quantized:
            return self._op("Add", self._op("MatMul", x, self._constant(weight.T)), bias)
        scales = np.abs(weight).max(axis=1) / _WEIGHT_LEVELS
        integers = np.rint(weight / scales[:, None]).astype(np.int8).T
        # onnxruntime recognises this sequence and runs it as one operator.
        rounded, scale, zero = self._ops("DynamicQuantizeLinear", [x], outputs=3)
        product = self._op("MatMulInteger", rounded, self._constant(integers), zero)
        product = self._op("Cast", product, to=TensorProto.FLOAT)
        product = self._op("Mul", product, self._op("Mul", scale, self._constant(scales)))
        return self._op("Add", product, bias)

    def _norm(self, x: str, name: str) -> str:
        weight, bias = (self._constant(self._tensors[f"{name}.{part}"]) for part in ("weight", "bias"))
        return self._op("LayerNormalization", x, weight, bias, axis=-1, epsilon=NORM_EPSILON)

    def _sum(self, hidden: str) -> str:
        # The mean over the tokens of a text points where their sum does; the length is made 1 afterwards.
        weights = self._op("Unsqueeze", self._op("Cast", "mask", to=TensorProto.FLOAT), self._integers(2))
        return self._op("ReduceSum", self._op("Mul", hidden, weights), self._integers(1), keepdims=0)

    def _op(self, kind: str, *inputs: str, **attributes: Any) -> str:
        return self._ops(kind, inputs, outputs=1, **attributes)[0]

    def _ops(self, kind: str, inputs: Sequence[str], *, outputs: int, **attributes: Any) -> list[str]:
        names = [f"{kind}_{len(self._nodes)}_{index}" for index in range(outputs)]
        self._nodes.append(helper.make_node(kind, inputs, names, **attributes))
        return names

    def _integers(self, *values: int) -> str:
        return self._constant(np.array(values, dtype=np.int64))

    def _constant(self, values: NDArray[Any]) -> str:
        name = f"constant_{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name
