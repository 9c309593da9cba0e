"""Sessions and the catalog from the caller's side."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from agentmesh.agent.v1 import agent_service_pb2
from agentmesh.orchestrator.v1 import (
    agent_catalog_service_pb2,
    agent_definition_pb2,
    run_service_pb2,
    session_pb2,
    session_service_pb2,
)
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from meshkit.errors import (
    Aborted,
    AlreadyExists,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
)
from meshkit.ids import new_id
from meshkit.rpc.channel import open_channel
from tests.integration.orchestrator.mesh import Client, Mesh, Orchestrator, until

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def orchestrator(mesh: Mesh) -> AsyncIterator[Orchestrator]:
    # The second runtime has no process: it is configured, and does not answer.
    agents = f"langchain={mesh.addresses['agent']};sleeping=127.0.0.1:1"
    async with mesh.orchestrator(MESH_AGENTS=agents) as started:
        yield started


async def make(client: Client, **fields: Any) -> session_pb2.Session:
    request = session_service_pb2.CreateSessionRequest(**{"request_id": new_id("req"), **fields})
    return await client.sessions.CreateSession(request)


def definition(name: str = "tutor", **spec: Any) -> agent_definition_pb2.AgentDefinition:
    spec = {"runtime": "langchain", "instructions": "Teach.", "tools": ["calculator"], **spec}
    return agent_definition_pb2.AgentDefinition(name=name, description="Teaches.", spec=spec)


async def add(
    client: Client, agent: agent_definition_pb2.AgentDefinition, request_id: str = ""
) -> agent_definition_pb2.AgentDefinition:
    request = agent_catalog_service_pb2.CreateAgentRequest(request_id=request_id or new_id("req"), agent=agent)
    return await client.agents.CreateAgent(request)


async def test_a_session_is_made_once_changed_and_deleted(mesh: Mesh, client: Client) -> None:
    request_id = new_id("req")
    session = await make(client, request_id=request_id, session={"title": "Plans", "labels": {"a": "1"}})
    assert (session.user, session.title, dict(session.labels)) == ("ada", "Plans", {"a": "1"})
    assert await make(client, request_id=request_id, session={"title": "Plans", "labels": {"a": "1"}}) == session
    with pytest.raises(InvalidArgument):
        await make(client, request_id=request_id, session={"title": "Other"})
    read = session_service_pb2.GetSessionRequest(session=session.id)
    assert await client.sessions.GetSession(read) == session

    wanted = session_pb2.Session(id=session.id, etag=session.etag, title="Done", agent="analysis")
    update = session_service_pb2.UpdateSessionRequest(session=wanted)
    changed = await client.sessions.UpdateSession(update)
    assert (changed.title, changed.agent, dict(changed.labels)) == ("Done", "analysis", {})
    assert changed.etag != session.etag
    with pytest.raises(Aborted) as stale:
        await client.sessions.UpdateSession(update)
    assert stale.value.reason == "ETAG_MISMATCH"

    run = await client.create("hang", session=session.id)
    assert run.agent == "analysis"
    delete = session_service_pb2.DeleteSessionRequest(session=session.id)
    await until(lambda: run.id in mesh.agent.active)
    with pytest.raises(FailedPrecondition) as busy:
        await client.sessions.DeleteSession(delete)
    assert (busy.value.reason, busy.value.message) == ("STATE_CONFLICT", f"the session's run {run.id} is RUNNING")
    await client.runs.CancelRun(run_service_pb2.CancelRunRequest(run=run.id))
    await client.sessions.DeleteSession(delete)
    with pytest.raises(NotFound):
        await client.sessions.GetSession(read)
    with pytest.raises(NotFound):
        await client.runs.GetRun(run_service_pb2.GetRunRequest(run=run.id))


async def test_an_unknown_agent_is_refused(client: Client) -> None:
    with pytest.raises(NotFound):
        await make(client, session={"agent": "nobody"})


async def test_sessions_and_messages_come_in_pages(mesh: Mesh, orchestrator: Orchestrator) -> None:
    client = mesh.client(orchestrator, tenant="pages")
    made = [(await make(client)).id for _ in range(5)]
    seen, token = [], ""
    for _ in range(3):
        page = await client.sessions.ListSessions(
            session_service_pb2.ListSessionsRequest(page_size=2, page_token=token)
        )
        seen += [session.id for session in page.sessions]
        token = page.next_page_token
    assert seen == made[::-1]
    assert token == ""

    for task in ("say 1 0", "fail", "say 2 0"):
        await client.wait((await client.create(task, session=made[0])).id)
    said, token = [], ""
    while True:
        page = await client.sessions.ListMessages(
            session_service_pb2.ListMessagesRequest(session=made[0], page_size=2, page_token=token)
        )
        said += [(message.role, message.text) for message in page.messages]
        token = page.next_page_token
        if not token:
            break
    user, agent = agent_service_pb2.ROLE_USER, agent_service_pb2.ROLE_ASSISTANT
    assert said == [(user, "say 1 0"), (agent, "w0 "), (user, "fail"), (user, "say 2 0"), (agent, "w0 w1 ")]


async def test_the_built_in_agents_are_there_and_fixed(client: Client) -> None:
    page = await client.agents.ListAgents(agent_catalog_service_pb2.ListAgentsRequest())
    agents = {agent.name: agent for agent in page.agents if agent.built_in}
    assert list(agents) == ["analysis", "assistant", "coding", "research"]
    assert all(agent.spec.instructions and agent.spec.limits.max_model_calls == 25 for agent in agents.values())
    with pytest.raises(AlreadyExists):
        await add(client, definition("coding"))
    with pytest.raises(FailedPrecondition):
        await client.agents.DeleteAgent(agent_catalog_service_pb2.DeleteAgentRequest(agent="coding"))
    changed = definition("coding")
    changed.etag = "x"
    with pytest.raises(FailedPrecondition):
        await client.agents.UpdateAgent(agent_catalog_service_pb2.UpdateAgentRequest(agent=changed))


async def test_an_agent_of_ones_own(mesh: Mesh, orchestrator: Orchestrator, client: Client) -> None:
    request_id = new_id("req")
    made = await add(client, definition(temperature=0.0, limits={"max_tool_calls": 3}), request_id)
    assert (made.spec.temperature, made.spec.limits.max_tool_calls) == (0.0, 3)
    assert made.spec.HasField("temperature")
    assert await add(client, definition(temperature=0.0, limits={"max_tool_calls": 3}), request_id) == made
    with pytest.raises(AlreadyExists):
        await add(client, definition())
    run = await client.create("say 1 0", agent="tutor", limits={"max_tool_calls": 9, "max_model_calls": 2})
    assert (run.limits.max_tool_calls, run.limits.max_model_calls) == (3, 2)
    await client.wait(run.id)
    assert mesh.agent.requests[-1].spec.instructions == "Teach."

    made.description = "Teaches well."
    update = agent_catalog_service_pb2.UpdateAgentRequest(agent=made)
    changed = await client.agents.UpdateAgent(update)
    assert changed.description == "Teaches well."
    with pytest.raises(Aborted):
        await client.agents.UpdateAgent(update)

    foreign = mesh.client(orchestrator, tenant="other")
    read = agent_catalog_service_pb2.GetAgentRequest(agent="tutor")
    with pytest.raises(NotFound):
        await foreign.agents.GetAgent(read)
    with pytest.raises(NotFound):
        await foreign.create("say 1 0", agent="tutor")
    names, token = [], ""
    while True:
        page = await client.agents.ListAgents(
            agent_catalog_service_pb2.ListAgentsRequest(page_size=2, page_token=token)
        )
        names += [agent.name for agent in page.agents]
        token = page.next_page_token
        if not token:
            break
    assert names == ["analysis", "assistant", "coding", "research", "tutor"]
    await client.agents.DeleteAgent(agent_catalog_service_pb2.DeleteAgentRequest(agent="tutor"))
    with pytest.raises(NotFound):
        await client.agents.GetAgent(read)


async def test_a_repeated_request_needs_no_runtime(mesh: Mesh, client: Client) -> None:
    request_id = new_id("req")
    made = await add(client, definition("nurse"), request_id)
    async with mesh.orchestrator("alone", MESH_AGENTS="langchain=127.0.0.1:1") as alone:
        lonely = mesh.client(alone)
        assert await add(lonely, definition("nurse"), request_id) == made
        with pytest.raises(InvalidArgument) as reused:
            await add(lonely, definition("nurse", tools=[]), request_id)
        assert reused.value.reason == "REQUEST_ID_REUSED"
        with pytest.raises(FailedPrecondition) as asleep:
            await add(lonely, definition("doctor"))
        assert asleep.value.reason == "RUNTIME_UNAVAILABLE"


async def test_reflection_tells_of_the_public_services_of_the_mesh(mesh: Mesh, orchestrator: Orchestrator) -> None:
    token = mesh.tokens.token()
    async with open_channel(orchestrator.address, {}, credentials=lambda: token, watch_health=False) as channel:
        call: Any = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo(
            iter(
                [
                    reflection_pb2.ServerReflectionRequest(list_services=""),
                    reflection_pb2.ServerReflectionRequest(file_containing_symbol="agentmesh.memory.v1.PutFactRequest"),
                ]
            )
        )
        listed, described = [answer async for answer in call]
    names = {service.name for service in listed.list_services_response.service}
    assert {name for name in names if name.startswith("agentmesh.")} == {
        "agentmesh.memory.v1.ContextService",
        "agentmesh.memory.v1.InteractionService",
        "agentmesh.memory.v1.MemoryService",
        "agentmesh.orchestrator.v1.AgentCatalogService",
        "agentmesh.orchestrator.v1.FileService",
        "agentmesh.orchestrator.v1.RunService",
        "agentmesh.orchestrator.v1.SessionService",
    }
    files = [FileDescriptorProto.FromString(file) for file in described.file_descriptor_response.file_descriptor_proto]
    assert "agentmesh/memory/v1/memory_service.proto" in [file.name for file in files]


async def test_runtimes_and_what_they_refuse(client: Client) -> None:
    listed = await client.agents.ListRuntimes(agent_catalog_service_pb2.ListRuntimesRequest())
    assert [(runtime.name, runtime.health) for runtime in listed.runtimes] == [("langchain", 1), ("sleeping", 2)]
    assert listed.runtimes[0].description.tools[0].name == "calculator"
    with pytest.raises(InvalidArgument) as unknown:
        await add(client, definition(tools=["rocket"]))
    assert unknown.value.field_violations[0].field == "agent.spec.tools"
    with pytest.raises(InvalidArgument):
        await add(client, definition(runtime="nothing"))
    with pytest.raises(FailedPrecondition) as asleep:
        await add(client, definition(runtime="sleeping"))
    assert asleep.value.reason == "RUNTIME_UNAVAILABLE"
