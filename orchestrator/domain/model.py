"""What a run, a session and an agent are: frozen values, and the few rules that hold for a single one of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum

__all__ = [
    "DEFAULT_AGENT",
    "Agent",
    "AgentSpec",
    "Failure",
    "Limits",
    "MemoryPolicy",
    "Message",
    "Role",
    "Run",
    "RunState",
    "Session",
    "Usage",
]

DEFAULT_AGENT = "assistant"
"""The agent of a session that names none."""


class RunState(StrEnum):
    """Where a run stands."""

    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"

    @property
    def terminal(self) -> bool:
        """True when nothing follows any more."""
        return self not in (RunState.QUEUED, RunState.RUNNING)


class MemoryPolicy(StrEnum):
    """What an agent may do with its user's memory."""

    READ_WRITE = "READ_WRITE"
    READ_ONLY = "READ_ONLY"
    NONE = "NONE"


class Role(StrEnum):
    """Who said something."""

    USER = "USER"
    ASSISTANT = "ASSISTANT"


@dataclass(frozen=True, slots=True)
class Limits:
    """The bounds of one run; the defaults are the contract's. `timeout` counts from the agent's first start."""

    max_model_calls: int = 25
    max_tool_calls: int = 50
    max_tokens: int = 1_000_000
    timeout: timedelta = timedelta(minutes=10)

    def tightened(self, other: "Limits") -> "Limits":
        """Return the tighter of the two in every respect."""
        return Limits(
            min(self.max_model_calls, other.max_model_calls),
            min(self.max_tool_calls, other.max_tool_calls),
            min(self.max_tokens, other.max_tokens),
            min(self.timeout, other.timeout),
        )


@dataclass(frozen=True, slots=True)
class AgentSpec:
    """How an agent is made. An empty `model` is the mesh's default; no temperature is the model's own."""

    runtime: str
    model: str = ""
    instructions: str = ""
    tools: tuple[str, ...] = ()
    temperature: float | None = None
    memory: MemoryPolicy = MemoryPolicy.READ_WRITE
    limits: Limits = field(default_factory=Limits)

    def limited(self, limits: Limits) -> "AgentSpec":
        """Return the same within these limits as well."""
        return replace(self, limits=self.limits.tightened(limits))


_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Agent:
    """An agent in the catalog. A built-in one has no times."""

    name: str
    description: str
    spec: AgentSpec
    built_in: bool = False
    create_time: datetime = _NEVER
    update_time: datetime = _NEVER
    etag: str = ""


@dataclass(frozen=True, slots=True)
class Session:
    """A conversation of one user."""

    id: str
    tenant: str
    user: str
    title: str
    agent: str
    labels: Mapping[str, str]
    create_time: datetime
    update_time: datetime
    etag: str


@dataclass(frozen=True, slots=True)
class Message:
    """One thing said in a session. `agent` was asked, or answered."""

    run: str
    role: Role
    text: str
    agent: str
    create_time: datetime


@dataclass(frozen=True, slots=True)
class Usage:
    """What a run has used."""

    input_tokens: int = 0
    output_tokens: int = 0
    model_calls: int = 0
    tool_calls: int = 0

    def __add__(self, other: "Usage") -> "Usage":
        """Return both together."""
        return Usage(
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.model_calls + other.model_calls,
            self.tool_calls + other.tool_calls,
        )


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a run failed. `reason` is a value of `ErrorReason` without its prefix, `source` the part that failed."""

    reason: str
    message: str
    source: str
    cause: "Failure | None" = None


@dataclass(frozen=True, slots=True)
class Run:
    """One task given to one agent. `oldest_sequence` is the first event still kept: what is below it was pruned."""

    id: str
    tenant: str
    session: str
    user: str
    agent: str
    spec: AgentSpec
    input: str
    create_time: datetime
    state: RunState = RunState.QUEUED
    output: str = ""
    failure: Failure | None = None
    usage: Usage = field(default_factory=Usage)
    attempt: int = 0
    last_sequence: int = 0
    oldest_sequence: int = 1
    traceparent: str = ""
    start_time: datetime | None = None
    finish_time: datetime | None = None

    @property
    def trace_id(self) -> str:
        """The trace of the call that made it: 32 hexadecimal digits, empty if it was not traced."""
        parts = self.traceparent.split("-")
        return parts[1] if len(parts) == 4 else ""

    def as_accepted(self) -> "Run":
        """Return the run as it was when it was accepted: the answer that a repeated request gets."""
        return replace(
            self,
            state=RunState.QUEUED,
            output="",
            failure=None,
            usage=Usage(),
            attempt=0,
            last_sequence=1,
            oldest_sequence=1,
            start_time=None,
            finish_time=None,
        )
