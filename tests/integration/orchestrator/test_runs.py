"""Runs from the caller's side: what is asked, what the agent and memory get, what comes back."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import pytest_asyncio
from agentmesh.agent.v1 import agent_spec_pb2
from agentmesh.errors.v1 import reason_pb2
from agentmesh.orchestrator.v1 import run_pb2, run_service_pb2

from meshkit.auth.issuer import INTERNAL_ISSUER
from meshkit.auth.keys import FileKeys
from meshkit.auth.tokens import TokenVerifier
from meshkit.errors import (
    Aborted,
    FailedPrecondition,
    InvalidArgument,
    MeshError,
    NotFound,
    OutOfRange,
    PermissionDenied,
)
from meshkit.ids import new_id
from tests.integration.orchestrator.mesh import Client, Mesh, Orchestrator, check_order, text_of

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def mesh(tmp_path_factory: Any, postgres_url: str, redis_url: str) -> AsyncIterator[Mesh]:
    async with Mesh.start(tmp_path_factory.mktemp("mesh"), postgres_url, redis_url) as started:
        yield started


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def orchestrator(mesh: Mesh) -> AsyncIterator[Orchestrator]:
    async with mesh.orchestrator() as started:
        yield started


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(mesh: Mesh, orchestrator: Orchestrator) -> Client:
    return mesh.client(orchestrator)


async def until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - the fakes only record
            await asyncio.sleep(0.005)


def code_of(run: run_pb2.Run) -> str:
    return reason_pb2.ErrorReason.Name(run.failure.reason).removeprefix("ERROR_REASON_")


async def test_an_answer_is_streamed_stored_and_remembered(mesh: Mesh, client: Client) -> None:
    run = await client.create("say 30 5")
    assert run.state == run_pb2.RUN_STATE_QUEUED
    assert run.session.startswith("ses_")
    events = await client.events(run.id)
    check_order(events)
    kinds = [event.WhichOneof("event") for event in events]
    assert kinds[:4] == ["state_changed", "state_changed", "memory_recalled", "message_started"]
    assert kinds[-3:] == ["usage", "message_finished", "state_changed"]
    done = await client.wait(run.id)
    assert done.state == run_pb2.RUN_STATE_SUCCEEDED
    assert text_of(events) == done.output == "".join(f"w{place} " for place in range(30))
    assert kinds.count("token_delta") < 15  # pieces that wait for a commit travel together
    assert (done.usage.input_tokens, done.usage.output_tokens, done.usage.model_calls) == (10, 30, 1)
    assert done.last_sequence == events[-1].sequence
    assert {event.trace_id for event in events} == {events[0].trace_id}
    assert len(events[0].trace_id) == 32
    assert mesh.memory.stored[-1].output == done.output


async def test_the_agent_gets_the_history_and_what_is_recalled_beside_it(mesh: Mesh, client: Client) -> None:
    before = await client.create("say 2 0", agent="coding")
    await client.wait(before.id)
    first = await client.create("say 3 0")
    await client.wait(first.id)
    second = await client.create("say 1 0", session=first.session)
    await client.wait(second.id)
    request = mesh.agent.requests[-1]
    assert [(message.role, message.text) for message in request.history] == [(1, "say 3 0"), (2, "w0 w1 w2 ")]
    recalled = {item.interaction.run for item in request.recalled}
    assert before.id in recalled
    assert first.id not in recalled  # it is in the history already
    assert request.spec.tools == ["calculator", "current_time", "memory_search", "memory_remember"]


async def test_peers_are_called_for_the_user_by_the_orchestrator(mesh: Mesh, client: Client) -> None:
    run = await client.create("say 1 0")
    await client.wait(run.id)
    for caller in (mesh.agent.callers[-1], mesh.memory.callers[-1]):
        assert (caller.tenant, caller.subject, caller.service) == ("acme", "ada", "orchestrator")
    keys = FileKeys(mesh.tokens.internal_files.public)
    verifier = TokenVerifier(keys, issuer=INTERNAL_ISSUER, audience="memory")
    tool = await verifier.verify(mesh.agent.requests[-1].memory_token)
    assert (tool.subject, tool.service, tool.scopes) == ("ada", "agent", {"memory.read", "memory.write"})


async def test_stream_run_follows_the_same_run_again(client: Client) -> None:
    request = run_service_pb2.StreamRunRequest(run={"request_id": new_id("req"), "input": "say 5 10"})
    first = [event async for event in client.runs.StreamRun(request)]
    check_order(first)
    assert [event async for event in client.runs.StreamRun(request)] == first


async def test_a_subscriber_that_comes_back_misses_nothing(client: Client) -> None:
    run = await client.create("say 40 5")
    call = client.runs.SubscribeRun(run_service_pb2.SubscribeRunRequest(run=run.id))
    seen = []
    async for event in call:
        seen.append(event)
        if event.sequence == 6:
            break
    call.cancel()
    rest = await client.events(run.id, after=6)
    check_order(seen + rest)
    with pytest.raises(OutOfRange) as refused:
        await client.events(run.id, after=rest[-1].sequence + 1)
    assert refused.value.reason == "SEQUENCE_IN_FUTURE"
    assert await client.events(run.id, after=rest[-1].sequence) == []


@pytest.mark.parametrize(("task", "reason"), [("fail", "MODEL_FAILED"), ("limit", "LIMIT_REACHED")])
async def test_a_failure_is_data(client: Client, task: str, reason: str) -> None:
    run = await client.create(task)
    events = await client.events(run.id)
    check_order(events)
    done = await client.wait(run.id)
    assert done.state == run_pb2.RUN_STATE_FAILED
    assert (code_of(done), done.failure.source, done.attempt) == (reason, "agent", 1)
    if task == "limit":
        assert "limit_reached" in [event.WhichOneof("event") for event in events]


async def test_a_broken_agent_is_started_again(client: Client) -> None:
    run = await client.create("break 1")
    events = await client.events(run.id)
    check_order(events)
    done = await client.wait(run.id)
    assert (done.state, done.attempt) == (run_pb2.RUN_STATE_SUCCEEDED, 2)
    assert text_of(events, 1) == "w0 "
    assert text_of(events, 2) == done.output == "w0 w1 w2 "
    hopeless = await client.create("break 9")
    failed = await client.wait(hopeless.id)
    assert (code_of(failed), failed.attempt) == ("DEPENDENCY_UNAVAILABLE", 3)


async def test_the_timeout_ends_a_run(mesh: Mesh, client: Client) -> None:
    limits = agent_spec_pb2.RunLimits(max_tool_calls=7)
    limits.timeout.FromSeconds(1)
    run = await client.create("hang", limits=limits)
    assert (run.limits.max_tool_calls, run.limits.max_model_calls, run.limits.timeout.seconds) == (7, 25, 1)
    events = await client.events(run.id)
    check_order(events)
    done = await client.wait(run.id)
    assert code_of(done) == "LIMIT_REACHED"
    assert events[-2].limit_reached.limit == "timeout"
    await until(lambda: run.id in mesh.agent.cancelled)


async def test_memory_that_is_away_does_not_fail_a_run(mesh: Mesh, client: Client) -> None:
    mesh.memory.failures = 5  # recall with its retries, then some of the tries to store
    run = await client.create("say 2 0")
    done = await client.wait(run.id)
    mesh.memory.failures = 0
    assert done.state == run_pb2.RUN_STATE_SUCCEEDED
    recalled = [event for event in await client.events(run.id) if event.WhichOneof("event") == "memory_recalled"]
    assert list(recalled[0].memory_recalled.degraded) == [1, 2, 3]
    assert mesh.memory.stored[-1].run == run.id


async def test_cancelling_closes_the_agents_stream_at_once(mesh: Mesh, client: Client) -> None:
    delays = []
    for _ in range(5):
        run = await client.create("hang")
        await until(lambda run=run: run.id in mesh.agent.active)  # type: ignore[misc]
        begin = time.monotonic()
        cancelled = await client.runs.CancelRun(run_service_pb2.CancelRunRequest(run=run.id))
        await until(lambda run=run: run.id in mesh.agent.cancelled)  # type: ignore[misc]
        delays.append(mesh.agent.cancelled[run.id] - begin)
        assert cancelled.state == run_pb2.RUN_STATE_CANCELLED
        check_order(await client.events(run.id))
        again = await client.runs.CancelRun(run_service_pb2.CancelRunRequest(run=run.id))
        assert again == cancelled
    assert min(delays) < 0.1, delays


async def test_leaving_cancels_only_when_asked(mesh: Mesh, client: Client) -> None:
    for leave, state in ((2, run_pb2.RUN_STATE_CANCELLED), (1, run_pb2.RUN_STATE_RUNNING)):
        request = run_service_pb2.StreamRunRequest(
            run={"request_id": new_id("req"), "input": "hang"}, on_disconnect=leave
        )
        call = client.runs.StreamRun(request)
        async for event in call:
            if event.WhichOneof("event") == "token_delta":
                break
        call.cancel()
        run = await client.wait(event.run, 1)
        assert run.state == state
        await client.runs.CancelRun(run_service_pb2.CancelRunRequest(run=run.id))


async def test_a_session_has_one_run_at_a_time(client: Client) -> None:
    run = await client.create("hang")
    with pytest.raises(FailedPrecondition) as refused:
        await client.create("say 1 0", session=run.session)
    assert refused.value.reason == "STATE_CONFLICT"
    await client.runs.CancelRun(run_service_pb2.CancelRunRequest(run=run.id))
    await client.wait((await client.create("say 1 0", session=run.session)).id)


async def test_the_same_request_twice(client: Client) -> None:
    request_id = new_id("req")
    first = await client.create("say 1 0", request_id=request_id)
    await client.wait(first.id)
    assert await client.create("say 1 0", request_id=request_id) == first
    with pytest.raises(InvalidArgument) as reused:
        await client.create("say 2 0", request_id=request_id)
    assert reused.value.reason == "REQUEST_ID_REUSED"
    busy = await client.create("hang")
    refused_id, errors = new_id("req"), []
    for _ in range(2):
        with pytest.raises(FailedPrecondition) as refused:
            await client.create("say 1 0", session=busy.session, request_id=refused_id)
        errors.append((refused.value.reason, refused.value.message))
        await client.runs.CancelRun(run_service_pb2.CancelRunRequest(run=busy.id))
    assert errors[0] == errors[1]  # the first answer, though the session is free by now


async def test_the_same_request_many_times_at_once(client: Client) -> None:
    request_id = new_id("req")

    async def ask() -> str:
        while True:
            try:
                return str((await client.create("say 1 0", request_id=request_id)).id)
            except Aborted:
                await asyncio.sleep(0.01)

    assert len(set(await asyncio.gather(*(ask() for _ in range(20))))) == 1


async def test_runs_are_listed_in_pages(mesh: Mesh, orchestrator: Orchestrator) -> None:
    client = mesh.client(orchestrator, tenant="pages")
    made = [(await client.create("say 1 0", agent=agent)).id for agent in ("coding", "research", "coding")]
    await asyncio.gather(*(client.wait(run) for run in made))
    seen, token = [], ""
    while True:
        request = run_service_pb2.ListRunsRequest(page_size=2, page_token=token)
        page = await client.runs.ListRuns(request)
        seen += [run.id for run in page.runs]
        assert all(not run.input and not run.output for run in page.runs)
        token = page.next_page_token
        if not token:
            break
        with pytest.raises(InvalidArgument):
            await client.runs.ListRuns(run_service_pb2.ListRunsRequest(agent="coding", page_token=token))
    assert seen == made[::-1]
    only = await client.runs.ListRuns(run_service_pb2.ListRunsRequest(agent="coding", state=3, view=2))
    assert [run.id for run in only.runs] == [made[2], made[0]]
    assert only.runs[0].output == "w0 "


async def test_a_run_of_another_tenant_is_like_one_that_never_was(
    mesh: Mesh, orchestrator: Orchestrator, client: Client
) -> None:
    foreign = mesh.client(orchestrator, tenant="other")
    run = await client.create("hang")
    unknown = new_id("run")
    for method, request in (
        ("GetRun", run_service_pb2.GetRunRequest),
        ("WaitRun", run_service_pb2.WaitRunRequest),
        ("CancelRun", run_service_pb2.CancelRunRequest),
    ):
        words = []
        for name in (run.id, unknown):
            with pytest.raises(NotFound) as refused:
                await getattr(foreign.runs, method)(request(run=name))
            words.append((refused.value.message, refused.value.metadata))
        assert words[0] == words[1]
    for name in (run.id, unknown):
        with pytest.raises(NotFound):
            await foreign.events(name)
    with pytest.raises(NotFound):
        await foreign.create("say 1 0", session=run.session)
    assert not (await foreign.runs.ListRuns(run_service_pb2.ListRunsRequest())).runs
    assert (await client.wait(run.id, 0)).state == run_pb2.RUN_STATE_RUNNING
    await client.runs.CancelRun(run_service_pb2.CancelRunRequest(run=run.id))


async def test_acting_for_somebody_else_needs_the_scope(mesh: Mesh, orchestrator: Orchestrator, client: Client) -> None:
    with pytest.raises(PermissionDenied):
        await client.create("say 1 0", user="bob")
    trusted = mesh.client(orchestrator, user="backend", more="users.act_as")
    run = await trusted.create("say 1 0", user="bob")
    assert run.user == "bob"
    await trusted.wait(run.id)
    assert mesh.memory.stored[-1].user == "bob"
    with pytest.raises(PermissionDenied):
        await client.create("say 1 0", session=run.session)
    with pytest.raises(InvalidArgument):
        await trusted.create("say 1 0", session=run.session, user="eve")


@pytest.mark.parametrize("fields", [{"agent": "nobody"}, {"session": "ses_01ARZ3NDEKTSV4RRFFQ69G5FAV"}])
async def test_what_does_not_exist_is_said(client: Client, fields: dict[str, str]) -> None:
    with pytest.raises(NotFound):
        await client.create("say 1 0", **fields)


async def test_a_wrong_field_is_named(client: Client) -> None:
    with pytest.raises(MeshError) as refused:
        await client.create("")
    assert refused.value.field_violations[0].field == "input"


async def test_the_first_event_of_the_agent_comes_soon(client: Client) -> None:
    delays = []
    for _ in range(10):
        begin = time.monotonic()
        request = run_service_pb2.StreamRunRequest(run={"request_id": new_id("req"), "input": "say 1 0"})
        call = client.runs.StreamRun(request)
        async for event in call:
            if event.WhichOneof("event") == "token_delta":
                delays.append(time.monotonic() - begin)  # noqa: PERF401 - the time is taken inside the loop
    delays.sort()
    print(f"first token after ms: p50 {delays[5] * 1000:.0f} max {delays[-1] * 1000:.0f}")
    assert delays[5] < 0.25  # about 60 ms on a quiet machine
