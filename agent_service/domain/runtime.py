"""The ports that a framework and a model endpoint fill. A new framework is one class that fills `Runtime`."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import Enum
from typing import Any, Protocol

from agent_service.domain.gate import Gate
from agent_service.domain.task import Task
from agent_service.domain.team import TeamKind
from agent_service.domain.toolbox import Toolbox

__all__ = ["Capability", "ModelEndpoint", "ModelGate", "Runtime", "RuntimeDescription", "Speaker", "Speakers"]


class Capability(Enum):
    """What a runtime is proven to do."""

    STREAMS_TOKENS = "streams_tokens"
    CANCELS_MODEL_CALL = "cancels_model_call"
    CALLS_TOOLS = "calls_tools"
    TEAMS = "teams"
    STRUCTURED_OUTPUT = "structured_output"
    REPLAYS = "replays"


@dataclass(frozen=True, slots=True)
class RuntimeDescription:
    """What a framework is, and what it does here."""

    name: str
    framework_version: str
    capabilities: tuple[Capability, ...]
    team_kinds: tuple[TeamKind, ...] = ()


@dataclass(frozen=True, slots=True)
class ModelEndpoint:
    """Where a run finds its model: an OpenAI-compatible URL that ends in `/v1`, and the key of this run alone."""

    url: str
    key: str
    model: str

    def __repr__(self) -> str:
        """Leave the key out."""
        return f"ModelEndpoint({self.url!r}, model={self.model!r})"


@dataclass(frozen=True, slots=True)
class Speaker:
    """What one who speaks in a run has: a model that knows who asks, and tools."""

    model: ModelEndpoint
    toolbox: Toolbox


class Speakers(Protocol):
    """Who speaks in a run: the agent itself, and the members of its team."""

    def of(self, name: str = "") -> Speaker:
        """Return what the member of the name has; empty: the agent itself, a team's manager or supervisor or selector.

        What is asked of a speaker's model and of its toolbox is told as done by that speaker. Raises KeyError for a
        member that the team does not have.
        """
        ...


class ModelGate(Protocol):
    """Gives a run its model."""

    @property
    def default_model(self) -> str:
        """The model of agents that name none."""
        ...

    def open(self, task: Task, gate: Gate, toolboxes: Mapping[str, Toolbox]) -> AbstractContextManager[Speakers]:
        """Give the speakers of these names inside the block; leaving it cuts every call in flight and ends the keys."""
        ...

    async def ask(self, endpoint: ModelEndpoint, request: Mapping[str, Any]) -> str:
        """Ask a speaker's model outside of any framework, and return what it said: a step like every other call.

        `request` is one to `/v1/chat/completions`, without the model. Raises a MeshError, which ends the run.
        """
        ...


class Runtime(Protocol):
    """An agent framework."""

    def describe(self) -> RuntimeDescription:
        """Tell what it is."""
        ...

    async def run(self, task: Task, speakers: Speakers) -> str:
        """Run the agent, or its team, and return the answer.

        It emits nothing: what it asks of the models and of the toolboxes is seen there. It raises whatever the
        framework raises. Cancelling it must stop the framework.
        """
        ...

    async def close(self) -> None:
        """Let go of what it holds for all runs."""
        ...
