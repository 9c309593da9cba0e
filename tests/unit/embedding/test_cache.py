"""The cached file: made once, also by processes that start together, and made again when damaged."""

import subprocess
import sys
from pathlib import Path

import pytest

from memory_service.adapters.embedding.cache import cached_file

_MAKE_SLOWLY = """
import sys, time
from pathlib import Path
from memory_service.adapters.embedding.cache import cached_file

def make() -> bytes:
    with Path(sys.argv[2]).open("a") as log:
        log.write("made\\n")
    time.sleep(0.3)  # widens the window in which a second maker could slip in
    return b"content"

assert cached_file(Path(sys.argv[1]), "graph", make) == b"content"
"""


class Maker:
    def __init__(self) -> None:
        self.made = 0

    def __call__(self) -> bytes:
        self.made += 1
        return b"a costly file"


def test_it_is_made_once(tmp_path: Path) -> None:
    maker, folder = Maker(), tmp_path / "new" / "cache"
    assert cached_file(folder, "graph", maker) == cached_file(folder, "graph", maker) == b"a costly file"
    assert maker.made == 1
    assert folder.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("damage", ["flipped byte", "cut", "no digest", "wrong digest"])
def test_a_damaged_file_is_made_again(tmp_path: Path, damage: str) -> None:
    maker = Maker()
    cached_file(tmp_path, "graph", maker)
    path, digest = tmp_path / "graph", tmp_path / "graph.sha256"
    content = bytearray(path.read_bytes())
    match damage:
        case "flipped byte":
            content[3] ^= 1
            path.write_bytes(content)
        case "cut":
            path.write_bytes(content[:-1])
        case "no digest":
            digest.unlink()
        case "wrong digest":
            digest.write_text("0" * 64)
    assert cached_file(tmp_path, "graph", maker) == b"a costly file"
    assert maker.made == 2
    assert cached_file(tmp_path, "graph", maker) == b"a costly file"
    assert maker.made == 2


def test_a_failed_making_leaves_nothing_behind(tmp_path: Path) -> None:
    def fail() -> bytes:
        raise RuntimeError("no memory")

    with pytest.raises(RuntimeError):
        cached_file(tmp_path, "graph", fail)
    assert [path.name for path in tmp_path.iterdir()] == ["graph.lock"]
    assert cached_file(tmp_path, "graph", Maker()) == b"a costly file"


def test_processes_that_start_together_make_it_once(tmp_path: Path) -> None:
    log = tmp_path / "log"
    command = [sys.executable, "-c", _MAKE_SLOWLY, str(tmp_path / "cache"), str(log)]
    root = Path(__file__).parents[3]
    processes = [subprocess.Popen(command, cwd=root) for _ in range(3)]
    assert [process.wait(60) for process in processes] == [0, 0, 0]
    assert log.read_text() == "made\n"
