"""A leg of a run: what is tried again and how often, what is nobody's fault, and when it is somebody else's."""

from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from meshkit.errors import MeshError, ResourceExhausted, Unavailable
from orchestrator.domain.events import StateChange
from orchestrator.domain.execution import MAX_ATTEMPTS, Execution
from orchestrator.domain.feed import Feed
from orchestrator.domain.model import Run, RunState
from orchestrator.domain.ports import Activity, Completed, Suspended, Task
from orchestrator.domain.specs import AgentSpec, Limits

NOW = datetime(2026, 1, 1, tzinfo=UTC)
QUEUED = Run("run_1", "acme", "ses_1", "ada", "assistant", AgentSpec("langchain"), "hello", NOW)
BROKEN, DRAINING = Unavailable("it broke"), Unavailable("it leaves", reason="DRAINING")
Script = Sequence[Activity | MeshError]


class Store:
    """One run, changed as asked."""

    def __init__(self, run: Run) -> None:
        self.run = run

    async def transition(self, run: str, decide: Callable[[Run], StateChange | None]) -> Run | None:
        change = decide(self.run)
        if change is None:
            return None
        suspended = self.run.suspended if change.suspended is None else change.suspended
        starts = self.run.starts if change.starts is None else change.starts
        started = self.run.start_time or NOW
        self.run = replace(
            self.run, state=change.state, attempt=change.attempt, starts=starts, suspended=suspended, start_time=started
        )
        return self.run

    async def load(self, run: str) -> Run:
        return self.run

    async def events(self, run: str, after: int, limit: int) -> list[Any]:
        return []


class Paper:
    """A log on which everything is written at once."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []

    def pen(self, run: Run) -> "Paper":
        return self

    async def write(self, body: bytes) -> None:
        self.bodies.append(body)

    async def settled(self) -> None: ...


class Codec:
    def limit_reached(self, limit: str, value: int, trace: str) -> bytes:
        return f"{limit} {value}".encode()


class Brief:
    failures = 0

    async def of(self, run: Run, pen: Any) -> bytes:
        if self.failures:
            self.failures -= 1
            raise Unavailable("the database does not answer")
        return b"context"


class Agents:
    """Does what is written for each attempt; the last line holds for all that follow."""

    def __init__(self, *scripts: Script, before: Callable[[], None] = lambda: None) -> None:
        self.scripts, self.before, self.tasks = list(scripts), before, list[Task]()

    async def execute(self, task: Task) -> AsyncGenerator[Activity, None]:
        self.tasks.append(task)
        self.before()
        for each in self.scripts.pop(0) if len(self.scripts) > 1 else self.scripts[0]:
            if isinstance(each, MeshError):
                raise each
            yield each


def execution(store: Store, agents: Agents, brief: Brief | None = None, paper: Paper | None = None) -> Execution:
    async def sleep(_seconds: float) -> None: ...

    fakes: Any = (store, paper or Paper(), Feed(), agents, brief or Brief(), None, Codec())
    return Execution(*fakes, clock=lambda: NOW, warn=lambda *_: None, sleep=sleep)


@pytest.mark.parametrize(
    ("scripts", "attempts", "reason"),
    [
        ([[BROKEN], [BROKEN], [Completed("done")]], 3, ""),
        ([[BROKEN]], 3, "DEPENDENCY_UNAVAILABLE"),
        ([[]], 3, "DEPENDENCY_UNAVAILABLE"),
        ([[Unavailable("no", reason="MODEL_FAILED")]], 1, "MODEL_FAILED"),
        ([[ResourceExhausted("no", reason="LIMIT_REACHED")]], 1, "LIMIT_REACHED"),
        ([*([[DRAINING]] * 30), [Completed("done")]], 31, ""),
        ([[Suspended()], [Completed("done")]], 2, ""),  # somebody let it go on in the meantime
        ([[Suspended()]], MAX_ATTEMPTS, "DEPENDENCY_UNAVAILABLE"),
    ],
)
async def test_how_often_an_agent_is_started(scripts: list[Script], attempts: int, reason: str) -> None:
    store, agents = Store(QUEUED), Agents(*scripts)
    outcome = await execution(store, agents).execute("run_1", 1)
    assert outcome is not None
    assert [task.run.attempt for task in agents.tasks] == list(range(1, attempts + 1))
    assert (outcome.failure.reason if outcome.failure else "") == reason
    assert outcome.state is (RunState.FAILED if reason else RunState.SUCCEEDED)


@pytest.mark.parametrize("state", [RunState.PAUSED, RunState.WAITING])
async def test_a_run_that_is_held_comes_to_rest(state: RunState) -> None:
    store = Store(QUEUED)

    def hold() -> None:
        store.run = replace(store.run, state=state)

    agents = Agents([Suspended()], before=hold)
    assert await execution(store, agents).execute("run_1", 1) is None
    assert (store.run.state, store.run.suspended, len(agents.tasks)) == (state, True, 1)
    assert await execution(store, agents).execute("run_1", 1) is None
    assert len(agents.tasks) == 1


async def test_a_run_that_a_peer_took_over_is_left_alone() -> None:
    store = Store(QUEUED)

    def take_over() -> None:
        store.run = replace(store.run, attempt=store.run.attempt + 1)

    agents = Agents([BROKEN], before=take_over)
    assert await execution(store, agents).execute("run_1", 1) is None
    assert len(agents.tasks) == 1
    assert store.run.attempt == 2


async def test_what_the_database_fails_with_is_not_the_agents_fault() -> None:
    store, agents, brief = Store(QUEUED), Agents([Completed("done")]), Brief()
    brief.failures = 5
    work = execution(store, agents, brief)
    for _ in range(5):
        with pytest.raises(Unavailable):
            await work.execute("run_1", 1)
    outcome = await work.execute("run_1", 1)
    assert outcome is not None
    assert outcome.output == "done"


@pytest.mark.parametrize(("idle", "ends"), [(timedelta(), True), (timedelta(hours=1), False)])
async def test_the_timeout_counts_the_time_of_work(idle: timedelta, ends: bool) -> None:
    spec = replace(QUEUED.spec, limits=Limits(timeout=timedelta(seconds=60)))
    began = NOW - timedelta(seconds=90)
    store = Store(replace(QUEUED, spec=spec, state=RunState.RUNNING, start_time=began, idle=idle))
    paper = Paper()
    outcome = await execution(store, Agents([Completed("done")]), paper=paper).execute("run_1", 1)
    assert outcome is not None
    assert (outcome.state is RunState.FAILED) == ends
    assert paper.bodies == ([b"timeout 60"] if ends else [])
