"""Control from the caller's side: what runs ask is shown and answered, runs are spoken to, forked and read."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from agentmesh.agent.v1 import activity_pb2
from agentmesh.orchestrator.v1 import input_request_pb2, run_control_pb2, run_pb2, run_service_pb2, step_pb2

from meshkit.errors import FailedPrecondition, InvalidArgument, NotFound, PermissionDenied
from meshkit.ids import new_id
from orchestrator.domain.events import StateChange
from orchestrator.domain.model import Run, RunState
from orchestrator.domain.requests import Reply
from orchestrator.domain.steps import Answer
from tests.integration.orchestrator.conftest import replica
from tests.integration.orchestrator.desk import ADA, COMPLETION, Desk, three_steps
from tests.integration.orchestrator.mesh import Client, Mesh, Orchestrator

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def back(mesh: Mesh, orchestrator: Orchestrator) -> AsyncIterator[Desk]:
    """The ledger behind the orchestrator: what its gate would write is written here."""
    async with replica(mesh.database, mesh.redis) as stores:
        yield Desk(stores)


async def working(client: Client, back: Desk) -> Run:
    """Return a run whose agent is at work and says no more."""
    run = await client.create("hang")
    call = client.runs.SubscribeRun(run_service_pb2.SubscribeRunRequest(run=run.id), timeout=30)
    async for event in call:
        if event.HasField("token_delta") and event.sequence:  # its only word, and stored
            break
    call.cancel()
    return await _load(back, run.id)


async def asking(client: Client, back: Desk, *, seconds: float = 600.0) -> tuple[Run, str, str]:
    """Return a run that waits, its request and the digest."""
    run = await working(client, back)
    request, digest = await back.ask(run, 1, seconds=seconds)
    waits = await back.stores.runs.transition(run.id, lambda now: StateChange(RunState.WAITING, now.attempt))
    assert waits is not None
    return waits, request, digest


def respond(run: Run, request: str, **decision: Any) -> run_control_pb2.RespondToRequestRequest:
    return run_control_pb2.RespondToRequestRequest(run=run.id, input_request=request, **decision)


async def test_what_a_run_asks_is_shown_and_answered(client: Client, back: Desk) -> None:
    run, request, digest = await asking(client, back)
    shown = await client.runs.GetRun(run_service_pb2.GetRunRequest(run=run.id))
    assert shown.state == run_pb2.RUN_STATE_WAITING
    (asked,) = shown.requests
    assert (asked.id, asked.run, asked.step, asked.tool) == (request, run.id, "tool-1", "pay")
    assert asked.kind == input_request_pb2.INPUT_KIND_APPROVAL
    assert (asked.arguments, asked.arguments_digest) == ('{"n": 1}', digest)
    assert (asked.expire_time.seconds - asked.create_time.seconds) == 600
    listed = await client.runs.ListRuns(run_service_pb2.ListRunsRequest(view=run_pb2.RUN_VIEW_FULL))
    assert all(not each.requests for each in listed.runs)

    answered = await client.runs.RespondToRequest(respond(run, request, approve={"arguments_digest": digest}))
    assert answered.state == run_pb2.RUN_STATE_RUNNING
    assert not answered.requests
    again = await client.runs.RespondToRequest(respond(run, request, approve={"arguments_digest": digest}))
    assert again.last_sequence == answered.last_sequence
    with pytest.raises(FailedPrecondition) as closed:
        await client.runs.RespondToRequest(respond(run, request, deny={"reason": "changed my mind"}))
    assert closed.value.reason == "REQUEST_CLOSED"


async def test_a_wrong_answer_is_refused_in_words(client: Client, back: Desk) -> None:
    run, request, digest = await asking(client, back)
    for decision, field in (
        ({"approve": {"arguments_digest": "0" * 64}}, "approve.arguments_digest"),
        ({"approve": {"arguments_digest": digest, "edited_arguments": "[]"}}, "approve.edited_arguments"),
        ({"answer": {"text": "yes"}}, "answer"),
    ):
        with pytest.raises(InvalidArgument) as refused:
            await client.runs.RespondToRequest(respond(run, request, **decision))
        assert [violation.field for violation in refused.value.field_violations] == [field]
    with pytest.raises(InvalidArgument):
        await client.runs.RespondToRequest(respond(run, request))


async def test_others_see_nothing_of_it(mesh: Mesh, client: Client, orchestrator: Orchestrator, back: Desk) -> None:
    run, request, digest = await asking(client, back)
    for other in (mesh.client(orchestrator, user="bob"), mesh.client(orchestrator, tenant="globex")):
        with pytest.raises(NotFound):
            await other.runs.RespondToRequest(respond(run, request, approve={"arguments_digest": digest}))
        with pytest.raises(NotFound):
            await other.runs.SteerRun(_steer(run, "hello"))
        with pytest.raises(NotFound):
            await other.runs.ForkRun(run_control_pb2.ForkRunRequest(request_id=new_id("req"), run=run.id))
        with pytest.raises(NotFound):
            await other.runs.ListSteps(run_control_pb2.ListStepsRequest(run=run.id))


async def test_a_reader_does_not_answer(mesh: Mesh, orchestrator: Orchestrator, client: Client, back: Desk) -> None:
    run, request, _ = await asking(client, back)
    reader = mesh.client(orchestrator, scopes=("runs.read",))
    assert await reader.runs.ListSteps(run_control_pb2.ListStepsRequest(run=run.id))
    for call in (
        reader.runs.RespondToRequest(respond(run, request, deny={})),
        reader.runs.SteerRun(_steer(run, "hello")),
        reader.runs.ForkRun(run_control_pb2.ForkRunRequest(request_id=new_id("req"), run=run.id)),
    ):
        with pytest.raises(PermissionDenied):
            await call


async def test_the_orchestrator_closes_what_nobody_answers(client: Client, back: Desk) -> None:
    run, request, _ = await asking(client, back, seconds=0.2)
    call = client.runs.SubscribeRun(run_service_pb2.SubscribeRunRequest(run=run.id), timeout=20)
    try:
        async for event in call:
            if event.WhichOneof("event") == "input_answered":
                break
    finally:
        call.cancel()
    assert event.input_answered.request == request
    assert event.input_answered.answer == input_request_pb2.INPUT_ANSWER_EXPIRED


async def test_a_run_is_found_whose_answer_was_taken_by_a_process_that_died(client: Client, back: Desk) -> None:
    run = await back.waiting(suspended=True, starts=1)
    request, digest = await back.ask(run, 1)
    reply = Reply(Answer.APPROVED, digest=digest)
    queued = await back.requests.respond(ADA, run.id, request, reply)  # its engine only notes that it is to start
    assert (queued.state, back.engine.started[-1]) == (RunState.QUEUED, (run.id, 2))
    done = await client.wait(run.id)
    assert (done.state, done.attempt, done.output) == (run_pb2.RUN_STATE_SUCCEEDED, 2, "w0 w1 w2 ")


async def test_what_is_said_reaches_subscribers(client: Client, back: Desk) -> None:
    run = await working(client, back)
    after = await client.runs.SteerRun(_steer(run, "be brief"))
    call = client.runs.SubscribeRun(run_service_pb2.SubscribeRunRequest(run=run.id), timeout=20)
    try:
        async for event in call:
            if event.WhichOneof("event") == "steered":
                break
    finally:
        call.cancel()
    assert (event.steered.text, event.steered.user) == ("be brief", "ada")
    assert event.sequence <= after.last_sequence


async def test_a_fork_runs_to_its_own_end(client: Client, back: Desk) -> None:
    first = await client.create("say 3 0")
    done = await client.wait(first.id)
    await three_steps(back, await _load(back, first.id))
    request = run_control_pb2.ForkRunRequest(
        request_id=new_id("req"), run=first.id, step="tool-2", result={"tool": {"content": "5"}}
    )
    made = await client.runs.ForkRun(request)
    assert (made.forked_from, made.state, made.input) == (first.id, run_pb2.RUN_STATE_QUEUED, "say 3 0")
    assert (await client.runs.ForkRun(request)).id == made.id
    end = await client.wait(made.id)
    assert (end.state, end.output, end.forked_from) == (run_pb2.RUN_STATE_SUCCEEDED, done.output, first.id)
    page = await client.runs.ListSteps(run_control_pb2.ListStepsRequest(run=made.id, view=run_pb2.RUN_VIEW_FULL))
    assert [(step.id, step.attempt, step.result) for step in page.steps[:2]] == [
        ("model-1", 0, step_pb2.StepResult(completion=COMPLETION)),
        ("tool-2", 0, step_pb2.StepResult(tool={"content": "5"})),
    ]
    other = await client.runs.ForkRun(
        run_control_pb2.ForkRunRequest(request_id=new_id("req"), run=first.id, input="say 1 0")
    )
    assert (await client.wait(other.id)).output == "w0 "


async def test_a_fork_that_cannot_be_is_refused(client: Client, back: Desk) -> None:
    first = await client.create("say 1 0")
    await client.wait(first.id)
    await three_steps(back, await _load(back, first.id))
    for edit, field in (
        ({"step": "tool-2", "result": {"completion": COMPLETION}}, "result"),
        ({"step": "tool-2", "result": {}}, "result"),
        ({"result": {"tool": {"content": "x"}}}, "step"),
        ({"step": "Tool 2"}, "step"),
    ):
        request = run_control_pb2.ForkRunRequest(request_id=new_id("req"), run=first.id, **edit)
        with pytest.raises(InvalidArgument) as refused:
            await client.runs.ForkRun(request)
        assert [violation.field for violation in refused.value.field_violations] == [field]


async def test_steps_are_listed(client: Client, back: Desk) -> None:
    first = await client.create("say 1 0")
    await client.wait(first.id)
    await three_steps(back, await _load(back, first.id))
    request = run_control_pb2.ListStepsRequest(run=first.id, page_size=2)
    page = await client.runs.ListSteps(request)
    assert [step.id for step in page.steps] == ["model-1", "tool-2"]
    assert not any(step.HasField("result") or step.arguments for step in page.steps)
    request.page_token, request.view = page.next_page_token, run_pb2.RUN_VIEW_FULL
    (last,) = (await client.runs.ListSteps(request)).steps
    assert (last.number, last.kind, last.state) == (3, activity_pb2.STEP_KIND_MODEL, step_pb2.STEP_STATE_COMPLETED)
    assert (last.name, last.agent, last.usage.input_tokens, last.usage.cost_micros) == ("m3", "assistant", 7, 11)
    assert last.result.completion == COMPLETION


def _steer(run: Run, text: str) -> run_control_pb2.SteerRunRequest:
    return run_control_pb2.SteerRunRequest(request_id=new_id("req"), run=run.id, text=text)


async def _load(back: Desk, run: str) -> Run:
    loaded = await back.stores.runs.load(run)
    assert loaded is not None
    return loaded
