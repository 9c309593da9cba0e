"""Which runtimes a user asks for."""

import pytest

from agent_service.adapters import runtimes as adapters
from meshctl.environments import ENVIRONMENTS, LOCKS
from meshctl.runtimes import NEEDED, RUNTIMES, chosen
from meshkit.errors import InvalidArgument


def test_each_has_an_adapter_an_environment_and_a_lock() -> None:
    assert set(RUNTIMES) == set(adapters.RUNTIMES)
    for name in RUNTIMES:
        assert all((LOCKS / f"{lock}.lock").exists() for lock in ENVIRONMENTS[name].locks)


def test_a_list_names_them_in_any_order() -> None:
    assert chosen("crewai, langchain") == ("langchain", "crewai")
    assert chosen("all") == RUNTIMES


def test_without_one_the_built_in_agents_have_what_they_need(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("meshctl.runtimes.installed", lambda name: name == "crewai")
    assert set(chosen("")) == {*NEEDED, "crewai"}
    monkeypatch.setattr("meshctl.runtimes.installed", lambda _: False)
    assert set(chosen("")) == set(NEEDED)


@pytest.mark.parametrize("text", ["semantic", "langchain,semantic", ",", "ALL"])
def test_an_unknown_one_is_named_with_those_that_there_are(text: str) -> None:
    with pytest.raises(InvalidArgument, match="langchain, autogen, crewai, llamaindex"):
        chosen(text)
