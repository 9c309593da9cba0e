"""What people say, as the gate then tells it to the agent: answers, steering and forks against the real ledger."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
import pytest_asyncio

from meshkit.ids import new_id
from orchestrator.convert.events import ProtoEvents
from orchestrator.convert.outcomes import outcome_from_bytes, outcome_to_bytes
from orchestrator.domain.gate import Gate
from orchestrator.domain.ledger import Attempt, Execute, Replay, StepAsk, StepName, Suspend, Verdict
from orchestrator.domain.model import Run, RunState, Usage
from orchestrator.domain.requests import Reply
from orchestrator.domain.steps import Answer, InputKind, InputRequest, Outcome, StepKind, ToolOutcome, tool_digest
from orchestrator.stores.ledger import PostgresLedger
from tests.integration.orchestrator.desk import ADA, COMPLETION, Desk, desk, fork_of, key

MODEL = StepAsk(StepKind.MODEL, "m", "assistant", b"q" * 32, 1)


def call(name: str, arguments: str = "{}") -> StepAsk:
    return StepAsk(StepKind.TOOL, name, "assistant", tool_digest(name, arguments), 1, arguments)


PAY = call("pay", '{"euros": 5}')


@pytest_asyncio.fixture
async def front(postgres_url: str, redis_url: str) -> AsyncIterator[Desk]:
    async with desk(postgres_url, redis_url) as opened:
        yield opened


def gate_of(front: Desk, hold: float = 20.0) -> Gate:
    stores = front.stores
    ledger = PostgresLedger(
        stores.pool, ProtoEvents(), stores.feed, stores.wakeups, encode=outcome_to_bytes, decode=outcome_from_bytes,
        new_id=new_id, clock=lambda: datetime.now(UTC),
    )  # fmt: skip
    return Gate(ledger, stores.runs, stores.feed, hold=hold)


def attempt_of(run: Run) -> Attempt:
    return Attempt(run.tenant, run.id, run.attempt)


async def careful(front: Desk, *, seconds: float = 600.0) -> Run:
    """Return a run whose agent must ask before it pays."""
    run = await front.stores.running()
    await front.stores.pool.execute(
        "update run set spec = spec || jsonb_build_object('tool_policies',"
        " jsonb_build_object('pay', jsonb_build_object('approval', 'ASK', 'seconds', $2::float))) where id = $1",
        run.id, seconds,
    )  # fmt: skip
    return run


async def asked(front: Desk, run: Run, ask: StepAsk = PAY) -> tuple["asyncio.Task[Verdict]", InputRequest]:
    """Let the agent ask the gate. Returns the call that waits, and what the gate asks of people."""
    waits = asyncio.create_task(gate_of(front).begin(attempt_of(run), ask))
    async with asyncio.timeout(10):
        while not (found := await front.requests.open(run)):
            assert not waits.done(), waits.result()
            await asyncio.sleep(0.01)
    return waits, found[0]


async def test_an_approval_wakes_the_call_that_waits(front: Desk) -> None:
    run = await careful(front)
    waits, request = await asked(front, run)
    assert (request.kind, request.tool, request.arguments) == (InputKind.APPROVAL, "pay", PAY.arguments)
    assert request.arguments_digest == PAY.digest.hex()
    after = await front.requests.respond(ADA, run.id, request.id, Reply(Answer.APPROVED, digest=PAY.digest.hex()))
    assert after.state is RunState.RUNNING
    verdict = await asyncio.wait_for(waits, 5)
    assert isinstance(verdict, Execute)
    assert (verdict.step, verdict.arguments) == (request.step, "")
    # It counts once: the same call a second time is asked for again.
    again = StepAsk(PAY.kind, PAY.name, PAY.agent, PAY.digest, 2, PAY.arguments)
    second, other = await asked(front, run, again)
    assert other.id != request.id
    second.cancel()


@pytest.mark.parametrize(
    ("reply", "content"),
    [
        (Reply(Answer.DENIED, text="too dear"), "A person did not allow this call: too dear"),
        (Reply(Answer.DENIED), "A person did not allow this call."),
    ],
)
async def test_a_denial_is_told_to_the_model(front: Desk, reply: Reply, content: str) -> None:
    run = await careful(front)
    waits, request = await asked(front, run)
    await front.requests.respond(ADA, run.id, request.id, reply)
    verdict = await asyncio.wait_for(waits, 5)
    assert isinstance(verdict, Replay)
    assert verdict.outcome == ToolOutcome(content, is_error=True)


async def test_edited_arguments_are_those_that_are_carried_out(front: Desk) -> None:
    run = await careful(front)
    waits, request = await asked(front, run)
    edit = Reply(Answer.EDITED, text='{"euros": 3}', digest=request.arguments_digest)
    await front.requests.respond(ADA, run.id, request.id, edit)
    verdict = await asyncio.wait_for(waits, 5)
    assert isinstance(verdict, Execute)
    assert verdict.arguments == '{"euros": 3}'
    page = await front.stepping.list(ADA, run.id, 50, "", full=True)
    assert [step.arguments for step in page.items] == ['{"euros": 3}']


async def test_a_question_is_answered_in_words(front: Desk) -> None:
    run = await front.stores.running()
    waits, request = await asked(front, run, call("ask_user", '{"question": "Which colour?"}'))
    assert (request.kind, request.question) == (InputKind.QUESTION, "Which colour?")
    await front.requests.respond(ADA, run.id, request.id, Reply(Answer.TEXT, text="blue"))
    verdict = await asyncio.wait_for(waits, 5)
    assert isinstance(verdict, Replay)
    assert verdict.outcome == ToolOutcome("blue")


async def test_what_nobody_answers_in_time_is_not_done(front: Desk) -> None:
    run = await careful(front, seconds=-1)
    waits, request = await asked(front, run)
    await front.requests.expire()
    verdict = await asyncio.wait_for(waits, 5)
    assert isinstance(verdict, Replay)
    assert isinstance(verdict.outcome, ToolOutcome)
    assert verdict.outcome.is_error
    assert await front.requests.open(run) == []
    assert verdict.step == request.step


async def test_an_answer_after_the_agent_gave_up_is_found_by_the_next_attempt(front: Desk) -> None:
    run = await careful(front)
    assert isinstance(await gate_of(front, hold=0.05).begin(attempt_of(run), PAY), Suspend)
    waiting = await front.stores.runs.load(run.id)
    assert waiting is not None
    assert waiting.state is RunState.WAITING
    await front.stores.pool.execute("update run set suspended = true where id = $1", run.id)
    (request,) = await front.requests.open(waiting)
    after = await front.requests.respond(ADA, run.id, request.id, Reply(Answer.APPROVED, digest=PAY.digest.hex()))
    assert (after.state, front.engine.started) == (RunState.QUEUED, [(run.id, 2)])
    begun = await front.stores.begin(run.id)
    assert isinstance(await gate_of(front).begin(attempt_of(begun), PAY), Execute)


async def test_an_interrupted_call_is_explained_by_a_person(front: Desk) -> None:
    run = await front.stores.running()
    send = call("send")
    assert isinstance(await gate_of(front).begin(attempt_of(run), send), Execute)
    begun = await front.stores.begin(run.id)  # the process died in the middle of the call
    waits, request = await asked(front, begun, send)
    assert request.kind is InputKind.UNCERTAIN
    await front.requests.respond(ADA, run.id, request.id, Reply(Answer.TEXT, text="it was sent"))
    verdict = await asyncio.wait_for(waits, 5)
    assert isinstance(verdict, Replay)
    assert verdict.outcome == ToolOutcome("it was sent")


async def test_what_is_said_joins_the_next_request_to_the_model(front: Desk) -> None:
    run, gate = await front.stores.running(), gate_of(front)
    for text in ("be brief", "be kind"):
        await front.steering.steer(ADA, key(ADA, "SteerRun"), run.id, text)
    first = await gate.begin(attempt_of(run), MODEL)
    assert isinstance(first, Execute)
    assert list(first.steering) == [(1, "be brief"), (2, "be kind")]
    await gate.complete(attempt_of(run), StepName(StepKind.MODEL, 1), COMPLETION, Usage(1, 1))
    begun = await front.stores.begin(run.id)
    again = await gate.begin(attempt_of(begun), MODEL)
    assert isinstance(again, Replay)
    assert list(again.steering) == list(first.steering)


async def test_a_fork_replays_what_it_kept_and_does_the_rest(front: Desk) -> None:
    run, gate = await front.stores.running(), gate_of(front)
    await front.steering.steer(ADA, key(ADA, "SteerRun"), run.id, "be brief")
    brought: dict[StepAsk, Outcome] = {
        MODEL: COMPLETION,
        call("calculator"): ToolOutcome("4"),
        call("current_time"): ToolOutcome("noon"),
    }
    for number, (ask, outcome) in enumerate(brought.items(), 1):
        assert isinstance(await gate.begin(attempt_of(run), ask), Execute)
        await gate.complete(attempt_of(run), StepName(ask.kind, number), outcome, Usage(3, 4))
    made = await front.forking.fork(ADA, fork_of(run, "tool-2", outcome=ToolOutcome("5")))
    begun = await front.stores.begin(made.id)
    first = await gate.begin(attempt_of(begun), MODEL)
    assert first == Replay("model-1", COMPLETION, steering=((1, "be brief"),))
    assert await gate.begin(attempt_of(begun), call("calculator")) == Replay("tool-2", ToolOutcome("5"))
    rest = await gate.begin(attempt_of(begun), call("current_time"))
    assert isinstance(rest, Execute)
    assert rest.step == "tool-3"
    assert rest.idempotency_key.startswith(made.id)  # it is another run's effect
    now = await front.stores.runs.load(made.id)
    assert now is not None
    assert (now.usage, now.state) == (Usage(tool_calls=1), RunState.RUNNING)
