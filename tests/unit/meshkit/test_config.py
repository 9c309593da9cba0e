"""Settings: where values come from, and what is said when they are wrong."""

from pathlib import Path

import pytest
from pydantic import Field, SecretStr, ValidationError

from meshkit.config import ConfigError, ServiceSettings, load


class Config(ServiceSettings):
    """A service's own settings."""

    database_url: SecretStr
    qdrant_url: str | None = Field(default=None, validation_alias="QDRANT_URL")
    workers: int = Field(default=2, ge=1)


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MESH_DATABASE_URL", "MESH_DATABASE_URL_FILE", "CREDENTIALS_DIRECTORY", "QDRANT_URL", "MESH_WORKERS"):
        monkeypatch.delenv(name, raising=False)


def test_values_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MESH_DATABASE_URL", "postgres://a")
    monkeypatch.setenv("QDRANT_URL", "http://q")
    monkeypatch.setenv("MESH_WORKERS", "")
    config = load(Config)
    assert (config.database_url.get_secret_value(), config.qdrant_url, config.workers) == (
        "postgres://a",
        "http://q",
        2,
    )
    assert config.listen.startswith("127.0.0.1")


def test_a_secret_comes_from_a_named_file_or_a_credential(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "mesh_database_url").write_text("from-credential\n")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert load(Config).database_url.get_secret_value() == "from-credential"
    named = tmp_path / "named"
    named.write_text("from-file\r\n")
    monkeypatch.setenv("MESH_DATABASE_URL_FILE", str(named))
    assert load(Config).database_url.get_secret_value() == "from-file"
    monkeypatch.setenv("MESH_DATABASE_URL", "from-environment")
    assert load(Config).database_url.get_secret_value() == "from-environment"


def test_a_missing_variable_is_named_with_the_remedy() -> None:
    with pytest.raises(ConfigError) as caught:
        load(Config)
    assert "MESH_DATABASE_URL is not set" in str(caught.value)
    assert "MESH_DATABASE_URL_FILE" in str(caught.value)


def test_no_message_shows_a_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MESH_DATABASE_URL", "postgres://canary")
    monkeypatch.setenv("MESH_WORKERS", "canary-workers")
    monkeypatch.setenv("MESH_LOG_LEVEL", "canary-level")
    with pytest.raises(ConfigError) as caught:
        load(Config)
    assert "MESH_WORKERS" in str(caught.value)
    assert "MESH_LOG_LEVEL" in str(caught.value)
    assert "canary" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
    monkeypatch.setenv("MESH_WORKERS", "3")
    monkeypatch.setenv("MESH_LOG_LEVEL", "debug")
    assert "canary" not in repr(load(Config))


def test_a_file_that_cannot_be_read_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MESH_DATABASE_URL_FILE", str(tmp_path / "missing"))
    with pytest.raises(ConfigError, match=r"MESH_DATABASE_URL_FILE names .*missing"):
        load(Config)
    huge = tmp_path / "huge"
    huge.write_bytes(b"x" * 100_000)
    monkeypatch.setenv("MESH_DATABASE_URL_FILE", str(huge))
    with pytest.raises(ConfigError, match="larger"):
        load(Config)


def test_settings_do_not_change(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MESH_DATABASE_URL", "x")
    config = load(Config)
    with pytest.raises(ValidationError):
        config.workers = 5


def test_env_files_are_not_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("MESH_DATABASE_URL=x\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError):
        load(Config)
