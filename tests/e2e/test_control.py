"""Runs under control, by the command line on a whole mesh: approvals, questions, pauses, steering, forks, batches."""

import contextlib
import json
import time
from collections.abc import AsyncIterator

import pytest_asyncio
from agentmesh.agent.v1.agent_spec_pb2 import AgentSpec, Approval, ToolPolicy
from agentmesh.orchestrator.v1.agent_catalog_service_pb2 import CreateAgentRequest
from agentmesh.orchestrator.v1.agent_definition_pb2 import AgentDefinition

from meshclient import MeshClient, new_request_id
from meshkit.errors import AlreadyExists
from tests.e2e.running import RunningMesh
from tests.fakes.model_server import ModelServer, call, say

CAREFUL = AgentSpec(
    runtime="langchain",
    instructions="Compute with the calculator.",
    tools=["calculator", "current_time"],
    tool_policies=[
        ToolPolicy(tool="calculator", approval=Approval.APPROVAL_ASK),
        ToolPolicy(tool="current_time", approval=Approval.APPROVAL_DENY),
    ],
    fallback_models=["scripted-2"],
)


@pytest_asyncio.fixture
async def careful(mesh: RunningMesh) -> AsyncIterator[str]:
    """An agent whose calculator asks each time."""
    async with MeshClient(mesh.address, token=mesh.token("local")) as client:
        definition = AgentDefinition(name="careful", spec=CAREFUL)
        with contextlib.suppress(AlreadyExists):
            await client.agents.CreateAgent(CreateAgentRequest(request_id=new_request_id(), agent=definition))
    yield "careful"


def ask_for(mesh: RunningMesh, agent: str, text: str) -> str:
    """Ask the agent something that it must not do alone; return the run, which waits."""
    done = mesh.cli("chat", text, "--agent", agent)
    assert done.returncode == 6, done.stderr
    assert "May it call calculator" in done.stderr
    return done.stderr.partition("mesh runs approve ")[2].split()[0]


def get(mesh: RunningMesh, run: str) -> dict:
    return json.loads(mesh.cli("runs", "get", run).stdout)


def until(mesh: RunningMesh, run: str, state: str) -> dict:
    deadline = time.monotonic() + 20
    while (found := get(mesh, run))["state"] != f"RUN_STATE_{state}":
        assert time.monotonic() < deadline, found
    return found


def steps(mesh: RunningMesh, run: str) -> list[dict]:
    listed = mesh.cli("runs", "steps", run, "--full", "--json")
    assert listed.returncode == 0, listed.stderr
    return [json.loads(line) for line in listed.stdout.splitlines()]


def told(model: ModelServer, about: str) -> str:
    """Return what the model read from its last tool."""
    return next(each for each in reversed(model.about(about)[-1].messages) if each["role"] == "tool")["content"]


def test_an_approved_call_is_carried_out(mesh: RunningMesh, model_server: ModelServer, careful: str) -> None:
    model_server.script(call("calculator", {"expression": "6*7"}), say("It is 42."), when="approve this")
    run = ask_for(mesh, careful, "approve this")
    assert until(mesh, run, "WAITING")["requests"][0]["tool"] == "calculator"
    assert run in mesh.cli("runs", "list", "--only", "waiting").stdout
    approved = mesh.cli("runs", "approve", run, "--yes")
    assert approved.returncode == 0, approved.stderr
    watched = mesh.cli("runs", "watch", run)
    assert watched.returncode == 0, watched.stderr
    assert watched.stdout == "It is 42.\n"
    assert told(model_server, "approve this") == "42"
    assert len(model_server.about("approve this")) == 2
    assert [each["id"] for each in steps(mesh, run)] == ["model-1", "tool-2", "model-3"]
    assert mesh.cli("runs", "approve", run, "--yes").returncode == 3


def test_other_arguments_are_carried_out(mesh: RunningMesh, model_server: ModelServer, careful: str) -> None:
    model_server.script(call("calculator", {"expression": "6*7"}), say("Done."), when="edit this")
    run = ask_for(mesh, careful, "edit this")
    edited = mesh.cli("runs", "approve", run, "--yes", "--edit", '{"expression": "2*3"}')
    assert edited.returncode == 0, edited.stderr
    assert mesh.cli("runs", "watch", run).returncode == 0
    assert told(model_server, "edit this") == "6"
    assert json.loads(steps(mesh, run)[1]["arguments"]) == {"expression": "2*3"}


