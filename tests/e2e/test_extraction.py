"""Facts from conversations in a whole mesh: switched on, told to an agent, corrected, explained, and gated."""

import time
from collections.abc import Callable, Iterator

import pytest

from tests.e2e.running import RunningMesh


def eventually(holds: Callable[[], bool], seconds: float = 30.0) -> None:
    """Ask again and again: what is told to an agent is looked through behind the answer."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it never held"


@pytest.fixture
def mesh(offline_mesh: RunningMesh) -> Iterator[RunningMesh]:
    assert offline_mesh.cli("memory", "settings", "--extraction", "on").returncode == 0
    yield offline_mesh
    offline_mesh.cli("memory", "settings", "--extraction", "off")


def test_settings_are_shown_and_changed_one_by_one(offline_mesh: RunningMesh) -> None:
    assert "off" in offline_mesh.cli("memory", "settings").stdout
    changed = offline_mesh.cli("memory", "settings", "--keep-turns", "3650", "--extraction", "dry-run").stdout
    assert "3650 days" in changed
    assert "dry-run" in changed
    back = offline_mesh.cli("memory", "settings", "--keep-turns", "0").stdout
    assert "3650" not in back
    assert "dry-run" in back, "what was left out stays"
    assert offline_mesh.cli("memory", "settings", "--extraction", "off").returncode == 0
    assert offline_mesh.cli("memory", "settings", "--extraction", "perhaps").returncode == 2


def test_what_is_told_to_an_agent_is_known_and_corrected(mesh: RunningMesh) -> None:
    def says(words: str) -> None:
        done = mesh.cli("chat", words)
        assert done.returncode == 0, done.stderr

    def shown(*arguments: str) -> str:
        return mesh.cli("memory", *arguments).stdout

    says("I live in Gdansk")
    eventually(lambda: "Gdansk" in shown("facts"))
    says("I moved to Valletta")
    eventually(lambda: "Valletta" in shown("facts"))
    says("If I lived in Reykjavik, would I need a coat?")
    eventually(lambda: "not meant" in shown("extractions"))
    facts = shown("facts")
    assert "Gdansk" not in facts
    assert "Reykjavik" not in facts
    fact = next(line.split()[0] for line in facts.splitlines() if "Valletta" in line)
    told = shown("explain", fact)
    for words in ("Valletta", "I moved to Valletta", "Gdansk"):
        assert words in told, told
    assert mesh.cli("memory", "delete", fact).returncode == 0
