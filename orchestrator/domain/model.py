"""What a run, a session and an agent are: frozen values, and the few rules that hold for a single one of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from orchestrator.domain.teams import Team

__all__ = [
    "DEFAULT_AGENT",
    "Agent",
    "AgentSpec",
    "Approval",
    "Failure",
    "Limits",
    "MemoryPolicy",
    "Message",
    "OnBusy",
    "Role",
    "Run",
    "RunState",
    "Session",
    "ToolPolicy",
    "Usage",
    "asking_tool",
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


class MemoryPolicy(StrEnum):
    """What an agent may do with its user's memory."""

    READ_WRITE = "READ_WRITE"
    READ_ONLY = "READ_ONLY"
    NONE = "NONE"


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


class Approval(StrEnum):
    """Whether a tool may be called."""

    AUTO = "AUTO"
    ASK = "ASK"
    DENY = "DENY"


@dataclass(frozen=True, slots=True)
class ToolPolicy:
    """What holds for one tool of an agent. `time_limit` is how long a person has to answer."""

    approval: Approval = Approval.AUTO
    time_limit: timedelta = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Limits:
    """The bounds of one run; the defaults are the contract's. `timeout` is the time for which it works."""

    max_model_calls: int = 25
    max_tool_calls: int = 50
    max_tokens: int = 1_000_000
    timeout: timedelta = timedelta(minutes=10)
    max_cost_micros: int = 0
    """0: no limit."""
    max_depth: int = 8
    """How deep agents may ask agents; a run that a person asks for is at depth 1."""

    def tightened(self, other: "Limits") -> "Limits":
        """Return the tighter of the two in every respect."""
        return Limits(
            min(self.max_model_calls, other.max_model_calls),
            min(self.max_tool_calls, other.max_tool_calls),
            min(self.max_tokens, other.max_tokens),
            min(self.timeout, other.timeout),
            min(self.max_cost_micros or other.max_cost_micros, other.max_cost_micros or self.max_cost_micros),
            min(self.max_depth, other.max_depth),
        )


def asking_tool(agent: str) -> str:
    """Return the name of the tool by which others ask the agent."""
    return f"ask_{agent.replace('-', '_')}"


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
    tool_policies: Mapping[str, ToolPolicy] = field(default_factory=dict)
    fallback_models: tuple[str, ...] = ()
    cache_time: timedelta | None = None
    """How long a model's answer may be given again to the same request; None: never."""
    agents: tuple[str, ...] = ()
    """The agents of the catalog that it may ask."""
    team: Team | None = None
    output_schema: Mapping[str, Any] | None = None
    """The JSON Schema that its answer has to fit; None: any text."""

    @property
    def all_tools(self) -> frozenset[str]:
        """The tools that it or its members may call, but for those that ask other agents."""
        members = self.team.members if self.team else ()
        named = {*self.tools, *(tool for member in members for tool in member.tools)}
        return frozenset(named - self.asking.keys())

    @property
    def asking(self) -> Mapping[str, str]:
        """The agents that it may ask, by the name of the tool that asks."""
        return {asking_tool(agent): agent for agent in self.agents}

    def limited(self, limits: Limits) -> "AgentSpec":
        """Return the same within these limits as well."""
        return replace(self, limits=self.limits.tightened(limits))

    def lasting(self, timeout: timedelta) -> "AgentSpec":
        """Return the same with another timeout."""
        return replace(self, limits=replace(self.limits, timeout=timeout))


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
