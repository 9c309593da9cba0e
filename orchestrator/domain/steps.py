"""What a run has done and what it asks of people: frozen values, and the rules that hold for a single one of them."""

import hashlib
import json
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from orchestrator.domain.model import Usage

__all__ = [
    "ASK_USER",
    "Answer",
    "InputKind",
    "InputRequest",
    "Outcome",
    "Source",
    "Steer",
    "Step",
    "StepKind",
    "StepState",
    "ToolOutcome",
    "WrittenFile",
    "tool_digest",
]

ASK_USER = "ask_user"
"""The tool whose answer is a person's: its step is a question."""


class StepKind(StrEnum):
    """What a step does."""

    MODEL = "MODEL"
    TOOL = "TOOL"


class StepState(StrEnum):
    """Where a step stands."""

    STARTED = "STARTED"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    WAITING = "WAITING"


@dataclass(frozen=True, slots=True)
class Source:
    """Where something that a tool tells comes from: an address, or the id of a document and a passage."""

    uri: str
    title: str


@dataclass(frozen=True, slots=True)
class WrittenFile:
    """A file of the session that a tool wrote, as it was then; `size` in bytes."""

    name: str
    media_type: str
    size: int


@dataclass(frozen=True, slots=True)
class ToolOutcome:
    """What a tool answered. `memory` is the id of what it stored in memory, if it did; `sources` are what it quotes."""

    content: str
    is_error: bool = False
    memory: str = ""
    sources: tuple[Source, ...] = ()
    files: tuple[WrittenFile, ...] = ()


Outcome = str | ToolOutcome
"""What a step brought: a model's `chat.completion` as JSON text, or a tool's answer."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a run. `attempt` is the one that last began it, 0 when a fork copied it.

    `arguments` and `outcome` may be left out when steps are listed.
    """

    run: str
    number: int
    kind: StepKind
    digest: bytes
    occurrence: int
    name: str
    agent: str
    state: StepState
    attempt: int
    create_time: datetime
    finish_time: datetime | None = None
    usage: Usage = field(default_factory=Usage)
    cached: bool = False
    arguments: str = ""
    outcome: Outcome | None = None

    @property
    def id(self) -> str:
        """Its name in events and in the API, unique in the run: `tool-2`."""
        return f"{self.kind.value.lower()}-{self.number}"


class InputKind(StrEnum):
    """What is asked of a person."""

    APPROVAL = "APPROVAL"
    QUESTION = "QUESTION"
    UNCERTAIN = "UNCERTAIN"


class Answer(StrEnum):
    """How a person answered."""

    APPROVED = "APPROVED"
    DENIED = "DENIED"
    EDITED = "EDITED"
    TEXT = "TEXT"
    EXPIRED = "EXPIRED"


@dataclass(frozen=True, slots=True)
class InputRequest:
    """One thing that a run asks. It is bound to its step, its tool and its arguments.

    `answer` is None while it is open; `answer_text` is the reason of a denial, the text of an answer, or the arguments
    of an edit; `used` tells that the step has taken the answer.
    """

    id: str
    run: str
    step: str
    kind: InputKind
    tool: str
    arguments: str
    arguments_digest: str
    question: str
    create_time: datetime
    expire_time: datetime
    answer: Answer | None = None
    answer_text: str = ""
    answer_user: str = ""
    used: bool = False


@dataclass(frozen=True, slots=True)
class Steer:
    """What somebody said to a run that is under way; `number` counts from 1 in the run."""

    number: int
    text: str
    user: str


def tool_digest(name: str, arguments: str) -> bytes:
    """Return what binds an approval and names a tool step: SHA-256 of name, NUL and canonical JSON of the arguments.

    Arguments that are no JSON are taken as they are.
    """
    try:
        canonical = json.dumps(json.loads(arguments or "{}"), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    except (ValueError, RecursionError):
        canonical = arguments
    return hashlib.sha256(f"{name}\0{canonical}".encode(errors="surrogatepass")).digest()
