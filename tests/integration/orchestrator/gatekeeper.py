"""One replica's gate on a real database, the people who use it, and what agents ask it."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import pytest
from agentmesh.orchestrator.v1 import run_event_pb2

from meshkit.context import CallContext
from meshkit.errors import MeshError
from meshkit.ids import new_id
from orchestrator.convert.events import ProtoEvents
from orchestrator.convert.outcomes import outcome_from_bytes, outcome_to_bytes
from orchestrator.domain.delegation import Delegations
from orchestrator.domain.gate import Gate
from orchestrator.domain.ledger import Attempt, Execute, Replay, StepAsk, StepName, Verdict
from orchestrator.domain.model import Run, Session, Usage
from orchestrator.domain.pausing import Pausing
from orchestrator.domain.requests import Reply, Requests
from orchestrator.domain.specs import AgentSpec, Approval, ToolPolicy
from orchestrator.domain.steering import Steering
from orchestrator.domain.steps import InputRequest, StepKind, tool_digest
from orchestrator.domain.storage import FindAgent, NewRun, RequestKey
from orchestrator.stores.delegations import PostgresDelegations
from orchestrator.stores.ledger import PostgresLedger
from orchestrator.stores.peers import peers_on
from orchestrator.stores.requests import PostgresRequests
from orchestrator.stores.steering import PostgresSteering
from tests.integration.orchestrator.conftest import ADA, TENANT, Stores

ADA_CALLS = CallContext(TENANT, "ada")
NO_USE = Usage()


class Engine:
    """Records what it is asked to start."""

    def __init__(self) -> None:
        self.started: list[tuple[str, int]] = []

    async def start(self, run: Run) -> None:
        self.started.append((run.id, run.leg))


@dataclass
class Ledger:
    """One replica's gate, and the verbs of people."""

    stores: Stores
    hold: float = 0.2
    shift: timedelta = timedelta()
    engine: Engine = field(default_factory=Engine)

    def __post_init__(self) -> None:
        parts = self.stores.pool, ProtoEvents(), self.stores.feed, self.stores.wakeups
        self.store = PostgresLedger(
            *parts, encode=outcome_to_bytes, decode=outcome_from_bytes, new_id=new_id, clock=self.clock,
            peers=peers_on(lambda runtime: runtime == "langchain"),
        )  # fmt: skip
        self.gate = Gate(self.store, self.stores.runs, self.stores.feed, hold=self.hold)
        self.requests = Requests(PostgresRequests(*parts), self.engine, clock=self.clock, warn=lambda *_: None)
        self.steering = Steering(PostgresSteering(*parts), self.stores.runs)
        self.pausing = Pausing(self.stores.runs, self.engine)
        self.delegations = Delegations(PostgresDelegations(*parts), self.stores.runs, self.engine, warn=lambda *_: None)

    def clock(self) -> datetime:
        return datetime.now(UTC) + self.shift

    async def run(self, **spec: Any) -> Attempt:
        """Start a run of an agent made so."""

        async def make(_existing: Session | None, _find: FindAgent) -> NewRun:
            now = datetime.now(UTC)
            home = Session(new_id("ses"), TENANT, "ada", "", "", {}, now, now, "etag")
            run = Run(
                new_id("run"), TENANT, home.id, "ada", "assistant", AgentSpec("langchain", **spec), "hello", now,
                last_sequence=1,
            )  # fmt: skip
            return NewRun(run, home)

        key = RequestKey(TENANT, "ada", "CreateRun", new_id("req"), b"")
        run = await self.stores.runs.create(key, ADA, "", make)
        return await self.again(Attempt(TENANT, run.id, 0))

    async def again(self, attempt: Attempt) -> Attempt:
        """Begin the run's next attempt."""
        run = await self.stores.begin(attempt.run)
        return replace(attempt, number=run.attempt)

    async def look(self, attempt: Attempt) -> Run:
        run = await self.stores.runs.load(attempt.run)
        assert run is not None
        return run

    async def done(self, attempt: Attempt, ask: StepAsk, outcome: Any, usage: Usage = NO_USE) -> str:
        """Do a step."""
        told = await self.gate.begin(attempt, ask)
        assert isinstance(told, Execute), told
        await self.gate.complete(attempt, name(told.step), outcome, usage)
        return told.step

    async def asked(self, attempt: Attempt) -> InputRequest:
        (request,) = await self.requests.open(await self.look(attempt))
        return request

    async def answer(self, attempt: Attempt, reply: Reply) -> Run:
        request = await self.asked(attempt)
        return await self.requests.respond(ADA_CALLS, attempt.run, request.id, reply)

    async def events(self, attempt: Attempt) -> list[run_event_pb2.RunEvent]:
        events = await self.stores.runs.events(attempt.run, 0, 100)
        assert [event.sequence for event in events] == list(range(1, len(events) + 1))
        return [run_event_pb2.RunEvent.FromString(event.body) for event in events]


def tool(
    arguments: str = '{"a": 1}', occurrence: int = 1, called: str = "search", *, repeatable: bool = False
) -> StepAsk:
    return StepAsk(
        StepKind.TOOL, called, "assistant", tool_digest(called, arguments), occurrence, arguments, repeatable
    )


def model(request: str = "hi", occurrence: int = 1) -> StepAsk:
    return StepAsk(StepKind.MODEL, "small", "assistant", sha256(request.encode()).digest(), occurrence, "", True)


def name(step: str) -> StepName:
    kind, _, number = step.partition("-")
    return StepName(StepKind(kind.upper()), int(number))


def asking(time_limit: timedelta = timedelta(days=1)) -> dict[str, Any]:
    return {"tool_policies": {"search": ToolPolicy(Approval.ASK, time_limit)}}


async def refused(attempt: Attempt, ledger: Ledger, ask: StepAsk) -> MeshError:
    with pytest.raises(MeshError) as error:
        await ledger.gate.begin(attempt, ask)
    return error.value


async def say(ledger: Ledger, attempt: Attempt, text: str) -> None:
    key = RequestKey(TENANT, "ada", "SteerRun", new_id("req"), text.encode())
    await ledger.steering.steer(ADA_CALLS, key, attempt.run, text)


def said(verdict: Verdict) -> list[tuple[int, str]]:
    assert isinstance(verdict, Execute | Replay)
    return list(verdict.steering)
