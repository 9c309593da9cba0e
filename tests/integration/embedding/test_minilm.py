"""The offline model itself: what it means, how near the fast forms are to the exact one, and any text at all."""

import asyncio
import importlib.util
from pathlib import Path

import numpy as np
import pytest

from memory_service.adapters.embedding import factory, weights
from memory_service.adapters.embedding.factory import build_embedder, load_offline
from memory_service.adapters.embedding.forward import NumpyForward
from memory_service.adapters.embedding.graph import build_graph
from memory_service.adapters.embedding.minilm import MiniLM, load_minilm, onnx_forward

TEXTS = [
    "My name is Ada and I prefer short answers.",
    "What is my name?",
    "The cat sleeps on the warm windowsill.",
    "A kitten naps beside the window.",
    "You must file your income tax declaration before May.",
    "Our meeting with the architects moved from Tuesday to Friday at ten.",
    "def add(a, b): return a + b",
    "yes",
    "The quick brown fox jumps over the lazy dog. " * 12,
    "Élan vital, naïve café, Zürich, 東京, Привет мир",
]


def model_folder() -> Path:
    folder = weights.find_model()
    assert folder is not None
    return folder


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def tensors() -> weights.Tensors:
    return weights.load_tensors(model_folder())


@pytest.fixture(scope="module")
def exact(tensors: weights.Tensors) -> MiniLM:
    return MiniLM((model_folder() / "tokenizer.json").read_bytes(), NumpyForward(tensors))


@pytest.fixture(scope="module")
def fast(cache: Path) -> MiniLM:
    return load_minilm(model_folder(), cache)


def vectors(model: MiniLM, texts: list[str]) -> np.ndarray:
    return np.array(model.encode(texts))


def cosines(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    return (left * right).sum(axis=1)


def test_the_exact_graph_computes_what_numpy_does(exact: MiniLM, tensors: weights.Tensors) -> None:
    graph = onnx_forward(build_graph(tensors, quantized=False))
    onnx = MiniLM((model_folder() / "tokenizer.json").read_bytes(), graph)
    assert cosines(vectors(onnx, TEXTS), vectors(exact, TEXTS)).min() >= 0.9999


def test_the_8_bit_graph_stays_near_the_exact_vectors(exact: MiniLM, fast: MiniLM) -> None:
    near = cosines(vectors(fast, TEXTS), vectors(exact, TEXTS))
    assert near.min() >= 0.98
    assert near.mean() >= 0.995


def test_padding_does_not_change_the_exact_vector(exact: MiniLM) -> None:
    together = vectors(exact, TEXTS)
    alone = np.concatenate([vectors(exact, [text]) for text in TEXTS])
    assert cosines(together, alone).min() >= 0.99999


def test_company_hardly_changes_a_fast_vector(fast: MiniLM) -> None:
    together = vectors(fast, TEXTS)
    alone = np.concatenate([vectors(fast, [text]) for text in TEXTS])
    assert cosines(together, alone).min() >= 0.98


def test_meaning_is_near(fast: MiniLM) -> None:
    cat, kitten, tax = vectors(fast, ["a cat", "a kitten", "income tax"])
    assert cat @ kitten > 0.6
    assert cat @ tax < 0.35
    question, answer, other = vectors(fast, ["What is my name?", "My name is Ada", "The bridge opens at noon"])
    assert question @ answer > question @ other + 0.2


def test_only_the_first_256_tokens_count(fast: MiniLM) -> None:
    beginning = "alpha " * 254  # 254 tokens and the two that mark beginning and end
    inside = "alpha " * 253 + "omega"
    whole, longer, changed = (fast.encode([text])[0] for text in (beginning, beginning + "omega " * 500, inside))
    assert longer == whole
    assert changed != whole


@pytest.mark.parametrize(
    "text", ["", " \n\t", "\x00", "\ud800", "😀" * 300, "a" * 200_000, "漢字" * 20_000, "\u202e \u2067"]
)
def test_any_text_has_a_unit_vector_and_spoils_no_other(fast: MiniLM, text: str) -> None:
    (strange, plain) = vectors(fast, [text, "plain"])
    assert strange.shape == (384,)
    assert np.linalg.norm(strange) == pytest.approx(1.0, abs=1e-4)
    assert plain @ np.array(fast.encode(["plain"])[0]) > 0.95


def test_no_text_no_vector(fast: MiniLM) -> None:
    assert fast.encode([]) == []


def test_a_damaged_graph_is_built_again(fast: MiniLM, cache: Path) -> None:
    (path,) = cache.glob("*.onnx")
    good = path.read_bytes()
    damaged = bytearray(good)
    damaged[len(damaged) // 2] ^= 1
    path.write_bytes(damaged)
    again = load_minilm(model_folder(), cache)
    assert path.read_bytes() == good  # the build is deterministic
    assert again.encode(["cat"]) == fast.encode(["cat"])


def test_numpy_takes_over_without_onnxruntime(cache: Path, exact: MiniLM, monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "onnxruntime" else find(name))
    assert cosines(vectors(load_minilm(model_folder(), cache), TEXTS[:4]), vectors(exact, TEXTS[:4])).min() > 0.99999


async def test_many_callers_at_once(cache: Path, fast: MiniLM) -> None:
    embedder = await build_embedder(await load_offline(cache))
    try:
        assert (embedder.model, embedder.dimension) == ("sentence-transformers/all-MiniLM-L6-v2", 384)
        texts = [f"{text} ({number})" for number in range(6) for text in TEXTS[:8]]
        answers = await asyncio.gather(*(embedder.embed([text]) for text in texts))
        together = np.array([answer[0] for answer in answers])
        alone = np.concatenate([vectors(fast, [text]) for text in texts])
        assert cosines(together, alone).min() >= 0.98
    finally:
        await embedder.close()


async def test_without_weights_the_model_says_that_it_only_hashes(
    cache: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(factory, "find_model", lambda: None)
    embedder = await build_embedder(await load_offline(cache))
    try:
        assert (embedder.model, embedder.dimension) == ("builtin/hash-384", 384)
        assert len((await embedder.embed(["hello"]))[0]) == 384
        assert "embedding_weights_missing" in caplog.text
    finally:
        await embedder.close()
