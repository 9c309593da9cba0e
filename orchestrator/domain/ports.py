"""What executing a run needs of the world, in the domain's words: `adapters/` and `stores/` provide it."""

from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from orchestrator.domain.events import StateChange
from orchestrator.domain.model import Agent, Message, Run
from orchestrator.domain.steps import Answer, InputRequest, Steer
from orchestrator.domain.teams import TeamKind

__all__ = [
    "Activity",
    "Agents",
    "Clock",
    "Completed",
    "EventCodec",
    "Happened",
    "Log",
    "Memory",
    "Pen",
    "Recalled",
    "RecalledItem",
    "RunContexts",
    "RunEngine",
    "RuntimeStatus",
    "Spoken",
    "StepMark",
    "SupersededError",
    "Suspended",
    "Task",
]

Clock = Callable[[], datetime]
"""Tells the time, in UTC; injected so that tests may set it."""


class SupersededError(Exception):
    """The attempt is no longer the run's: another one began, or the run ended. Its work is to be dropped."""


class Pen(Protocol):
    """Writes the events of one attempt. All raise SupersededError once the attempt is not the run's any more."""

    async def write(self, body: bytes) -> None:
        """Hand over an event; waits while the log is full."""
        ...

    async def say(self, agent: str, step: str, text: str, *, thought: bool) -> None:
        """Hand over a piece of text; pieces that wait together are stored as one."""
        ...

    async def settled(self) -> None:
        """Wait until everything handed over is committed."""
        ...


class Log(Protocol):
    """The event log: gives sequences in the transaction that stores, and tells only what is committed."""

    def pen(self, run: Run) -> Pen:
        """Return the pen of the run's current attempt."""
        ...


@dataclass(frozen=True, slots=True)
class RecalledItem:
    """One thing that memory recalled: the run it came from (empty for a fact), and its body for the agent."""

    run: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Recalled:
    """What memory recalled; `degraded` are the numbers of the layers that did not answer."""

    items: Sequence[RecalledItem] = ()
    degraded: Sequence[int] = ()


class Memory(Protocol):
    """The memory service, asked for the run's user."""

    async def recall(self, run: Run) -> Recalled:
        """Return what fits the run's input. Raises a MeshError when memory does not answer."""
        ...

    async def remember(self, run: Run, output: str, seconds: float) -> None:
        """Store the turn within so many seconds; safe to repeat. Raises a MeshError."""
        ...


@dataclass(frozen=True, slots=True)
class StepMark:
    """What an event tells of a step: that it goes on, that it is done for good, or that what was told of it is void."""

    step: str
    done: bool = False
    void: bool = False


class EventCodec(Protocol):
    """Makes the bodies of events; empty `trace` means untraced."""

    def state_changed(self, change: StateChange, trace: str) -> bytes:
        """Return the body that tells a run's new state."""
        ...

    def text(self, agent: str, step: str, text: str, trace: str, *, thought: bool) -> bytes:
        """Return the body of a piece of text or reasoning."""
        ...

    def memory_recalled(self, recalled: Recalled, trace: str) -> bytes:
        """Return the body that tells what memory gave; too large texts are left to the reader of memory."""
        ...

    def input_requested(self, request: InputRequest, trace: str) -> bytes:
        """Return the body that tells what the run asks of people."""
        ...

    def input_answered(self, request: InputRequest, answer: Answer, user: str, text: str, trace: str) -> bytes:
        """Return the body that tells how a request was answered; `user` is empty when its time was over."""
        ...

    def steered(self, steer: Steer, trace: str) -> bytes:
        """Return the body that tells what somebody said to the run."""
        ...

    def limit_reached(self, limit: str, value: int, trace: str) -> bytes:
        """Return the body that tells which limit ended the run."""
        ...

    def delegated(self, child: Run, agent: str, step: str) -> bytes:
        """Return the body that tells that another agent works on the step, in the run `child`; `agent` asks."""
        ...

    def step_restarted(self, step: str, trace: str) -> bytes:
        """Return the body that tells that what was told of the step is void."""
        ...

    def step_mark(self, body: bytes) -> StepMark | None:
        """Return what a stored event tells of a step, None if it belongs to none."""
        ...

    def context(
        self, history: Sequence[Message], recalled: Sequence[RecalledItem], peers: Sequence[Agent] = ()
    ) -> bytes:
        """Return what an agent is given besides its input, as it is stored."""
        ...


@dataclass(frozen=True, slots=True)
class Task:
    """One attempt of a run, as an agent gets it. `context` is made by `EventCodec.context`."""

    run: Run
    context: bytes
    seconds: float


@dataclass(frozen=True, slots=True)
class Spoken:
    """The agent said, or thought, a piece of text."""

    agent: str
    step: str
    text: str
    thought: bool


@dataclass(frozen=True, slots=True)
class Happened:
    """The agent did something else: the event's body, and the step it belongs to, if it does."""

    step: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Completed:
    """The agent is done."""

    output: str


@dataclass(frozen=True, slots=True)
class Suspended:
    """The agent gave up its work because the ledger told it to; started again, it finds what it did there."""


Activity = Spoken | Happened | Completed | Suspended


@dataclass(frozen=True, slots=True)
class RuntimeStatus:
    """A configured runtime: the tools it offers, None while it does not answer. `description` is for the caller."""

    name: str
    tools: frozenset[str] | None
    description: bytes = b""
    team_kinds: frozenset[TeamKind] = frozenset()


class Agents(Protocol):
    """The agent services, by runtime."""

    def execute(self, task: Task) -> AsyncGenerator[Activity, None]:
        """Run the agent; closing the generator stops it. Raises a MeshError."""
        ...

    def configured(self, runtime: str) -> bool:
        """Tell whether the mesh has the runtime at all; it may be down for the moment."""
        ...

    async def status(self, runtime: str) -> RuntimeStatus | None:
        """Return how a runtime is, at most some seconds ago; None for one that is not configured."""
        ...

    async def statuses(self) -> Sequence[RuntimeStatus]:
        """Return how all configured runtimes are, by name."""
        ...


class RunContexts(Protocol):
    """What each run's agent is given besides its input: recorded once, the same for all attempts and forks."""

    async def load(self, run: str) -> bytes | None:
        """Return what was recorded, None before the first attempt."""
        ...

    async def save(self, run: str, body: bytes) -> None:
        """Record it; what is there stays."""
        ...


class RunEngine(Protocol):
    """Drives runs durably: what was started once is executed until it ends or rests, whatever process dies."""

    async def start(self, run: Run) -> None:
        """See to it that the run's leg is executed, here or by a peer. Starting the same leg twice does nothing more.

        The run is QUEUED and does not wait behind another. If this fails, or the process dies before it is called, the
        engine finds the run within seconds.
        """
        ...
