"""Where the domain keeps things, in its own words: `stores/` provides it.

Callers read and write agents of their tenant, and runs and sessions as `domain.viewing` says.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from orchestrator.domain.events import StateChange, StoredEvent
from orchestrator.domain.model import Agent, Message, OnBusy, Run, RunState, Session
from orchestrator.domain.viewing import Viewer

__all__ = [
    "AgentStore",
    "Decision",
    "FindAgent",
    "MakeRun",
    "MakeSession",
    "NewRun",
    "RequestKey",
    "RunFilter",
    "RunStore",
    "SessionStore",
]


@dataclass(frozen=True, slots=True)
class RequestKey:
    """Makes a create safe to repeat: the same id with the same digest of parameters gets the first answer again.

    `caller` is the subject of the call: the ids of two callers never meet.
    """

    tenant: str
    caller: str
    method: str
    request_id: str
    digest: bytes


@dataclass(frozen=True, slots=True)
class RunFilter:
    """Which runs are listed; empty fields do not filter."""

    session: str = ""
    agent: str = ""
    state: RunState | None = None
    parent: str = ""
    """Empty: those that people asked for."""


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
    """Runs and their events. Whatever a caller asks for is bound to what it sees."""

    async def create(
        self, key: RequestKey, viewer: Viewer, session: str, make: MakeRun, on_busy: OnBusy = OnBusy.REJECT
    ) -> Run:
        """Store what `make` returns for the existing session of that id (None for an empty id), once for the key.

        `on_busy` says what happens while another run of the session is not done. Returns the run as it was accepted.
        Raises NotFound for a session that the viewer does not see, FailedPrecondition for a busy one,
        ResourceExhausted (TOO_MANY_RUNS) when too many wait in it, and what a repeated request raises.
        """
        ...

    async def get(self, viewer: Viewer, run: str) -> Run:
        """Return the run. Raises NotFound."""
        ...

    async def load(self, run: str) -> Run | None:
        """Return the run, whosever it is: for the mesh's own work."""
        ...

    async def list(self, viewer: Viewer, query: RunFilter, before: str | None, limit: int) -> Sequence[Run]:
        """Return runs with ids below `before`, newest first."""
        ...

    async def transition(self, run: str, decide: Decision) -> Run | None:
        """Change the run as `decide` says, with the event that tells it. Returns the run after it, if it changed.

        When it ends, the next run that waits in its session may begin, and the engine is told to look for it.
        """
        ...

    async def events(self, run: str, after: int, limit: int) -> Sequence[StoredEvent]:
        """Return events after a sequence in order, at most `limit` and about 256 KiB."""
        ...

    async def to_remember(self, limit: int) -> Sequence[Run]:
        """Return ended runs whose turns memory has yet to store, the longest overdue first.

        None of them is returned again, here or elsewhere, for some seconds, and longer each time.
        """
        ...

    async def remembered(self, run: str) -> None:
        """Note that memory has the run's turn."""
        ...

    async def history(self, session: str, before: str, max_runs: int) -> Sequence[Run]:
        """Return the session's runs that SUCCEEDED before the given one, newest first."""
        ...


MakeSession = Callable[[FindAgent], Awaitable[Session]]


class SessionStore(Protocol):
    """Sessions and what was said in them."""

    async def create(self, key: RequestKey, make: MakeSession) -> Session:
        """Store what `make` returns, once for the key; returns it as it was made."""
        ...

    async def get(self, viewer: Viewer, session: str) -> Session:
        """Return the session. Raises NotFound."""
        ...

    async def list(self, tenant: str, user: str, before: str | None, limit: int) -> Sequence[Session]:
        """Return the user's sessions with ids below `before`, newest first."""
        ...

    async def update(self, session: Session, expected_etag: str) -> Session:
        """Replace title, agent and labels. Raises NotFound, Aborted if the etag is another."""
        ...

    async def delete(self, viewer: Viewer, session: str) -> None:
        """Delete it with its runs. Raises NotFound, FailedPrecondition while one of them is not done."""
        ...

    async def messages(self, session: str, after: tuple[str, int] | None, limit: int) -> Sequence[tuple[int, Message]]:
        """Return what was said, oldest first, each with its place within the run."""
        ...


class AgentStore(Protocol):
    """The tenants' own agents."""

    async def created(self, key: RequestKey) -> Agent | None:
        """Return what the same request made before, None if it is new. Raises what a repeated request raises."""
        ...

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
