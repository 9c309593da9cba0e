"""What an agent is asked to do: plain data, with the defaults of the contract filled in."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from agent_service.domain.team import Team

__all__ = ["ChatTurn", "Limits", "Peer", "RecalledFact", "RecalledItem", "RecalledPassage", "RecalledTurn", "Task"]


@dataclass(frozen=True, slots=True)
class Limits:
    """The bounds of one run."""

    max_model_calls: int = 25
    max_tool_calls: int = 50
    max_tokens: int = 1_000_000
    """Tokens read and written by all model calls together."""
    timeout: float = 600.0
    """Seconds from the start of this attempt; the orchestrator counts over all of them."""


@dataclass(frozen=True, slots=True)
class ChatTurn:
    """Something said before in the session."""

    by_agent: bool
    """True: the agent said it; False: the user."""
    text: str


@dataclass(frozen=True, slots=True)
class RecalledTurn:
    """A turn of an earlier conversation."""

    when: datetime | None
    input: str
    output: str
    said_by: str = "user"
    """Who said the input, as people say it."""


@dataclass(frozen=True, slots=True)
class RecalledFact:
    """A fact about the user."""

    when: datetime | None
    key: str
    value: str
    said_by: str
    """Who said it, as people say it, e.g. `told by the user`."""


@dataclass(frozen=True, slots=True)
class RecalledPassage:
    """A piece of one of the user's documents."""

    title: str
    citation: str
    text: str


RecalledItem = RecalledTurn | RecalledFact | RecalledPassage


@dataclass(frozen=True, slots=True)
class Peer:
    """Another agent of the mesh that this one may ask."""

    agent: str
    description: str


@dataclass(frozen=True, slots=True)
class Task:
    """One attempt at one run."""

    run: str
    attempt: int
    session: str
    user: str
    agent: str
    runtime: str
    model: str
    """The model's name at its endpoint; empty: the default one."""
    instructions: str
    tools: tuple[str, ...]
    temperature: float | None
    may_remember: bool
    """False when the agent's memory policy forbids it to write."""
    limits: Limits
    input: str
    history: tuple[ChatTurn, ...]
    recalled: tuple[RecalledItem, ...]
    memory_token: str
    """Acts for the user at the memory service. A secret."""
    tenant: str = ""
    fallback_models: tuple[str, ...] = ()
    """Models to ask, in this order, when `model` fails."""
    ledger_token: str = ""
    """Names this attempt at the orchestrator's ledger. A secret."""
    team: Team | None = None
    """Several agents in place of one."""
    peers: tuple[Peer, ...] = ()
    output_schema: Mapping[str, Any] | None = None
    """The JSON Schema that the answer has to fit; None: any text."""

    def __repr__(self) -> str:
        """Name the run only: the rest is a conversation and a secret."""
        return f"Task({self.run!r}, attempt={self.attempt})"
