"""What a run, a session and an agent are: frozen values, and the few rules that hold for a single one of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from orchestrator.domain.specs import AgentSpec

__all__ = [
    "DEFAULT_AGENT",
    "Agent",
    "Failure",
    "Message",
    "OnBusy",
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
    PAUSED = "PAUSED"
    WAITING = "WAITING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"

    @property
    def terminal(self) -> bool:
        """True when nothing follows any more."""
        return self in (RunState.SUCCEEDED, RunState.FAILED, RunState.CANCELLED)


class Role(StrEnum):
    """Who said something."""

    USER = "USER"
    ASSISTANT = "ASSISTANT"


class OnBusy(StrEnum):
    """What happens to a task for a session in which a run is not done."""

    REJECT = "REJECT"
    ENQUEUE = "ENQUEUE"
    INTERRUPT = "INTERRUPT"
    ROLLBACK = "ROLLBACK"


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
    cost_micros: int = 0

    def __add__(self, other: "Usage") -> "Usage":
        """Return both together."""
        return Usage(
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.model_calls + other.model_calls,
            self.tool_calls + other.tool_calls,
            self.cost_micros + other.cost_micros,
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
    """One task given to one agent. `oldest_sequence` is the first event still kept: what is below it was pruned.

    A leg is a stretch of work without a long break; `attempt` numbers the starts of the agent over all legs, and what
    an older attempt still does is refused.
    """

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
    leg: int = 1
    """It grows when the run is put back to work after a suspension; only the newest leg may begin attempts."""
    starts: int = 0
    """How many attempts this leg has begun."""
    paused: bool = False
    """Whether people hold it: no step begins without `step_allowed`."""
    step_allowed: bool = False
    """Whether one step may begin although it is paused."""
    suspended: bool = False
    """Whether nothing works on it: to go on, it must be put back to work in a new leg."""
    idle_since: datetime | None = None
    """Since when it is PAUSED or WAITING; None while it is neither."""
    idle: timedelta = timedelta()
    """For how long it was PAUSED or WAITING before that: its timeout does not count this."""
    waits: bool = False
    """Whether it is QUEUED behind another run of its session."""
    bulk: bool = False
    """Whether it goes behind what people ask one by one."""
    forked_from: str = ""
    parent: str = ""
    """The run whose agent asked for it; empty when a person did."""
    parent_step: int = 0
    """The number of the parent's step that asks."""
    root: str = ""
    """The run that a person asked for, of which this is a part; empty for that one itself."""
    depth: int = 1

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
