"""The port of the ledger: what is asked before every effect of a run, and what is recorded after it."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from agent_service.domain.events import StepKind, Usage
from agent_service.domain.task import Task
from agent_service.domain.tool import ToolAnswer

__all__ = [
    "Ask",
    "Execute",
    "Ledger",
    "Ledgers",
    "Replay",
    "Result",
    "Steering",
    "Suspend",
    "SuspendedError",
    "Verdict",
    "model_digest",
    "tool_digest",
]

_NOT_ASKED = {"stream", "stream_options", "user", "metadata", "store"}
"""What of a model request only says how it is sent."""

Result = str | ToolAnswer
"""What a step brought: a model's `chat.completion` as JSON text, or a tool's answer."""


class SuspendedError(Exception):
    """The run is to give up its work for now; it will be started again and finds it in the ledger."""


@dataclass(frozen=True, slots=True)
class Ask:
    """A step that the run wants to begin: the `occurrence`-th time that this attempt asks exactly this.

    `speaker` is the member of the team that asks. `arguments` are a tool's, as JSON text. `repeatable` tells that doing
    it twice does no more than once.
    """

    kind: StepKind
    name: str
    digest: bytes
    occurrence: int
    speaker: str = ""
    arguments: str = ""
    repeatable: bool = True


@dataclass(frozen=True, slots=True)
class Steering:
    """What the user said while the agent works; it joins the conversation with the step that carries it."""

    number: int
    text: str


@dataclass(frozen=True, slots=True)
class Execute:
    """Do it. `arguments` are what a person made of a tool's; empty: as asked."""

    step: str
    idempotency_key: str
    arguments: str = ""
    steering: tuple[Steering, ...] = ()


@dataclass(frozen=True, slots=True)
class Replay:
    """It was done before, and brought this; `cached`: by another run."""

    step: str
    result: Result
    cached: bool = False
    steering: tuple[Steering, ...] = ()


@dataclass(frozen=True, slots=True)
class Suspend:
    """Give up for now."""


Verdict = Execute | Replay | Suspend


class Ledger(Protocol):
    """The ledger of one attempt. All raise MeshError: ATTEMPT_SUPERSEDED, LIMIT_REACHED, DEPENDENCY_UNAVAILABLE."""

    async def begin(self, ask: Ask) -> Verdict:
        """Ask to begin a step; the answer may take some seconds while the run is held."""
        ...

    async def complete(self, step: str, result: Result | None, usage: Usage) -> None:
        """Record what a step brought; None: it failed."""
        ...


class Ledgers(Protocol):
    """Opens ledgers."""

    def of(self, task: Task) -> Ledger:
        """Return the ledger of the task's attempt."""
        ...


def tool_digest(name: str, arguments: str) -> bytes:
    """Return what names a tool step: SHA-256 of name, NUL and canonical JSON of the arguments.

    The orchestrator makes the same of them. Arguments that are no JSON are taken as they are.
    """
    try:
        canonical = _canonical(json.loads(arguments or "{}"))
    except (ValueError, RecursionError):
        canonical = arguments
    return hashlib.sha256(f"{name}\0{canonical}".encode(errors="surrogatepass")).digest()


def model_digest(request: Mapping[str, Any]) -> bytes:
    """Return what names a model step: SHA-256 of the canonical request, without what says how it is sent."""
    asked = {name: value for name, value in request.items() if name not in _NOT_ASKED}
    return hashlib.sha256(_canonical(asked).encode(errors="surrogatepass")).digest()


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
