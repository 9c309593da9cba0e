"""The ledger's words: what an agent asks before each effect, what it is told, and where that is kept."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from orchestrator.domain.model import Agent, Run, RunState, Usage
from orchestrator.domain.steps import InputKind, InputRequest, Outcome, Step, StepKind

__all__ = [
    "Ask",
    "Attempt",
    "Decide",
    "Decision",
    "Delegate",
    "Do",
    "Execute",
    "Finish",
    "Held",
    "Hold",
    "LedgerStore",
    "Look",
    "Recorded",
    "Replay",
    "Said",
    "StepAsk",
    "StepName",
    "Suspend",
    "Verdict",
]


@dataclass(frozen=True, slots=True)
class Attempt:
    """Who asks: one attempt of a run."""

    tenant: str
    run: str
    number: int


@dataclass(frozen=True, slots=True)
class StepAsk:
    """What is asked: the `occurrence`-th time that the attempt wants exactly this.

    `repeatable`: doing it twice does no more than once.
    """

    kind: StepKind
    name: str
    agent: str
    digest: bytes
    occurrence: int
    arguments: str = ""
    repeatable: bool = False


@dataclass(frozen=True, slots=True)
class StepName:
    """A step of a run, as `Step.id` says it."""

    kind: StepKind
    number: int


Said = tuple[int, str]
"""What somebody said to the run: its number and its text."""


@dataclass(frozen=True, slots=True)
class Execute:
    """Do it. `arguments` are what a person made of the tool's, empty if they are as asked."""

    step: str
    idempotency_key: str
    arguments: str = ""
    steering: Sequence[Said] = ()


@dataclass(frozen=True, slots=True)
class Replay:
    """It was done, and brought this."""

    step: str
    outcome: Outcome
    cached: bool = False
    steering: Sequence[Said] = ()


@dataclass(frozen=True, slots=True)
class Recorded:
    """What is told, and what has to be asked for it."""

    kind: StepKind
    digest: bytes
    occurrence: int
    replay: Replay


@dataclass(frozen=True, slots=True)
class Suspend:
    """Give up for now."""


@dataclass(frozen=True, slots=True)
class Held:
    """Not now: people hold the run (`paused`), or it waits for one. So it is in `state` after this `sequence`."""

    paused: bool
    state: RunState
    sequence: int


Verdict = Execute | Replay | Suspend


@dataclass(frozen=True, slots=True)
class Look:
    """What there is at one moment: the run, the step if it was begun, and what a decision needs to know of them.

    `request` is the newest that the step has. `cached` is what the tenant's cache has for a model. `said` is what
    joined the conversation with this step. `peer` is the agent that a tool of this name asks, None if
    there is none that can run; `child` is the run in which it works on the step. `root` is the run that
    a person asked for, of which this one is a part, with what all its parts have used.
    """

    run: Run
    step: Step | None = None
    request: InputRequest | None = None
    cached: Outcome | None = None
    said: Sequence[Said] = ()
    peer: Agent | None = None
    child: Run | None = None
    root: Run | None = None


@dataclass(frozen=True, slots=True)
class Do:
    """Begin the step. `request` is the id of the answer that it takes; `arguments` are those carried out."""

    arguments: str
    request: str = ""


@dataclass(frozen=True, slots=True)
class Finish:
    """Complete the step without doing it. `stepped`: it counts as the one step that a paused run may do."""

    outcome: Outcome
    cached: bool = False
    request: str = ""
    stepped: bool = False


@dataclass(frozen=True, slots=True)
class Ask:
    """Ask a person."""

    kind: InputKind
    time_limit: timedelta
    question: str = ""


@dataclass(frozen=True, slots=True)
class Delegate:
    """Let another agent work on it, and wait for that. `request` is the id of the answer that it takes."""

    agent: Agent
    task: str
    arguments: str
    request: str = ""


@dataclass(frozen=True, slots=True)
class Hold:
    """Begin nothing now. `paused`: people hold the run; else one of its requests is open."""

    paused: bool


Decision = Execute | Replay | Do | Finish | Ask | Delegate | Hold
Decide = Callable[[Look], Decision]


class LedgerStore(Protocol):
    """The ledger. All raise Aborted (ATTEMPT_SUPERSEDED) for an attempt that is not, or no longer, at work."""

    async def begin(self, attempt: Attempt, ask: StepAsk, decide: Decide) -> Execute | Replay | Held:
        """Look at the step and do what is decided; if anything changed in between, look and decide again.

        Raises what `decide` raises.
        """
        ...

    async def recorded(self, attempt: Attempt, after: int) -> Sequence[Recorded]:
        """Return what is recorded after the step of that number, as much as goes into one answer."""
        ...

    async def complete(self, attempt: Attempt, step: StepName, outcome: Outcome | None, usage: Usage) -> None:
        """Record what a step brought, None if it failed; the first result stays.

        Raises NotFound for a step that the attempt did not begin.
        """
        ...
