"""State directories for the tests of the embedded programs, gone afterwards."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def state() -> Iterator[Path]:
    """A state directory that the account `nobody` can pass into; pytest's own `tmp_path` is closed to it."""
    yield from _directory(0o755)


@pytest.fixture
def closed_state() -> Iterator[Path]:
    """A state directory below one that only its owner may enter, like a project in root's home."""
    yield from _directory(0o700)


def _directory(mode: int) -> Iterator[Path]:
    root = Path(tempfile.mkdtemp(prefix="mesh-"))
    root.chmod(mode)
    yield root / "state"
    home = root / "state" / "postgres" / "home"
    if home.is_symlink():
        shutil.rmtree(home.resolve())
    shutil.rmtree(root)
