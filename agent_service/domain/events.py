"""What an agent does, in the words that all frameworks share. `convert.py` maps each class to its message."""

from dataclasses import dataclass
from enum import Enum

from meshkit.errors import MeshError

__all__ = [
    "AgentEvent",
    "Completed",
    "Event",
    "FileWritten",
    "FinishReason",
    "HandedOff",
    "LimitReached",
    "MemoryWritten",
    "MessageFinished",
    "MessageStarted",
    "Source",
    "StepFinished",
    "StepKind",
    "StepRestarted",
    "StepStarted",
    "Suspended",
    "ThoughtDelta",
    "TokenDelta",
    "ToolCalled",
    "ToolResult",
    "Usage",
]


class StepKind(Enum):
    """What a step does; the value begins its id."""

    MODEL = "model"
    TOOL = "tool"


class FinishReason(Enum):
    """Why a message ended; the values are those of the OpenAI protocol."""

    UNKNOWN = ""
    STOP = "stop"
    LENGTH = "length"
    TOOL_CALLS = "tool_calls"
    CONTENT_FILTER = "content_filter"


@dataclass(frozen=True, slots=True)
class StepStarted:
    """A step began. `replayed`: it was done before, and what follows was recorded then; `cached`: by another run."""

    kind: StepKind
    name: str
    replayed: bool = False
    cached: bool = False


@dataclass(frozen=True, slots=True)
class StepRestarted:
    """What was told of the step is void: it begins again."""


@dataclass(frozen=True, slots=True)
class StepFinished:
    """A step ended, after `seconds`; `error` says why it failed, if it did."""

    kind: StepKind
    seconds: float
    error: MeshError | None = None


@dataclass(frozen=True, slots=True)
class MessageStarted:
    """The agent begins to speak."""


@dataclass(frozen=True, slots=True)
class TokenDelta:
    """The next piece of its text."""

    text: str


@dataclass(frozen=True, slots=True)
class ThoughtDelta:
    """The next piece of its reasoning."""

    text: str


@dataclass(frozen=True, slots=True)
class MessageFinished:
    """The agent has spoken; `text` is all of it."""

    text: str
    reason: FinishReason


@dataclass(frozen=True, slots=True)
class ToolCalled:
    """The agent calls a tool; `arguments` is JSON text as the model wrote it, right or wrong."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Source:
    """Where something that a tool tells comes from: an address, or the id of a document and a passage."""

    uri: str
    title: str = ""


@dataclass(frozen=True, slots=True)
class ToolResult:
    """A tool has answered with `content`, which tells of a failure if `is_error`; it quotes the `sources`."""

    id: str
    name: str
    content: str
    is_error: bool
    sources: tuple[Source, ...] = ()


@dataclass(frozen=True, slots=True)
class Usage:
    """What a model call, or a whole run, has used."""

    model: str = ""
    input_tokens: int = 0
    output_tokens: int = 0
    model_calls: int = 0
    tool_calls: int = 0
    cost_micros: int = 0
    """Millionths of the currency of the configured prices."""

    def __add__(self, other: "Usage") -> "Usage":
        """Return both together, of no model in particular."""
        return Usage(
            "",
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.model_calls + other.model_calls,
            self.tool_calls + other.tool_calls,
            self.cost_micros + other.cost_micros,
        )


@dataclass(frozen=True, slots=True)
class MemoryWritten:
    """Something was stored in memory under this id."""

    id: str


@dataclass(frozen=True, slots=True)
class FileWritten:
    """A file was made, or a new version of it; `size` in bytes."""

    name: str
    media_type: str
    size: int


@dataclass(frozen=True, slots=True)
class HandedOff:
    """Another member of the team goes on; `to` is its path below the run's agent, empty for the agent itself."""

    to: str


@dataclass(frozen=True, slots=True)
class LimitReached:
    """The limit of this name and value ends the run."""

    limit: str
    value: int


@dataclass(frozen=True, slots=True)
class Suspended:
    """The agent gave up its work for now; the last event."""


@dataclass(frozen=True, slots=True)
class Completed:
    """The agent is done; the last event."""

    output: str
    usage: Usage


Event = (
    StepStarted
    | StepRestarted
    | StepFinished
    | MessageStarted
    | TokenDelta
    | ThoughtDelta
    | MessageFinished
    | ToolCalled
    | ToolResult
    | Usage
    | MemoryWritten
    | FileWritten
    | HandedOff
    | LimitReached
    | Suspended
    | Completed
)


@dataclass(frozen=True, slots=True)
class AgentEvent:
    """An event and the step it belongs to; the step is empty for the run as a whole.

    `speaker` is the member of the team that did it, empty for the agent itself.
    """

    step: str
    event: Event
    speaker: str = ""
