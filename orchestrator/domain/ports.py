"""What the domain needs of the world, in its own words; `stores/` and `adapters/` provide it."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from orchestrator.domain.events import StateChange, StoredEvent
from orchestrator.domain.model import Agent, Message, Run, RunState, Session, Usage

__all__ = [
    "Activity",
    "AgentStore",
    "Agents",
    "Clock",
    "Completed",
    "Decision",
    "EventCodec",
    "FindAgent",
    "Happened",
    "Log",
    "MakeRun",
    "MakeSession",
    "Memory",
    "NewRun",
    "Pen",
    "Recalled",
    "RecalledItem",
    "RequestKey",
    "RunEngine",
    "RunFilter",
    "RunStore",
    "RuntimeStatus",
    "SessionStore",
    "Spoken",
    "SupersededError",
    "Task",
]


Clock = Callable[[], datetime]
"""Tells the time, in UTC; injected so that tests may set it."""


class SupersededError(Exception):
    """The attempt is no longer the run's: another one began, or the run ended. Its work is to be dropped."""


@dataclass(frozen=True, slots=True)
class RequestKey:
    """Makes a create safe to repeat: the same id with the same digest of parameters gets the first answer again."""

    tenant: str
    method: str
    request_id: str
    digest: bytes


@dataclass(frozen=True, slots=True)
class RunFilter:
    """Which runs are listed; empty fields do not filter."""

    session: str = ""
    agent: str = ""
    state: RunState | None = None


@dataclass(frozen=True, slots=True)
class NewRun:
    """A run about to be stored, and the session to make for it, if it is to have a new one."""

    run: Run
    session: Session | None


Decision = Callable[[Run], StateChange | None]
"""Given a run whose row is locked: what it becomes, or None to leave it as it is."""


FindAgent = Callable[[str], Awaitable[Agent | None]]
"""Returns the tenant's own agent of a name, read in the transaction that is going on."""

MakeRun = Callable[[Session | None, FindAgent], Awaitable[NewRun]]


class RunStore(Protocol):
    """Runs and their events. Every read by a caller is bound to its tenant."""

    async def create(self, key: RequestKey, session: str, make: MakeRun) -> Run:
        """Store what `make` returns for the existing session of that id (None for an empty id), once for the key.

        Returns the run as it was accepted. Raises NotFound for a session that the tenant does not have,
        FailedPrecondition while another run of it is not done, and what a repeated request raises.
        """
        ...

    async def get(self, tenant: str, run: str) -> Run:
        """Return the run. Raises NotFound."""
        ...

    async def load(self, run: str) -> Run | None:
        """Return the run whatever its tenant: for the mesh's own work."""
        ...

    async def list(self, tenant: str, query: RunFilter, before: str | None, limit: int) -> Sequence[Run]:
        """Return runs with ids below `before`, newest first."""
        ...

    async def transition(self, run: str, decide: Decision) -> Run | None:
        """Change the run as `decide` says, with the event that tells it. Returns the run after it, if it changed."""
        ...

    async def events(self, run: str, after: int, limit: int) -> Sequence[StoredEvent]:
        """Return events after a sequence in order, at most `limit` and about 256 KiB."""
        ...

    async def history(self, session: str, before: str, max_runs: int) -> Sequence[Run]:
        """Return the session's runs that SUCCEEDED before the given one, newest first."""
        ...


class Pen(Protocol):
    """Writes the events of one attempt. All raise SupersededError once the attempt is not the run's any more."""

    async def write(self, body: bytes, usage: Usage = ...) -> None:
        """Hand over an event; waits while the log is full. What it used is added to the run in the same transaction."""
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

    async def remember(self, run: Run, output: str) -> None:
        """Store the turn; safe to repeat. Raises a MeshError."""
        ...


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

    def limit_reached(self, limit: str, value: int, trace: str) -> bytes:
        """Return the body that tells which limit ended the run."""
        ...


@dataclass(frozen=True, slots=True)
class Task:
    """One attempt of a run, as an agent gets it. `history` is oldest first."""

    run: Run
    history: Sequence[Message]
    recalled: Sequence[RecalledItem]
    trace: str
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
    """The agent did something else: the event's body, and what it used."""

    body: bytes
    usage: Usage


@dataclass(frozen=True, slots=True)
class Completed:
    """The agent is done."""

    output: str
    usage: Usage


Activity = Spoken | Happened | Completed


@dataclass(frozen=True, slots=True)
class RuntimeStatus:
    """A configured runtime: the tools it offers, None while it does not answer. `description` is for the caller."""

    name: str
    tools: frozenset[str] | None
    description: bytes = b""


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


class RunEngine(Protocol):
    """Drives runs durably: what was started once is executed to its end, whatever process dies."""

    async def start(self, run: str) -> None:
        """See to it that the run is executed, here or by a peer. Starting the same run twice does nothing more."""
        ...


MakeSession = Callable[[FindAgent], Awaitable[Session]]


class SessionStore(Protocol):
    """Sessions and what was said in them."""

    async def create(self, key: RequestKey, make: MakeSession) -> Session:
        """Store what `make` returns, once for the key; returns it as it was made."""
        ...

    async def get(self, tenant: str, session: str) -> Session:
        """Return the session. Raises NotFound."""
        ...

    async def list(self, tenant: str, user: str, before: str | None, limit: int) -> Sequence[Session]:
        """Return the user's sessions with ids below `before`, newest first."""
        ...

    async def update(self, session: Session, expected_etag: str) -> Session:
        """Replace title, agent and labels. Raises NotFound, Aborted if the etag is another."""
        ...

    async def delete(self, tenant: str, session: str) -> None:
        """Delete it with its runs. Raises NotFound, FailedPrecondition while one of them is not done."""
        ...

    async def messages(self, session: str, after: tuple[str, int] | None, limit: int) -> Sequence[tuple[int, Message]]:
        """Return what was said, oldest first, each with its place within the run."""
        ...


class AgentStore(Protocol):
    """The tenants' own agents."""

    async def create(self, key: RequestKey, tenant: str, agent: Agent) -> Agent:
        """Store the agent, once for the key. Raises AlreadyExists."""
        ...

    async def get(self, tenant: str, name: str) -> Agent | None:
        """Return the agent, None if the tenant has none of that name."""
        ...

    async def list(self, tenant: str, after: str, limit: int) -> Sequence[Agent]:
        """Return agents with names above `after`, by name."""
        ...

    async def update(self, tenant: str, agent: Agent, expected_etag: str) -> Agent:
        """Replace the agent. Raises NotFound, Aborted if the etag is another."""
        ...

    async def delete(self, tenant: str, name: str) -> None:
        """Delete the agent. Raises NotFound."""
        ...
