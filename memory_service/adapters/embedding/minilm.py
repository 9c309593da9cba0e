"""The offline model, all-MiniLM-L6-v2: English texts and their words to 384 numbers, on this machine's processors.

Owns tokens, padding and the choice of what runs the arithmetic: onnxruntime with a graph that we build, or numpy where
onnxruntime is missing. Everything here blocks: `batching` calls it from a thread.
"""

import hashlib
import importlib.util
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers import Encoding, Tokenizer

from memory_service.adapters.embedding import weights
from memory_service.adapters.embedding.cache import cached_file
from memory_service.adapters.embedding.forward import MAX_TOKENS, NumpyForward
from memory_service.retrieval.tokens import Reading

__all__ = ["MODEL", "Forward", "MiniLM", "load_minilm", "onnx_forward", "onnx_graph"]

MODEL = "sentence-transformers/all-MiniLM-L6-v2"
# More than 254 of the longest words that the tokenizer knows: a longer text costs no more than this.
_MAX_CHARACTERS = 32_768
# Tokens, padding included, that one pass of the model takes: enough to keep the processors busy, few enough that
# memory stays in the tens of MB.
_TOKENS_A_PASS = 1024

Forward = Callable[[NDArray[np.int64], NDArray[np.int64]], tuple[NDArray[np.float32], NDArray[np.float32]]]
"""Token ids and their mask, (texts, tokens): a unit vector for each text, and one in any length for each token."""


class MiniLM:
    """Texts to vectors, blocking. One thread at a time."""

    def __init__(self, tokenizer: bytes, forward: Forward) -> None:
        self._tokenizer = Tokenizer.from_buffer(tokenizer)
        self._tokenizer.enable_truncation(MAX_TOKENS)
        self._tokenizer.no_padding()
        self._forward = forward

    def encode(self, texts: Sequence[str]) -> list[list[float]]:
        """Return one unit vector a text. A text is read up to its 256th token (and 32,768th character)."""
        return [reading.vector for reading in self.read(texts)]

    def read(self, texts: Sequence[str]) -> list[Reading]:
        """Return what each text means, as a whole and token by token."""
        # A lone surrogate is no character and the tokenizer refuses it: one bad text must not fail its whole batch.
        clean = [text[:_MAX_CHARACTERS].encode("utf-8", "replace").decode() for text in texts]
        encodings = self._tokenizer.encode_batch(clean)
        readings: dict[int, Reading] = {}
        for group in _groups([len(encoding.ids) for encoding in encodings]):
            vectors, states = self._forward(*_padded([encodings[index].ids for index in group]))
            for row, (index, vector) in enumerate(zip(group, vectors.tolist(), strict=True)):
                encoding = encodings[index]
                own = states[row, : len(encoding.ids)].copy()  # a view would keep the states of the whole batch
                starts = [start for start, _ in encoding.offsets]
                readings[index] = Reading(vector, own, starts, _words(clean[index], encoding))
        return [readings[index] for index in range(len(texts))]


def load_minilm(model: Path, cache: Path, *, threads: int | None = None) -> MiniLM:
    """Load the model from its folder; the first time, build its graph in `cache` (under a second).

    `threads` work on one text; by default one for each processor this process may use, at most 4.
    Raises ModelFilesError when the files are not the genuine ones, OSError when `cache` cannot be used.
    """
    tokenizer = weights.read_verified(model / "tokenizer.json", weights.TOKENIZER_SHA256)
    if importlib.util.find_spec("onnxruntime") is None or importlib.util.find_spec("onnx") is None:
        return MiniLM(tokenizer, NumpyForward(weights.load_tensors(model)))
    return MiniLM(tokenizer, onnx_forward(onnx_graph(model, cache), threads=threads))


def onnx_graph(model: Path, cache: Path) -> bytes:
    """Return the 8-bit graph from `cache`; build it there when it is not, or when the weights or our code changed."""
    recipe = weights.WEIGHTS_SHA256.encode() + Path(__file__).with_name("graph.py").read_bytes()
    name = f"minilm-int8-{hashlib.sha256(recipe).hexdigest()[:16]}.onnx"

    def build() -> bytes:
        # Imported here: a start that finds the graph needs no onnx, which takes 30 MB and a quarter of a second.
        from memory_service.adapters.embedding.graph import build_graph  # noqa: PLC0415

        return build_graph(weights.load_tensors(model), quantized=True)

    return cached_file(cache, name, build)


def onnx_forward(graph: bytes, *, threads: int | None = None) -> Forward:
    """Return the forward pass that runs a serialised graph."""
    import onnxruntime  # type: ignore[import-untyped]  # noqa: PLC0415 - heavy, and absent on some machines

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or min(4, len(os.sched_getaffinity(0)))
    options.inter_op_num_threads = 1
    # A thread that spins for its next task takes the processor from the event loop.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])

    def forward(ids: NDArray[np.int64], mask: NDArray[np.int64]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        vectors, states = session.run(["vectors", "states"], {"ids": ids, "mask": mask})
        return vectors, states

    return forward


def _words(text: str, encoding: Encoding) -> list[str | None]:
    spans: dict[int, tuple[int, int]] = {}
    for word, (start, end) in zip(encoding.word_ids, encoding.offsets, strict=True):
        if word is not None:
            spans[word] = (spans.get(word, (start, end))[0], end)
    return [None if word is None else text[slice(*spans[word])] for word in encoding.word_ids]


def _groups(lengths: Sequence[int]) -> Iterator[list[int]]:
    # Texts of like length go together, so that little of a pass is padding.
    group: list[int] = []
    for index in sorted(range(len(lengths)), key=lengths.__getitem__):
        if group and (len(group) + 1) * lengths[index] > _TOKENS_A_PASS:
            yield group
            group = []
        group.append(index)
    if group:
        yield group


def _padded(tokens: Sequence[Sequence[int]]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    shape = (len(tokens), max(map(len, tokens)))
    ids, mask = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
    for row, text in enumerate(tokens):
        ids[row, : len(text)] = text
        mask[row, : len(text)] = 1
    return ids, mask
