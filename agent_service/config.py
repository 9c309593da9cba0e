"""The agent service's configuration; the only reader of its environment."""

from typing import Literal

from pydantic import Field, SecretStr, field_validator

from agent_service.adapters.gateway.upstream import ModelTimeouts
from agent_service.adapters.tools.wikipedia_search import LANGUAGE
from agent_service.adapters.web.allowed import Allowed
from agent_service.adapters.web.guard import Guard
from agent_service.domain.prices import Prices
from agent_service.domain.tool import ToolError
from meshkit.config import ServiceSettings, load

__all__ = ["OFFLINE_MODEL", "Config", "load_config"]

OFFLINE_MODEL = "builtin/rules-1"
"""The id of the built-in rule-based responder, which is no language model."""


class Config(ServiceSettings):
    """What the service needs to know."""

    listen: str = "127.0.0.1:50053"
    """Where it listens."""
    runtime: Literal["langchain", "autogen", "crewai", "llamaindex"] = "langchain"
    """The framework that this process runs."""
    model_url: str = Field(pattern=r"^https?://[^\s@]+$")
    """An OpenAI-compatible endpoint, up to and with its `/v1`. Holds no password: that is the key's place."""
    model: str = Field(min_length=1, max_length=200, pattern=r"^[\x21-\x7e]+$")
    """The model of agents that name none."""
    model_key: SecretStr | None = None
    """The endpoint's key; none: the endpoint asks for none. It leaves this process to that endpoint only."""
    model_connect_timeout: float = Field(default=5.0, gt=0, le=60)
    """Seconds until the endpoint accepts a connection."""
    model_first_token_timeout: float = Field(default=30.0, gt=0, le=3600)
    """Seconds from a request until its first token."""
    model_next_token_timeout: float = Field(default=60.0, gt=0, le=3600)
    """Seconds from one token to the next."""
    model_prices: str = ""
    """Prices per million tokens, `model=read/written,…`, e.g. `small=0.15/0.60`. A model without one costs nothing."""
    orchestrator_address: str = "127.0.0.1:50051"
    """Where the orchestrator, which keeps the ledger, listens: as `MESH_MEMORY_ADDRESS`."""
    memory_address: str = "127.0.0.1:50052"
    """Where the memory service listens: `host:port`, several IPv4 addresses with commas, or `unix:/path`."""
    web_allow: str = ""
    """What agents may fetch although it is not on the public web: `host`, `host:port`, an address or a network like
    `10.1.0.0/16`, with commas. A site at another port than 80, 443, 8080 and 8443 needs its `host:port`."""
    wikipedia_url: str = Field(default=f"https://{LANGUAGE}.wikipedia.org/w/api.php", pattern=r"^[^?#]+$")
    """The MediaWiki API that `wikipedia_search` asks; it may be private. `{language}` stands for a language's code."""
    arxiv_url: str = Field(default="https://export.arxiv.org/api/query", pattern=r"^[^?#]+$")
    """The arXiv API that `arxiv_search` asks; it may be private."""
    max_runs: int = Field(default=100, gt=0, le=10_000)
    """How many agents may run in this process at once; more are refused with OVERLOADED."""

    @field_validator("model_prices")
    @classmethod
    def _prices_are_readable(cls, value: str) -> str:
        Prices.parse(value)
        return value

    @field_validator("web_allow")
    @classmethod
    def _allowed_is_readable(cls, value: str) -> str:
        Allowed.parse(value)
        return value

    @field_validator("wikipedia_url", "arxiv_url")
    @classmethod
    def _can_be_asked(cls, value: str) -> str:
        try:
            Guard().allowing(value.replace(LANGUAGE, "en"))
        except ToolError as error:
            raise ValueError(str(error)) from None
        return value

    @property
    def web_allowed(self) -> Allowed:
        """What agents may fetch beside the public web."""
        return Allowed.parse(self.web_allow)

    @property
    def prices(self) -> Prices:
        """What models cost."""
        return Prices.parse(self.model_prices)

    @property
    def timeouts(self) -> ModelTimeouts:
        """The patience with the model."""
        return ModelTimeouts(self.model_connect_timeout, self.model_first_token_timeout, self.model_next_token_timeout)


def load_config() -> Config:
    """Read the configuration. Raises ConfigError."""
    return load(Config)
