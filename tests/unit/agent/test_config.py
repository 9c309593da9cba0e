"""What the service is told by its environment, and what it says when that cannot work."""

from typing import get_args

import pytest

from agent_service.adapters.runtimes import RUNTIMES, load
from agent_service.config import Config, load_config
from meshkit.config import ConfigError

GOOD = {"MESH_MODEL_URL": "http://127.0.0.1:1/v1", "MESH_MODEL": "some/model:7b", "MESH_MODEL_KEY": "sk-secret"}


def set_to(monkeypatch: pytest.MonkeyPatch, **variables: str) -> None:
    for name, value in {**GOOD, **variables}.items():
        monkeypatch.setenv(name, value)


def test_what_is_left_out_has_a_default(monkeypatch: pytest.MonkeyPatch) -> None:
    set_to(monkeypatch)
    config = load_config()
    assert (config.timeouts.connect, config.timeouts.first_token, config.timeouts.next_token) == (5, 30, 60)
    assert config.runtime == "langchain"
    assert "sk-secret" not in repr(config)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("MESH_MODEL_URL", "ftp://host/v1"),
        ("MESH_MODEL_URL", "http://user:password@host/v1"),
        ("MESH_MODEL", "a model"),
        ("MESH_RUNTIME", "semantic"),
        ("MESH_MAX_RUNS", "0"),
        ("MESH_MODEL_NEXT_TOKEN_TIMEOUT", "-1"),
        ("MESH_MODEL_PRICES", "small:0.15/0.60"),
        ("MESH_WEB_ALLOW", "http://intranet/"),
        ("MESH_WEB_ALLOW", "10.0.0.1/8"),
        ("MESH_WIKIPEDIA_URL", "ftp://wiki.corp/api.php"),
        ("MESH_WIKIPEDIA_URL", "https://user:password@wiki.corp/api.php"),
        ("MESH_ARXIV_URL", "http://arxiv.corp/query?key=1"),
    ],
)
def test_what_cannot_work_is_named_and_not_shown(monkeypatch: pytest.MonkeyPatch, variable: str, value: str) -> None:
    set_to(monkeypatch, **{variable: value})
    with pytest.raises(ConfigError, match=variable) as caught:
        load_config()
    assert value not in str(caught.value) or variable == "MESH_MAX_RUNS"


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MESH_MODEL_URL", raising=False)
    monkeypatch.setenv("MESH_MODEL", "m")
    with pytest.raises(ConfigError, match="MESH_MODEL_URL is not set"):
        load_config()


def test_each_runtime_that_may_be_configured_has_an_adapter() -> None:
    assert set(get_args(Config.model_fields["runtime"].annotation)) == set(RUNTIMES)


def test_a_framework_that_is_not_installed_is_named_with_the_remedy() -> None:
    with pytest.raises(ConfigError, match=r"no httpx2: start it with \.venv-langchain/bin/python"):
        load("langchain")
