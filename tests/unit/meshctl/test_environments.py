"""Environments are made once each, and side by side."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from meshctl import environments
from meshctl.environments import LOCKS, SetupError, ensure, installed
from meshctl.runtimes import install

Make = Callable[[environments.Environment, Path], object]


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Make], list[str]]:
    """Have environments in an empty folder, made by a function in uv's place; tell which were."""
    made: list[str] = []
    monkeypatch.setattr(environments, "ROOT", tmp_path)

    def begin(make: Make) -> list[str]:
        def making(environment: environments.Environment, python: Path) -> None:
            made.append(environment.folder)
            make(environment, python)
            python.parent.mkdir(parents=True)
            digests = [environments._digest(lock) for lock in environment.locks]
            (tmp_path / environment.folder / ".installed").write_text("\n".join(digests))

        monkeypatch.setattr(environments, "_make", making)
        return made

    return begin


def test_several_are_made_at_the_same_time(elsewhere: Callable[[Make], list[str]]) -> None:
    together = threading.Barrier(3)
    made = elsewhere(lambda environment, python: together.wait(10))
    told: list[str] = []
    install(("langchain", "autogen", "crewai"), told.append)
    assert sorted(made) == [".venv-autogen", ".venv-crewai", ".venv-langchain"]
    assert sorted(line.split()[3] for line in told) == ["autogen", "crewai", "langchain"]
    install(("langchain",), told.append)
    assert len(made) == len(told) == 3


def test_one_is_made_once_for_all_who_ask(elsewhere: Callable[[Make], list[str]]) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def slowly(environment: environments.Environment, python: Path) -> None:
        begun.set()
        assert go_on.wait(10)

    made = elsewhere(slowly)
    asking = [threading.Thread(target=ensure, args=("crewai",)) for _ in range(3)]
    for each in asking:
        each.start()
    assert begun.wait(10)
    go_on.set()
    for each in asking:
        each.join(10)
    assert made == [".venv-crewai"]


def test_one_that_fails_is_told_and_the_others_are_made(elsewhere: Callable[[Make], list[str]]) -> None:
    def fail(environment: environments.Environment, python: Path) -> None:
        if environment.folder == ".venv-autogen":
            raise SetupError("no network")

    elsewhere(fail)
    with pytest.raises(SetupError, match="no network"):
        install(("autogen", "crewai"), lambda text: None)
    assert installed("crewai")
    assert not installed("autogen")


def test_one_without_a_lock_is_not_installed_and_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environments, "ROOT", tmp_path)
    monkeypatch.setattr(environments, "LOCKS", tmp_path)
    assert (LOCKS / "crewai.lock").exists()
    assert not installed("crewai")
    with pytest.raises(SetupError, match=r"crewai\.lock is missing"):
        ensure("crewai")
