"""Models that fail, cost, or were asked before, on a whole mesh: what a run shows of it in the end."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest_asyncio
from agentmesh.agent.v1.agent_spec_pb2 import AgentSpec, MemoryPolicy, RunLimits
from agentmesh.orchestrator.v1.agent_catalog_service_pb2 import CreateAgentRequest
from agentmesh.orchestrator.v1.agent_definition_pb2 import AgentDefinition
from agentmesh.orchestrator.v1.run_event_pb2 import RunEvent
from agentmesh.orchestrator.v1.run_pb2 import RunState
from agentmesh.orchestrator.v1.run_service_pb2 import CreateRunRequest, GetRunRequest, SubscribeRunRequest
from google.protobuf.duration_pb2 import Duration

from meshclient import MeshClient, new_request_id
from meshkit.errors import AlreadyExists
from tests.e2e.running import RunningMesh
from tests.fakes.model_server import Cut, ModelServer, call, chunk, fail, raw, say

AGENT = AgentSpec(
    runtime="langchain",
    tools=["calculator"],
    model="scripted-1",
    fallback_models=["scripted-2"],
    cache_time=Duration(seconds=600),
    memory=MemoryPolicy.MEMORY_POLICY_NONE,  # what is recalled is part of a request, and makes it another one
)


@pytest_asyncio.fixture
async def client(mesh: RunningMesh) -> AsyncIterator[MeshClient]:
    """A client of a mesh that has an agent `steady`."""
    async with MeshClient(mesh.address, token=mesh.token("local")) as client:
        definition = AgentDefinition(name="steady", spec=AGENT)
        with contextlib.suppress(AlreadyExists):
            await client.agents.CreateAgent(CreateAgentRequest(request_id=new_request_id(), agent=definition))
        yield client


async def run_of(client: MeshClient, text: str, **fields: Any) -> tuple[Any, list[RunEvent]]:
    """Run the agent to its end; return the run and all that it told."""
    request = CreateRunRequest(request_id=new_request_id(), agent="steady", input=text, **fields)
    run = await client.runs.CreateRun(request)
    stream = client.runs.SubscribeRun(SubscribeRunRequest(run=run.id), timeout=60)
    try:
        events = [event async for event in stream]
    finally:
        stream.cancel()
    return await client.runs.GetRun(GetRunRequest(run=run.id)), events


def told(events: list[RunEvent], kind: str) -> list[Any]:
    return [getattr(event, kind) for event in events if event.WhichOneof("event") == kind]


async def test_another_model_answers_after_what_broke_off(client: MeshClient, model_server: ModelServer) -> None:
    half = raw(chunk({"content": "Half an"}), Cut())
    model_server.script(half, fail(503), say("A whole one.", model="scripted-2"), when="e2e: break off")
    run, events = await run_of(client, "e2e: break off")
    assert run.state == RunState.RUN_STATE_SUCCEEDED
    assert run.output == "A whole one."
    kinds = [event.WhichOneof("event") for event in events]
    assert kinds.index("token_delta") < kinds.index("step_restarted") < kinds.index("message_finished")
    assert [usage.model for usage in told(events, "usage")] == ["scripted-2"]
    asked = [exchange.body["model"] for exchange in model_server.about("e2e: break off")]
    assert asked == ["scripted-1", "scripted-1", "scripted-2"]
    assert run.usage.model_calls == 1


async def test_what_a_mesh_gives_up_it_gives_up_after_three_requests(
    client: MeshClient, model_server: ModelServer
) -> None:
    """No layer above asks again: not the framework, not the orchestrator."""
    model_server.script(*[fail(500)] * 12, when="e2e: give up")
    run, _ = await run_of(client, "e2e: give up")
    assert run.state == RunState.RUN_STATE_FAILED
    assert run.failure.source == "model"
    assert len(model_server.about("e2e: give up")) == 3


async def test_a_run_stops_at_what_it_may_cost(client: MeshClient, model_server: ModelServer) -> None:
    # Each call reads 20 tokens and writes 5: 20 * 3 + 5 * 5 = 85.
    loop = [call("calculator", {"expression": f"1+{turn}"}, ids=str(turn), model="priced-1") for turn in range(9)]
    model_server.script(*loop, when="e2e: spend")
    run, events = await run_of(client, "e2e: spend", limits=RunLimits(max_cost_micros=170))
    assert run.state == RunState.RUN_STATE_FAILED
    assert run.usage.cost_micros == 170
    (reached,) = told(events, "limit_reached")
    assert (reached.limit, reached.value) == ("max_cost_micros", 170)
    assert len(model_server.about("e2e: spend")) == 2


async def test_the_same_request_is_answered_from_what_is_kept(client: MeshClient, model_server: ModelServer) -> None:
    model_server.script(say("Kept", " words."), say("Others."), when="e2e: keep it")
    first, _ = await run_of(client, "e2e: keep it")
    second, events = await run_of(client, "e2e: keep it")
    assert first.output == second.output == "Kept words."
    assert len(model_server.about("e2e: keep it")) == 1
    assert [started.cached for started in told(events, "step_started")] == [True]
    assert "".join(delta.text for delta in told(events, "token_delta")) == "Kept words."
    assert (second.usage.model_calls, second.usage.input_tokens) == (0, 0)
