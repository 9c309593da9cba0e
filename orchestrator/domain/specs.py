"""How an agent is made and what bounds its runs: frozen values."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import StrEnum
from typing import Any

from orchestrator.domain.teams import Team

__all__ = ["AgentSpec", "Approval", "Limits", "MemoryPolicy", "ToolPolicy", "asking_tool"]


class MemoryPolicy(StrEnum):
    """What an agent may do with its user's memory."""

    READ_WRITE = "READ_WRITE"
    READ_ONLY = "READ_ONLY"
    NONE = "NONE"


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
