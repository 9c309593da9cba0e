"""Every runtime in a mesh of real processes: teams that die in mid-conversation, control, agents that ask agents."""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from agentmesh.agent.v1.agent_spec_pb2 import AgentSpec
from agentmesh.orchestrator.v1.agent_catalog_service_pb2 import CreateAgentRequest
from agentmesh.orchestrator.v1.run_event_pb2 import RunEvent
from agentmesh.orchestrator.v1.run_pb2 import Run, RunState
from agentmesh.orchestrator.v1.run_service_pb2 import CreateRunRequest, GetRunRequest, ListRunsRequest
from agentmesh.orchestrator.v1.step_pb2 import StepResult, ToolOutcome
from google.protobuf import json_format

from meshclient import MeshClient, new_request_id
from meshclient.control import RunControl
from meshctl.runtimes import RUNTIMES
from tests.fakes.model_server import ModelServer, Reply, call, say, stall_after
from tests.faults.load import insist
from tests.faults.mesh import FaultyMesh, faulty_mesh
from tests.faults.outside import EffectServer

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(240)]

MEMBERS = [{"name": "one", "role": "Begins", "tools": ["effect_once"]}, {"name": "two", "role": "Ends"}]
TASKS = [
    {"description": f"Do your part, {name}.", "expected_output": "Words", "member": name} for name in ("one", "two")
]
TEAMS: dict[str, dict[str, Any]] = {
    "langchain": {"kind": "TEAM_KIND_HANDOFF", "max_turns": 3},
    "autogen": {"kind": "TEAM_KIND_ROUND_ROBIN", "max_turns": 2},
    "crewai": {"kind": "TEAM_KIND_SEQUENTIAL", "tasks": TASKS},
    "llamaindex": {"kind": "TEAM_KIND_HANDOFF", "max_turns": 3},
}
ENDS_ITS_TURN: dict[str, Reply] = {
    "langchain": call("hand_over", {"member": "two"}, ids="h"),
    "autogen": say("My part."),
    "crewai": say("My part."),
    "llamaindex": call("handoff", {"to_agent": "two", "reason": "yours"}, ids="h"),
}
by_runtime = pytest.mark.parametrize("runtime", RUNTIMES)


@pytest.fixture(scope="module")
def model() -> Any:
    with ModelServer() as server:
        yield server


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def mesh(model: ModelServer, effects: EffectServer) -> AsyncIterator[FaultyMesh]:
    root = Path(tempfile.mkdtemp(prefix="mesh-runtimes-"))
    root.chmod(0o711)  # the database's own account passes through
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("meshctl.parts._LONGEST_PAUSE", 0.2)  # a part that a test kills often comes back as quickly
        async with faulty_mesh(root, model.url, effects.url, RUNTIMES) as started:
            yield started
    shutil.rmtree(root, ignore_errors=True)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(mesh: FaultyMesh) -> AsyncIterator[MeshClient]:
    async with mesh.client() as opened:
        yield opened


async def make(client: MeshClient, name: str, **spec: Any) -> str:
    """Make an agent without memory, which would put what was said before into what it asks."""
    parsed = json_format.ParseDict({"memory": "MEMORY_POLICY_NONE", **spec}, AgentSpec())
    request = CreateAgentRequest(request_id=new_request_id(), agent={"name": name, "spec": parsed})
    await insist(partial(client.agents.CreateAgent, request))
    return name


async def begin(client: MeshClient, agent: str, text: str) -> RunControl:
    request = CreateRunRequest(request_id=new_request_id(), agent=agent, input=text)
    return client.control((await insist(partial(client.runs.CreateRun, request))).id)


async def becomes(control: RunControl, wanted: Callable[[Run], object], seconds: float = 60) -> Run:
    async with asyncio.timeout(seconds):
        while not wanted(run := await insist(control.get)):  # noqa: ASYNC110 - other processes tell nobody
            await asyncio.sleep(0.1)
    return run


async def ended(client: MeshClient, control: RunControl) -> tuple[Run, list[RunEvent]]:
    """Return the run that has succeeded, and all that it told."""
    run = await becomes(control, lambda now: now.state >= RunState.RUN_STATE_SUCCEEDED and now.HasField("finish_time"))
    async with aclosing(client.follow(run.id, patience=60)) as following:
        events = [event async for event in following]
    whole = await client.runs.GetRun(GetRunRequest(run=run.id))
    assert whole.state == RunState.RUN_STATE_SUCCEEDED, whole.failure
    return whole, events


async def eventually(holds: Callable[[], Awaitable[object]] | Callable[[], object], seconds: float = 60) -> None:
    async with asyncio.timeout(seconds):
        while True:
            found = holds()
            if await found if isinstance(found, Awaitable) else found:
                return
            await asyncio.sleep(0.05)


def effect(job: str, number: int = 1, tool: str = "effect_once") -> Reply:
    return call(tool, {"job": job, "number": number}, ids=f"{tool}-{number}")


