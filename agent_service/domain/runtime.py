"""The ports that a framework and a model endpoint fill. A new framework is one class that fills `Runtime`."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from agent_service.domain.gate import Gate
from agent_service.domain.task import Task
from agent_service.domain.toolbox import Toolbox

__all__ = ["Capability", "ModelEndpoint", "ModelGate", "Runtime", "RuntimeDescription"]


class Capability(Enum):
    """What a runtime is proven to do."""

    STREAMS_TOKENS = "streams_tokens"
    CANCELS_MODEL_CALL = "cancels_model_call"
    CALLS_TOOLS = "calls_tools"


@dataclass(frozen=True, slots=True)
class RuntimeDescription:
    """What a framework is, and what it does here."""

    name: str
    framework_version: str
    capabilities: tuple[Capability, ...]


@dataclass(frozen=True, slots=True)
class ModelEndpoint:
    """Where a run finds its model: an OpenAI-compatible URL that ends in `/v1`, and the key of this run alone."""

    url: str
    key: str
    model: str

    def __repr__(self) -> str:
        """Leave the key out."""
        return f"ModelEndpoint({self.url!r}, model={self.model!r})"


class ModelGate(Protocol):
    """Gives a run its model."""

    @property
    def default_model(self) -> str:
        """The model of agents that name none."""
        ...

    def open(self, task: Task, gate: Gate, toolbox: Toolbox) -> AbstractContextManager[ModelEndpoint]:
        """Give the endpoint inside the block; leaving it cuts every call in flight and makes the key worthless."""
        ...


class Runtime(Protocol):
    """An agent framework."""

    def describe(self) -> RuntimeDescription:
        """Tell what it is."""
        ...

    async def run(self, task: Task, model: ModelEndpoint, toolbox: Toolbox) -> str:
        """Run the agent and return its answer.

        It emits nothing: what it asks of the model and of the toolbox is seen there. It raises whatever the framework
        raises. Cancelling it must stop the framework.
        """
        ...
