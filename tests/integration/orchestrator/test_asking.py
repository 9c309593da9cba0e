"""Asking for runs: once however often it is asked, one at a time in a session, as whom one may."""

import asyncio

import pytest
from agentmesh.orchestrator.v1 import (
    agent_catalog_service_pb2,
    agent_definition_pb2,
    run_pb2,
    run_service_pb2,
    session_service_pb2,
)

from meshkit.errors import (
    Aborted,
    FailedPrecondition,
    InvalidArgument,
    MeshError,
    NotFound,
    PermissionDenied,
)
from meshkit.ids import new_id
from tests.integration.orchestrator.mesh import Client, Mesh, Orchestrator, until

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_session_has_one_run_at_a_time(mesh: Mesh, client: Client) -> None:
    run = await client.create("hang")
    await until(lambda: run.id in mesh.agent.active)
    with pytest.raises(FailedPrecondition) as refused:
        await client.create("say 1 0", session=run.session)
    assert (refused.value.reason, refused.value.message) == ("STATE_CONFLICT", f"the session's run {run.id} is RUNNING")
    await client.runs.CancelRun(run_service_pb2.CancelRunRequest(run=run.id))
    await client.wait((await client.create("say 1 0", session=run.session)).id)


async def test_of_many_runs_asked_for_at_once_in_a_session_one_is_made(client: Client) -> None:
    first = await client.create("say 1 0")
    await client.wait(first.id)
    tries = (client.create("hang", session=first.session) for _ in range(10))
    answers = await asyncio.gather(*tries, return_exceptions=True)
    (made,) = [answer for answer in answers if isinstance(answer, run_pb2.Run)]
    refused = [answer.message for answer in answers if isinstance(answer, FailedPrecondition)]
    assert len(refused) == 9
    states = {f"the session's run {made.id} is {state}" for state in ("QUEUED", "RUNNING")}
    assert set(refused) <= states
    await client.runs.CancelRun(run_service_pb2.CancelRunRequest(run=made.id))


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


async def test_the_request_ids_of_two_callers_never_meet(mesh: Mesh, orchestrator: Orchestrator) -> None:
    """Neither another user's nor another tenant's, for runs, sessions and agents."""
    request_id = new_id("req")
    callers = [("acme", "ada"), ("acme", "bob"), ("third", "ada")]
    clients = [mesh.client(orchestrator, tenant=tenant, user=user) for tenant, user in callers]
    runs = [await client.create(f"say {place} 0", request_id=request_id) for place, client in enumerate(clients, 1)]
    assert [run.input for run in runs] == ["say 1 0", "say 2 0", "say 3 0"]
    assert [
        await each.create(run.input, request_id=request_id) for each, run in zip(clients, runs, strict=True)
    ] == runs
    make = session_service_pb2.CreateSessionRequest(request_id=request_id)
    sessions = [await client.sessions.CreateSession(make) for client in clients]
    assert [session.user for session in sessions] == ["ada", "bob", "ada"]
    assert len({session.id for session in sessions}) == 3
    for place, client in enumerate(clients):
        agent = agent_definition_pb2.AgentDefinition(name=f"own-{place}", spec={"runtime": "langchain"})
        add = agent_catalog_service_pb2.CreateAgentRequest(request_id=request_id, agent=agent)
        assert (await client.agents.CreateAgent(add)).name == f"own-{place}"
    for run, client in zip(runs, clients, strict=True):
        await client.wait(run.id)


async def test_runs_are_listed_in_pages(mesh: Mesh, orchestrator: Orchestrator) -> None:
    client = mesh.client(orchestrator, tenant="pages")
    made = [(await client.create("say 1 0", agent=agent)).id for agent in ("analysis", "assistant", "analysis")]
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
            await client.runs.ListRuns(run_service_pb2.ListRunsRequest(agent="analysis", page_token=token))
    assert seen == made[::-1]
    only = await client.runs.ListRuns(run_service_pb2.ListRunsRequest(agent="analysis", state=3, view=2))
    assert [run.id for run in only.runs] == [made[2], made[0]]
    assert only.runs[0].output == "w0 "


async def test_acting_for_somebody_else_needs_the_scope(mesh: Mesh, orchestrator: Orchestrator, client: Client) -> None:
    with pytest.raises(PermissionDenied):
        await client.create("say 1 0", user="bob")
    trusted = mesh.client(orchestrator, user="backend", more="users.act_as")
    run = await trusted.create("say 1 0", user="bob")
    assert run.user == "bob"
    await trusted.wait(run.id)
    assert mesh.memory.stored[-1].user == "bob"
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