def test_a_denied_call_is_not_carried_out(mesh: RunningMesh, model_server: ModelServer, careful: str) -> None:
    model_server.script(call("calculator", {"expression": "6*7"}), say("Then not."), when="deny this")
    run = ask_for(mesh, careful, "deny this")
    assert mesh.cli("runs", "deny", run, "--reason", "by hand, please").returncode == 0
    assert mesh.cli("runs", "watch", run).stdout == "Then not.\n"
    assert "by hand, please" in told(model_server, "deny this")


def test_a_forbidden_tool_is_never_called(mesh: RunningMesh, model_server: ModelServer, careful: str) -> None:
    model_server.script(call("current_time", {}), say("I may not."), when="forbidden")
    done = mesh.cli("chat", "forbidden", "--agent", careful)
    assert done.returncode == 0, done.stderr
    assert "current_time failed" in done.stderr


def test_a_question_is_answered(mesh: RunningMesh, model_server: ModelServer) -> None:
    model_server.script(call("ask_user", {"question": "Which city?"}), say("Paris, then."), when="where to")
    done = mesh.cli("chat", "where to")
    assert done.returncode == 6, done.stderr
    assert "The agent asks: Which city?" in done.stderr
    run = done.stderr.partition("mesh runs answer ")[2].split()[0]
    assert mesh.cli("runs", "answer", run, "Paris").returncode == 0
    assert mesh.cli("runs", "watch", run).stdout == "Paris, then.\n"
    assert "Paris" in told(model_server, "where to")


def test_a_run_is_paused_steered_stepped_and_resumed(
    mesh: RunningMesh, model_server: ModelServer, careful: str
) -> None:
    model_server.script(call("calculator", {"expression": "6*7"}), say("C'est 42."), when="step through")
    run = ask_for(mesh, careful, "step through")
    assert mesh.cli("runs", "pause", run).stdout == "WAITING\n"
    assert mesh.cli("runs", "approve", run, "--yes").stdout == "PAUSED\n"
    assert mesh.cli("runs", "steer", run, "in French, please").stdout == "PAUSED\n"
    assert len(model_server.about("step through")) == 1

    assert mesh.cli("runs", "step", run).returncode == 0
    deadline = time.monotonic() + 20
    while len(done := steps(mesh, run)) < 2 or done[1]["state"] != "STEP_STATE_COMPLETED":
        assert time.monotonic() < deadline, done
    until(mesh, run, "PAUSED")
    assert len(model_server.about("step through")) == 1

    assert mesh.cli("runs", "resume", run).returncode == 0
    watched = mesh.cli("runs", "watch", run)
    assert watched.returncode == 0, watched.stderr
    assert watched.stdout == "C'est 42.\n"
    assert "says: in French, please" in watched.stderr
    assert "paused" in watched.stderr
    assert model_server.about("step through")[-1].messages[-1]["content"] == "in French, please"
    assert mesh.cli("runs", "pause", run).returncode == 1


def test_a_fork_goes_on_with_another_result(mesh: RunningMesh, model_server: ModelServer) -> None:
    model_server.script(call("calculator", {"expression": "6*7"}), say("It is 42."), when="fork this")
    assert mesh.cli("chat", "fork this").returncode == 0
    run = json.loads(mesh.cli("runs", "list", "--json", "--limit", "1").stdout)["id"]
    model_server.script(say("It is 43."), when="fork this")
    forked = mesh.cli("runs", "fork", run, "--step", "tool-2", "--result", "43", "--watch")
    assert forked.returncode == 0, forked.stderr
    new, answer = forked.stdout.splitlines()
    assert answer == "It is 43."
    assert "calculator answered (replayed): 43" in forked.stderr
    assert told(model_server, "fork this") == "43"
    assert len(model_server.about("fork this")) == 3
    assert get(mesh, new)["forkedFrom"] == run
    assert get(mesh, run)["output"] == "It is 42."


def test_many_runs_are_made_of_a_file(mesh: RunningMesh, model_server: ModelServer) -> None:
    lines = "\n".join(
        [*(json.dumps(f"bulk {number}") for number in range(5)), '{"input": "bulk x", "agent": "nobody"}']
    )
    done = mesh.cli("runs", "batch", "-", text=lines)
    assert done.returncode == 1
    assert "line 6 refused: NOT_FOUND" in done.stderr
    runs = done.stdout.split()
    assert len(runs) == 5
    for run in runs:
        assert mesh.cli("runs", "watch", run).stdout == "Yes.\n"


def test_agents_show_what_holds_for_their_tools_and_models(mesh: RunningMesh, careful: str) -> None:
    listed = mesh.cli("agents", "list").stdout
    assert "calculator (asks), current_time (denied)" in listed
    assert "default, else scripted-2" in listed
