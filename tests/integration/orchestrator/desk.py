"""The verbs of control over real stores, without processes: what the gate and the engine would do is done by hand."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from meshkit.context import CallContext
from meshkit.errors import MeshError
from meshkit.ids import new_id
from orchestrator.convert.events import ProtoEvents, event_to_proto
from orchestrator.convert.outcomes import outcome_from_bytes, outcome_to_bytes
from orchestrator.domain.events import StateChange
from orchestrator.domain.forking import Fork, Forking
from orchestrator.domain.model import Run, RunState
from orchestrator.domain.requests import Requests
from orchestrator.domain.steering import Steering
from orchestrator.domain.stepping import Stepping
from orchestrator.domain.steps import InputKind, Outcome, StepKind, ToolOutcome, tool_digest
from orchestrator.domain.storage import RequestKey
from orchestrator.stores.forking import PostgresForks
from orchestrator.stores.requests import PostgresRequests
from orchestrator.stores.steering import PostgresSteering
from orchestrator.stores.steps import PostgresSteps
from tests.integration.orchestrator.conftest import Stores, replica

ADA = CallContext("acme", "ada")
BOB = CallContext("acme", "bob")
STRANGER = CallContext("globex", "ada")
OFFICE = CallContext("acme", "office", scopes=frozenset({"users.act_as"}))
COMPLETION = '{"choices":[{"message":{"role":"assistant","content":"hi"}}]}'


class RecordingEngine:
    """Notes what it is to start."""

    def __init__(self) -> None:
        self.started: list[tuple[str, int]] = []

    async def start(self, run: Run) -> None:
        self.started.append((run.id, run.leg))


class OneRuntime:
    """The mesh has `langchain`."""

    def configured(self, runtime: str) -> bool:
        return runtime == "langchain"


@dataclass
class Desk:
    """One replica's verbs."""

    stores: Stores
    engine: RecordingEngine = field(default_factory=RecordingEngine)
    warnings: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        stores, codec = self.stores, ProtoEvents()
        told: Any = (stores.pool, codec, stores.feed, stores.wakeups)
        forks: Any = PostgresForks(stores.pool, stores.runs, codec, outcome_to_bytes)
        agents: Any = OneRuntime()
        self.requests = Requests(PostgresRequests(*told), self.engine, clock=_now, warn=self._warn)
        self.steering = Steering(PostgresSteering(*told), stores.runs)
        self.forking = Forking(forks, agents, self.engine, new_id=new_id, clock=_now)
        self.stepping = Stepping(PostgresSteps(stores.pool, outcome_from_bytes), stores.runs)

    async def waiting(self, **change: Any) -> Run:
        """Return a run that waits, as the gate leaves it."""
        return await self._resting(RunState.WAITING, **change)

    async def pausing(self) -> Run:
        """Return a run that is paused."""
        return await self._resting(RunState.PAUSED, paused=True)

    async def step(
        self, run: Run, kind: StepKind, number: int, outcome: Outcome | None = None, *, state: str = "", name: str = "t"
    ) -> str:
        """Put a step into the ledger, COMPLETED if it has an outcome. Returns its id."""
        result = None
        if outcome is not None:
            content = outcome_to_bytes(outcome)
            result = await self.stores.pool.fetchval(
                "insert into blob (tenant, digest, content) values ($1, sha256($2), $2)"
                " on conflict (tenant, digest) do update set create_time = now() returning digest",
                run.tenant, content,
            )  # fmt: skip
        await self.stores.pool.execute(
            "insert into step (run, number, tenant, kind, digest, occurrence, name, agent, state, attempt, arguments,"
            " result, input_tokens, cost_micros) values ($1, $2, $3, $4, $5, 1, $6, 'assistant', $7, 1, $8, $9, 7, 11)",
            run.id, number, run.tenant, kind.value, tool_digest(name, f"[{number}]"), name,
            state or ("COMPLETED" if result else "STARTED"), f'{{"n": {number}}}', result,
        )  # fmt: skip
        return f"{kind.value.lower()}-{number}"

    async def ask(
        self, run: Run, number: int, kind: InputKind = InputKind.APPROVAL, *, seconds: float = 600.0
    ) -> tuple[str, str]:
        """Let a waiting step ask something. Returns the request and the digest of its arguments."""
        await self.step(run, StepKind.TOOL, number, state="WAITING", name="pay")
        request, digest, now = new_id("req"), tool_digest("pay", '{"n": 1}').hex(), _now()
        await self.stores.pool.execute(
            "insert into input_request (id, run, step, kind, tool, arguments, arguments_digest, question, create_time,"
            " expire_time) values ($1, $2, $3, $4, 'pay', '{\"n\": 1}', $5, '', $6, $7)",
            request, run.id, number, kind.value, digest, now, now + timedelta(seconds=seconds),
        )  # fmt: skip
        return request, digest

    async def told(self, run: str) -> list[Any]:
        """Return the run's events as subscribers get them."""
        return [event_to_proto(event) for event in await self.stores.runs.events(run, 0, 1000)]

    async def _resting(self, state: RunState, **change: Any) -> Run:
        run = await self.stores.running()
        rests = await self.stores.runs.transition(run.id, lambda now: StateChange(state, now.attempt, **change))
        assert rests is not None
        return rests

    def _warn(self, action: str, run: str, error: MeshError) -> None:
        self.warnings.append(f"{action} {run} {error.message}")


@asynccontextmanager
async def desk(postgres_url: str, redis_url: str) -> AsyncIterator[Desk]:
    """Give the verbs of one replica."""
    async with replica(postgres_url, redis_url) as stores:
        yield Desk(stores)


def key(caller: CallContext, method: str, request_id: str = "", parameters: bytes = b"") -> RequestKey:
    """Return the key of a call."""
    return RequestKey(caller.tenant, caller.subject, method, request_id or new_id("req"), parameters)


def fork_of(run: Run, step: str = "", *, request_id: str = "", caller: CallContext = ADA, **edit: Any) -> Fork:
    """Return a wish for a fork."""
    return Fork(key(caller, "ForkRun", request_id), run.id, step, **edit)


async def three_steps(desk: Desk, run: Run) -> None:
    """Let the run have asked its model, called a tool, and asked its model again."""
    await desk.step(run, StepKind.MODEL, 1, COMPLETION, name="m")
    await desk.step(run, StepKind.TOOL, 2, ToolOutcome("4", memory="mem_1"), name="calculator")
    await desk.step(run, StepKind.MODEL, 3, COMPLETION, name="m3")


def _now() -> datetime:
    return datetime.now(UTC)