@by_runtime
async def test_a_team_goes_on_though_its_process_dies_in_mid_conversation(
    mesh: FaultyMesh, client: MeshClient, model: ModelServer, effects: EffectServer, runtime: str
) -> None:
    agent = await make(client, f"team-{runtime}", runtime=runtime, team={**TEAMS[runtime], "members": MEMBERS})
    text = f"{runtime}: a team dies"
    model.script(effect(text), ENDS_ITS_TURN[runtime], stall_after("half ", "an "), say("It is ", "done."), when=text)
    control = await begin(client, agent, text)
    await eventually(lambda: len(model.about(text)) == 3 and model.about(text)[2].sent)
    part = f"agent-{runtime}"
    await mesh.back(part, mesh.kill(part))
    run, events = await ended(client, control)
    assert (run.output, run.attempt) == ("It is done.", 2)
    assert len(model.about(text)) == 4, "what was recorded was not asked again"
    assert effects.calls["effect_once", text, 1] == 1
    # Told again with the step that began again: what was told of it before is void.
    handed = [event.handed_off.to for event in events if event.HasField("handed_off")]
    assert handed == [f"{agent}/one", f"{agent}/two", f"{agent}/two"]
    assert sum(event.HasField("step_restarted") for event in events) == 1
    said = [(event.agent, event.message_finished.text) for event in events if event.HasField("message_finished")]
    assert said[-1] == (f"{agent}/two", "It is done.")
    assert [event.sequence for event in events if event.sequence] == list(range(1, run.last_sequence + 1))


@by_runtime
async def test_approve_pause_step_and_fork(
    mesh: FaultyMesh, client: MeshClient, model: ModelServer, effects: EffectServer, runtime: str
) -> None:
    asks = [{"tool": "effect_again", "approval": "APPROVAL_ASK"}]
    tools = ["effect_once", "effect_again"]
    agent = await make(client, f"alone-{runtime}", runtime=runtime, tools=tools, tool_policies=asks)
    text = f"{runtime}: control"
    replies = [effect(text), effect(text, 2, "effect_again"), say("All ", "done.")]
    model.script(*replies, say("Another ", "end."), when=text)
    control = await begin(client, agent, text)
    request = (await becomes(control, lambda run: run.requests)).requests[0]
    part = f"agent-{runtime}"
    await mesh.back(part, mesh.kill(part))
    await insist(control.pause)
    await insist(partial(control.approve, request))
    assert effects.calls["effect_again", text, 2] == 0, "it is paused"
    await becomes(control, lambda run: run.state == RunState.RUN_STATE_PAUSED)
    await insist(control.step)
    await eventually(lambda: effects.calls["effect_again", text, 2] == 1)
    await becomes(control, lambda run: run.state == RunState.RUN_STATE_PAUSED)
    assert len(model.about(text)) == 2, "one step, and no further"
    await insist(control.resume)
    run, _ = await ended(client, control)
    assert run.output == "All done."
    assert effects.calls["effect_once", text, 1] == effects.calls["effect_again", text, 2] == 1
    other = StepResult(tool=ToolOutcome(content="another world's effect"))
    forked = client.control((await control.fork("tool-4", result=other)).id)
    other_run, _ = await ended(client, forked)
    assert other_run.output == "Another end."
    assert "another world's effect" in str(model.about(text)[-1].messages)
    assert effects.calls["effect_again", text, 2] == 1, "a fork does nothing again"


async def test_agents_of_three_runtimes_work_on_one_task_though_all_of_them_die(
    mesh: FaultyMesh, client: MeshClient, model: ModelServer, effects: EffectServer
) -> None:
    """A LangChain agent asks a CrewAI crew, one of whose members asks a LlamaIndex agent."""
    await make(client, "librarian", runtime="llamaindex", tools=["effect_once"])
    member = {"name": "one", "role": "Asks the library", "tools": ["ask_librarian"]}
    crew = {"kind": "TEAM_KIND_SEQUENTIAL", "members": [member], "tasks": TASKS[:1]}
    await make(client, "crew", runtime="crewai", team=crew, agents=["librarian"])
    await make(client, "leader", runtime="langchain", agents=["crew"])
    model.script(call("ask_crew", {"task": "crew: the middle"}), say("The top has it."), when="hybrid: the top")
    model.script(call("ask_librarian", {"task": "shelf: the bottom"}), say("The crew has it."), when="crew: the middle")
    model.script(effect("shelf"), stall_after("half "), say("It is on shelf 7."), when="shelf: the bottom")
    control = await begin(client, "leader", "hybrid: the top")
    await eventually(lambda: len(model.about("shelf: the bottom")) == 2)
    for part in ("agent-llamaindex", "agent-crewai", "agent-langchain", "orchestrator"):
        await mesh.back(part, mesh.kill(part))
    run, events = await ended(client, control)
    assert run.output == "The top has it."
    assert effects.calls["effect_once", "shelf", 1] == 1
    (asked,) = [event.delegated for event in events if event.HasField("delegated")]
    assert asked.agent == "crew"
    runs = [run]
    while True:
        page = await client.runs.ListRuns(ListRunsRequest(parent=runs[-1].id))
        if not page.runs:
            break
        runs += page.runs
    assert [each.agent for each in runs] == ["leader", "crew", "librarian"]
    assert "It is on shelf 7." in str(model.about("crew: the middle")[-1].messages)
    calls = [
        *model.about("hybrid: the top"), *model.about("crew: the middle"), *model.about("shelf: the bottom")
    ]  # fmt: skip
    traces = {each.headers["traceparent"].split("-")[1] for each in calls}
    assert traces == {event.trace_id for event in events if event.trace_id}, "one trace for all"
    assert len(traces) == 1
    assert run.usage.model_calls == 7, "what all have used is the first one's"
