"""The port that a tool fills."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from agent_service.domain.events import FileWritten, Source
from agent_service.domain.task import Task

__all__ = ["Tool", "ToolAnswer", "ToolError", "ToolRun"]


@dataclass(frozen=True, slots=True)
class ToolAnswer:
    """What the model is told."""

    content: str
    is_error: bool = False
    memory_id: str = ""
    """The id of what the tool stored in memory, if it did."""
    sources: tuple[Source, ...] = ()
    """What the content quotes."""
    files: tuple[FileWritten, ...] = ()
    """What the tool wrote to the session's files."""


class ToolError(Exception):
    """A tool cannot do what it was asked. The model reads the message and may try again."""


@dataclass(frozen=True, slots=True)
class ToolRun:
    """For whom a tool works."""

    task: Task
    step: str
    idempotency_key: str
    """The same for every try of this call: what the tool does twice under one key, it does once."""


class Tool(Protocol):
    """Something that an agent can do. `name`, `description` and `input_schema` (JSON Schema) are told to the model."""

    @property
    def name(self) -> str:
        """Its name."""
        ...

    @property
    def description(self) -> str:
        """What it does."""
        ...

    @property
    def input_schema(self) -> Mapping[str, Any]:
        """JSON Schema of its arguments."""
        ...

    @property
    def timeout(self) -> float:
        """The longest that a call may take, in seconds."""
        ...

    @property
    def repeatable(self) -> bool:
        """True when a call that was interrupted may simply be made again, with its idempotency key."""
        ...

    @property
    def writes_memory(self) -> bool:
        """True when an agent that may not write to memory may not have it."""
        ...

    async def call(self, arguments: Mapping[str, Any], run: ToolRun) -> ToolAnswer:
        """Check the arguments and do it. Raises ToolError with words for the model."""
        ...
