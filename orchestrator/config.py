"""What the orchestrator is told by its environment."""

import re
from datetime import timedelta

from pydantic import Field, SecretStr, field_validator

from meshkit.config import ServiceSettings, load

__all__ = ["Config", "load_config"]

_RUNTIME = re.compile("^[a-z][a-z0-9-]{0,31}$")


class Config(ServiceSettings):
    """What the service needs to know; what every service needs comes with the base."""

    listen: str = "127.0.0.1:50051"
    """Where it listens."""
    database_url: SecretStr = Field(validation_alias="DATABASE_URL")
    """Postgres: `postgresql://user:password@host:port/database`."""
    redis_url: SecretStr = Field(validation_alias="REDIS_URL")
    """Redis or Valkey: `redis://:password@host:port/0`. While it is away, runs go on and are followed with more lag."""
    memory_address: str = "127.0.0.1:50052"
    """The memory service: `host:port`, several as `a:1,b:2`, or `unix:/path`."""
    agents: str = "langchain=127.0.0.1:50053"
    """The agent services of each runtime: `runtime=host:port,host:port;other=unix:/path`."""
    max_runs: int = Field(default=64, gt=0, le=1000)
    """How many runs this process executes at once; more wait in the queue. Of runs created in bulk, a quarter of it."""
    max_runs_per_tenant: int = Field(default=32, gt=0, le=1000)
    """How many runs of one tenant this process executes at once."""
    max_runs_per_agent: int = Field(default=32, gt=0, le=1000)
    """How many runs of one agent of one tenant this process executes at once."""
    hold_seconds: float = Field(default=5.0, gt=0, le=20)
    """How long a step of a run that is paused or waits is held before its agent gives up its memory."""
    event_retention_days: int = Field(default=30, gt=0)
    """How many days after its end a run's events are kept. The run itself stays."""

    @field_validator("agents")
    @classmethod
    def _agents_are_readable(cls, value: str) -> str:
        for part in value.split(";"):
            name, _, target = part.partition("=")
            if not _RUNTIME.match(name.strip()) or not target.strip():
                raise ValueError("write runtime=host:port, several separated by ;")
        return value

    @property
    def runtimes(self) -> dict[str, str]:
        """The target of each runtime."""
        pairs = (part.partition("=") for part in self.agents.split(";"))
        return {name.strip(): target.strip() for name, _, target in pairs}

    @property
    def event_retention(self) -> timedelta:
        """How long events are kept."""
        return timedelta(days=self.event_retention_days)


def load_config() -> Config:
    """Read the configuration. Raises ConfigError."""
    return load(Config)
