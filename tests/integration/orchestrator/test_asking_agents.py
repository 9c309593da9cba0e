"""Agents that ask agents, with real processes: no place is held by who waits, nothing is lost by who dies."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from agentmesh.agent.v1 import agent_spec_pb2
from agentmesh.errors.v1 import reason_pb2
from agentmesh.orchestrator.v1 import agent_catalog_service_pb2, run_pb2, run_service_pb2

from meshkit.errors import NotFound
from meshkit.ids import new_id
from tests.integration.orchestrator.mesh import Client, Mesh, Orchestrator, until

pytestmark = pytest.mark.asyncio(loop_scope="module")

NARROW = {"MESH_MAX_RUNS": "1", "MESH_HOLD_SECONDS": "0.2"}


@pytest_asyncio.fixture(loop_scope="module")
async def narrow(mesh: Mesh) -> AsyncIterator[Orchestrator]:
    """An orchestrator with room for one run."""
    async with mesh.orchestrator("narrow", **NARROW) as started:
        mesh.agent.ledger = started.address
        yield started


async def make(client: Client, depth: int = 8) -> str:
    """Make an agent that may ask itself and `assistant`; return its name."""
    name = new_id("agent").replace("_", "-").lower()
    spec = agent_spec_pb2.AgentSpec(runtime="langchain", agents=["assistant"], limits={"max_depth": depth})
    request = agent_catalog_service_pb2.CreateAgentRequest(request_id=new_id("req"), agent={"name": name, "spec": spec})
    made = await client.agents.CreateAgent(request)
    made.spec.agents.append(name)
    made = await client.agents.UpdateAgent(agent_catalog_service_pb2.UpdateAgentRequest(agent=made))
    assert list(made.spec.agents) == ["assistant", name]
    return name


async def asked_by(client: Client, run: str) -> list[run_pb2.Run]:
    listed = await client.runs.ListRuns(run_service_pb2.ListRunsRequest(parent=run, view=run_pb2.RUN_VIEW_FULL))
    return list(listed.runs)


async def test_one_place_is_enough_for_both(mesh: Mesh, narrow: Orchestrator) -> None:
    client = mesh.client(narrow)
    stored, name = len(mesh.memory.stored), await make(client)
    run = await client.create("ask assistant say 400 2", agent=name)
    ended = await client.wait(run.id)
    assert ended.state == run_pb2.RUN_STATE_SUCCEEDED, ended.failure
    (child,) = await asked_by(client, run.id)
    assert (child.parent, child.agent, child.input) == (run.id, "assistant", "say 400 2")
    assert ended.output == child.output
    assert ended.attempt == 2, "it gave up its place meanwhile"
    told = await client.events(run.id)
    assert [event.delegated.run for event in told if event.HasField("delegated")] == [child.id]
    assert {event.trace_id for event in told + await client.events(child.id) if event.sequence} == {told[0].trace_id}
    asked = [request for request in mesh.agent.requests if request.run == run.id]
    assert [[peer.agent for peer in request.peers] for request in asked] == [["assistant", name]] * 2
    assert [turn.run for turn in mesh.memory.stored[stored:]] == [run.id], "what agents ask is no talk of the user"
    assert run.id in [each.id for each in (await client.runs.ListRuns(run_service_pb2.ListRunsRequest())).runs]
    assert child.id not in [each.id for each in (await client.runs.ListRuns(run_service_pb2.ListRunsRequest())).runs]
    for stranger in (mesh.client(narrow, user="bob"), mesh.client(narrow, tenant="globex")):
        with pytest.raises(NotFound):
            await stranger.runs.GetRun(run_service_pb2.GetRunRequest(run=child.id))
        assert not await asked_by(stranger, run.id)


async def test_a_circle_ends_by_its_depth(mesh: Mesh, narrow: Orchestrator) -> None:
    client = mesh.client(narrow)
    name = await make(client, depth=3)
    run = await client.create("circle", agent=name)
    ended = await client.wait(run.id)
    assert (ended.state, ended.output) == (run_pb2.RUN_STATE_SUCCEEDED, f"The agent {name} failed: LIMIT_REACHED.")
    (second,) = await asked_by(client, run.id)
    (third,) = await asked_by(client, second.id)
    assert third.state == run_pb2.RUN_STATE_FAILED
    assert third.failure.reason == reason_pb2.ERROR_REASON_LIMIT_REACHED
    assert not await asked_by(client, third.id)


async def test_a_killed_orchestrator_takes_both_up_and_a_cancel_ends_both(mesh: Mesh) -> None:
    async with mesh.orchestrator(**NARROW) as first:
        mesh.agent.ledger, client = first.address, mesh.client(first)
        run = await client.create("ask assistant hang", agent=await make(client))
        await until(lambda: any(asked.input == "hang" for asked in mesh.agent.requests))
        (child,) = await asked_by(client, run.id)
        first.kill()
        await first.process.wait()
    await until(lambda: child.id not in mesh.agent.active)
    async with mesh.orchestrator() as second:
        mesh.agent.ledger, client = second.address, mesh.client(second)
        await until(lambda: child.id in mesh.agent.active, 20)
        assert [each.id for each in await asked_by(client, run.id)] == [child.id]
        assert (await client.runs.GetRun(run_service_pb2.GetRunRequest(run=run.id))).state == run_pb2.RUN_STATE_WAITING
        await client.runs.CancelRun(run_service_pb2.CancelRunRequest(run=run.id))
        assert (await client.wait(child.id)).state == run_pb2.RUN_STATE_CANCELLED
        await until(lambda: child.id not in mesh.agent.active)
