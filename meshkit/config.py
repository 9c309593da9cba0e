"""Configuration: typed, frozen settings, read once at start from the environment and from secret files.

Owns the reading and the sections that several services share; a service composes them in its `config.py`:

    class Config(ServiceSettings):
        database_url: SecretStr

    config = load(Config)

The field `database_url` is the variable `MESH_DATABASE_URL`, or `MESH_DATABASE_URL_FILE` naming a file that holds the
value, or a systemd credential `mesh_database_url` (`LoadCredential=`). The first that is set wins, in this order.
Nothing else reads the environment; `.env` files are not read; no message ever shows a value.
"""

import os
from pathlib import Path
from typing import Any, TypeVar

from pydantic import Field, ValidationError, field_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from meshkit.failpoints import check

__all__ = [
    "AuthSettings",
    "ConfigError",
    "FaultSettings",
    "LimitSettings",
    "ListenSettings",
    "ServiceSettings",
    "Settings",
    "TelemetrySettings",
    "load",
    "variable_of",
]

PREFIX = "MESH_"
_MAX_SECRET_BYTES = 64 * 1024  # a credential is a line or a key; more is the wrong file


class ConfigError(Exception):
    """The configuration cannot be used. The message names each variable and what to do; it shows no value."""


class Settings(BaseSettings):
    """Base of every settings class; see the module docstring for where values come from."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_ignore_empty=True,
        frozen=True,
        extra="forbid",
        populate_by_name=True,
        hide_input_in_errors=True,
        validate_default=True,
        use_attribute_docstrings=True,  # the page of configuration is made of them
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - never read
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - ours also reads *_FILE
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read arguments (tests), then the environment, then files."""
        return init_settings, env_settings, _FileSource(settings_cls)


class ListenSettings(Settings):
    """Where a service listens."""

    listen: str = "127.0.0.1:0"
    """`host:port` (port 0: any free one) or `unix:/path`. Loopback unless told otherwise."""
    shutdown_grace: float = Field(default=30.0, gt=0, le=600)
    """Seconds that calls may take to end after SIGTERM, before they are cut. Below systemd's TimeoutStopSec."""
    notify_socket: str | None = Field(default=None, validation_alias="NOTIFY_SOCKET")
    """Set by systemd: where a service says that it is ready, alive, stopping."""
    watchdog_usec: int | None = Field(default=None, gt=0, validation_alias="WATCHDOG_USEC")
    """Set by systemd: how often, in microseconds, it must hear that the service is alive."""


class AuthSettings(Settings):
    """Whom a service believes."""

    auth_issuer: str = "agentmesh"
    """The `iss` that tokens must have."""
    auth_audience: str = "agentmesh"
    """The `aud` that tokens must have."""
    auth_jwks_file: Path | None = None
    """A file with the issuer's public keys (JWKS), read again when it changes."""
    auth_jwks_url: str | None = Field(default=None, pattern="^https?://")
    """Or the URL of such a document, kept for 5 minutes."""
    auth_api_keys_file: Path | None = None
    """A file with the digests of API keys, read again when it changes; none: API keys are refused."""
    auth_internal_jwks_file: Path | None = None
    """A file with the public keys of the mesh's own issuer; none: no caller is believed to be a service of the mesh."""
    auth_signing_key_file: Path | None = None
    """The private key (PEM or JWK) of the mesh's own issuer, for a service that calls others."""


class TelemetrySettings(Settings):
    """What a service tells of itself."""

    otlp_endpoint: str | None = Field(default=None, pattern="^https?://")
    """Where traces and metrics go (OTLP over gRPC, `http://127.0.0.1:4317`); none: nothing is exported."""
    log_level: str = Field(default="info", pattern="^(debug|info|warning|error)$")
    """The least serious level that is logged."""


class LimitSettings(Settings):
    """How much one tenant may ask of one process."""

    limit_calls_per_second: float = Field(default=50.0, gt=0)
    """Calls a second and tenant, on average."""
    limit_calls_burst: int = Field(default=100, gt=0)
    """Calls that a tenant may make at once before the average counts."""
    limit_streams: int = Field(default=100, gt=0)
    """Streams that a tenant may hold open at once."""
    limit_concurrent_calls: int = Field(default=1000, gt=0)
    """Calls and streams that the process serves at once, for all tenants together."""


class FaultSettings(Settings):
    """Faults on purpose, for tests; see `meshkit.failpoints`."""

    failpoints: str = ""
    """Where the process fails, and how: `name:action;…`. Empty: nowhere. Never set it on a mesh that people use."""
    failpoints_seed: int = 0
    """Decides the failures that happen with a probability."""

    _failpoints_are_readable = field_validator("failpoints")(check)


class ServiceSettings(ListenSettings, AuthSettings, TelemetrySettings, LimitSettings, FaultSettings):
    """What every service of the mesh needs; its `config.py` adds its own fields."""


AnySettings = TypeVar("AnySettings", bound=Settings)


def load(settings: type[AnySettings]) -> AnySettings:
    """Read the settings. Raises ConfigError, which names every variable that is missing or wrong and the remedy."""
    try:
        return settings()
    except ValidationError as error:
        raise ConfigError(_explain(settings, error)) from None  # the cause would show the values


def _explain(settings: type[Settings], error: ValidationError) -> str:
    lines = ["the configuration cannot be used:"]
    aliases = {field.validation_alias for field in settings.model_fields.values()}
    for problem in error.errors(include_input=False, include_context=False, include_url=False):
        name = str(problem["loc"][0]) if problem["loc"] else ""
        # A field with a name of its own in the environment is reported by that name.
        variable = name if name in aliases else variable_of(name, settings.model_fields.get(name))
        if problem["type"] == "missing":
            lines.append(f"  {variable} is not set; set it, or {variable}_FILE to a file that holds it")
        else:
            lines.append(f"  {variable}: {problem['msg']}; correct it or unset it")
    return "\n".join(lines)


def variable_of(name: str, field: FieldInfo | None) -> str:
    """Return the name of the variable that a field is read from."""
    alias = field.validation_alias if field else None
    return alias if isinstance(alias, str) else f"{PREFIX}{name}".upper()


class _FileSource(PydanticBaseSettingsSource):
    """Values from the files named by `<VARIABLE>_FILE` and from systemd's credentials directory."""

    def __call__(self) -> dict[str, Any]:
        fields = self.settings_cls.model_fields
        found = {name: self.get_field_value(field, name)[0] for name, field in fields.items()}
        return {self._key(name): value for name, value in found.items() if value is not None}

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        variable = variable_of(field_name, field)
        named = os.environ.get(f"{variable}_FILE")
        if named:
            return _read(Path(named), f"{variable}_FILE"), field_name, False
        directory = os.environ.get("CREDENTIALS_DIRECTORY")
        credential = Path(directory) / variable.lower() if directory else None
        if credential is not None and credential.is_file():
            return _read(credential, f"the credential {credential.name}"), field_name, False
        return None, field_name, False

    def _key(self, name: str) -> str:
        alias = self.settings_cls.model_fields[name].validation_alias
        return alias if isinstance(alias, str) else name


def _read(path: Path, source: str) -> str:
    try:
        if path.stat().st_size > _MAX_SECRET_BYTES:
            raise ConfigError(f"{source} names {path}, which is larger than {_MAX_SECRET_BYTES} bytes")
        return path.read_text().rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{source} names {path}, which cannot be read: {type(error).__name__}") from None
