"""What each command on runs asks of the mesh, and what it prints and exits with."""

import json
from pathlib import Path

import grpc
import pytest
from agentmesh.agent.v1.activity_pb2 import TokenDelta, Usage
from agentmesh.orchestrator.v1.run_control_pb2 import (
    ForkRunRequest,
    PauseRunRequest,
    RespondToRequestRequest,
    ResumeRunRequest,
    StepRunRequest,
)
from agentmesh.orchestrator.v1.run_event_pb2 import RunEvent
from agentmesh.orchestrator.v1.run_service_pb2 import CancelRunRequest, OnBusy
from agentmesh.orchestrator.v1.step_pb2 import Step, StepResult, ToolOutcome

from tests.fakes.run_service import ScriptedRuns, asks, state
from tests.integration.meshctl.conftest import Mesh

DIGEST = "ab" * 32


@pytest.mark.parametrize(
    ("verb", "request_type"),
    [("pause", PauseRunRequest), ("resume", ResumeRunRequest), ("step", StepRunRequest), ("cancel", CancelRunRequest)],
)
def test_a_verb_prints_the_state_that_follows(runs: ScriptedRuns, mesh: Mesh, verb: str, request_type: type) -> None:
    runs.run.state = "RUN_STATE_PAUSED"
    done = mesh("runs", verb, "run_1")
    assert done.exit_code == 0, done.output
    assert done.stdout == "PAUSED\n"
    assert runs.calls == [request_type(run="run_1")]


@pytest.mark.parametrize(("arguments", "text"), [(["in French"], ""), ([], "in French\n")])
def test_steering_says_a_text(runs: ScriptedRuns, mesh: Mesh, arguments: list[str], text: str) -> None:
    assert mesh("runs", "steer", "run_1", *arguments, text=text).exit_code == 0
    assert runs.calls[0].text == "in French"
    assert runs.calls[0].request_id
    assert mesh("runs", "steer", "run_1", "").exit_code == 2


def test_an_approval_names_what_was_shown(runs: ScriptedRuns, mesh: Mesh) -> None:
    runs.happen(asks("req_1"), state("WAITING"))
    done = mesh("runs", "approve", "run_1", "--yes")
    assert done.exit_code == 0, done.output
    assert 'May it call shell {"command": "ls"} ?' in done.stderr
    expected = RespondToRequestRequest(run="run_1", input_request="req_1")
    expected.approve.arguments_digest = DIGEST
    assert runs.calls == [expected]


def test_without_a_keyboard_nothing_is_approved_by_accident(runs: ScriptedRuns, mesh: Mesh) -> None:
    runs.happen(asks("req_1"), state("WAITING"))
    done = mesh("runs", "approve", "run_1", text="y\n")
    assert done.exit_code == 2
    assert "--yes" in done.stderr
    assert not runs.calls


def test_other_arguments_are_approved(runs: ScriptedRuns, mesh: Mesh) -> None:
    runs.happen(asks("req_1"), state("WAITING"))
    assert mesh("runs", "approve", "run_1", "--yes", "--edit", "not json").exit_code == 2
    assert not runs.calls
    assert mesh("runs", "approve", "run_1", "--yes", "--edit", '{"command": "pwd"}').exit_code == 0
    assert runs.calls[0].approve.edited_arguments == '{"command": "pwd"}'
    assert runs.calls[0].approve.arguments_digest == DIGEST


def test_of_several_requests_one_is_named(runs: ScriptedRuns, mesh: Mesh) -> None:
    runs.happen(asks("req_1"), asks("req_2"), asks("req_3", "QUESTION", question="Which?"), state("WAITING"))
    unclear = mesh("runs", "approve", "run_1", "--yes")
    assert unclear.exit_code == 2
    assert "req_1" in unclear.stderr
    assert "req_2" in unclear.stderr
    assert "req_3" not in unclear.stderr
    assert mesh("runs", "deny", "run_1", "req_2", "--reason", "not now").exit_code == 0
    assert mesh("runs", "answer", "run_1", "the first").exit_code == 0
    assert mesh("runs", "approve", "run_1", "req_9", "--yes").exit_code == 3
    assert [each.input_request for each in runs.calls] == ["req_2", "req_3"]
    assert runs.calls[0].deny.reason == "not now"
    assert runs.calls[1].answer.text == "the first"


def test_an_interrupted_tool_is_called_again_without_a_digest(runs: ScriptedRuns, mesh: Mesh) -> None:
    runs.happen(asks("req_1", "UNCERTAIN"), state("WAITING"))
    assert mesh("runs", "approve", "run_1", "--yes").exit_code == 0
    assert runs.calls[0].approve.arguments_digest == ""
    assert runs.calls[0].HasField("approve")


def test_a_run_that_asks_nothing_cannot_be_answered(mesh: Mesh) -> None:
    assert mesh("runs", "approve", "run_1", "--yes").exit_code == 3
    assert mesh("runs", "approve", "run_2", "--yes").exit_code == 3


def test_a_run_is_shown_with_what_it_asks(runs: ScriptedRuns, mesh: Mesh) -> None:
    runs.happen(asks("req_1"), state("WAITING"))
    done = mesh("runs", "get", "run_1")
    assert json.loads(done.stdout)["requests"][0]["id"] == "req_1"
    assert "mesh runs approve run_1 req_1" in done.stderr


def test_a_fork_changes_the_input_or_a_result(runs: ScriptedRuns, mesh: Mesh) -> None:
    done = mesh("runs", "fork", "run_1", "--step", "tool-2", "--result", "43")
    assert done.exit_code == 0, done.output
    assert done.stdout == "run_1\n"
    assert mesh("runs", "fork", "run_1", "--input", "another question").exit_code == 0
    assert mesh("runs", "fork", "run_1", "--step", "model-1", "--result", "I know: 43").exit_code == 0
    for fork in runs.calls:
        assert fork.request_id
        fork.ClearField("request_id")
    tool, question, model = runs.calls
    assert tool == ForkRunRequest(run="run_1", step="tool-2", result=StepResult(tool=ToolOutcome(content="43")))
    assert question == ForkRunRequest(run="run_1", input="another question")
    assert json.loads(model.result.completion)["choices"][0]["message"]["content"] == "I know: 43"


@pytest.mark.parametrize("wrong", [["--result", "x"], ["--step", "tool-2", "--result", "x", "--input", "y"]])
def test_a_fork_is_refused_that_means_nothing(runs: ScriptedRuns, mesh: Mesh, wrong: list[str]) -> None:
    assert mesh("runs", "fork", "run_1", *wrong).exit_code == 2
    assert not runs.calls


@pytest.mark.parametrize(("end", "code"), [("SUCCEEDED", 0), ("FAILED", 1)])
def test_a_fork_is_watched(runs: ScriptedRuns, mesh: Mesh, end: str, code: int) -> None:
    runs.happen(state("RUNNING"), RunEvent(step="model-1", token_delta=TokenDelta(text="43")), state(end))
    done = mesh("runs", "fork", "run_1", "--watch")
    assert done.exit_code == code
    assert done.stdout == "run_1\n43\n"


def test_steps_are_listed_over_all_pages(runs: ScriptedRuns, mesh: Mesh) -> None:
    for number in (1, 3, 5):
        usage = Usage(input_tokens=10, output_tokens=number)
        runs.steps.append(Step(id=f"model-{number}", name="scripted", state="STEP_STATE_COMPLETED", usage=usage))
    outcome = StepResult(tool=ToolOutcome(content="boom", is_error=True))
    runs.steps.append(Step(id="tool-6", name="shell", state="STEP_STATE_WAITING", arguments="{}", result=outcome))
    rows = mesh("runs", "steps", "run_1").stdout.splitlines()
    assert [row.split()[0] for row in rows] == ["step", "model-1", "model-3", "model-5", "tool-6"]
    assert rows[3].split()[:4] == ["model-5", "scripted", "COMPLETED", "15"]
    full = mesh("runs", "steps", "run_1", "--full").stdout
    assert "asked: {}" in full
    assert "failed: boom" in full
    lines = mesh("runs", "steps", "run_1", "--json").stdout.splitlines()
    assert [json.loads(line)["id"] for line in lines] == ["model-1", "model-3", "model-5", "tool-6"]


def test_a_batch_is_cut_and_refusals_name_their_line(runs: ScriptedRuns, mesh: Mesh, tmp_path: Path) -> None:
    runs.refuse_input = "task 150"
    lines = [json.dumps({"request_id": str(number), "input": f"task {number}"}) for number in range(1, 251)]
    file = tmp_path / "tasks.jsonl"
    file.write_text("\n".join([*lines, "", '"a text alone"']))
    done = mesh("runs", "batch", str(file), "--agent", "research")
    assert done.exit_code == 1
    printed = done.stdout.splitlines()
    assert printed[:250] == [f"run_{number}" for number in range(1, 251) if number != 150] + printed[249:250]
    assert len(printed) == 250
    assert "line 150 refused: FIELD_INVALID: no" in done.stderr
    assert [len(each.requests) for each in runs.calls] == [100, 100, 51]
    assert {each.agent for each in runs.calls[0].requests} == {"research"}
    assert runs.calls[2].requests[-1].input == "a text alone"
    assert runs.calls[2].requests[-1].request_id


def test_large_tasks_are_cut_by_their_bytes(runs: ScriptedRuns, mesh: Mesh) -> None:
    big = json.dumps("x" * 200_000)
    assert mesh("runs", "batch", "-", text="\n".join([big] * 25)).exit_code == 0
    assert [len(each.requests) for each in runs.calls] == [10, 10, 5]


@pytest.mark.parametrize("line", ["{", '{"inptu": "x"}', "[1]", "7"])
def test_a_wrong_line_stops_the_batch_before_anything_is_sent(runs: ScriptedRuns, mesh: Mesh, line: str) -> None:
    done = mesh("runs", "batch", "-", text=f'"good"\n{line}\n')
    assert done.exit_code == 2
    assert "line 2" in done.stderr
    assert not runs.calls


def test_chat_without_a_keyboard_says_how_to_answer_and_ends(runs: ScriptedRuns, mesh: Mesh) -> None:
    runs.happen(state("RUNNING"), asks("req_1"), state("WAITING"))
    done = mesh("chat", "list the files", "--on-busy", "interrupt")
    assert done.exit_code == 6, done.output
    assert "mesh runs approve run_1 req_1" in done.stderr
    assert runs.calls[0].on_busy == OnBusy.ON_BUSY_INTERRUPT
    assert len(runs.calls) == 1  # it is not cancelled: it waits


def test_an_answer_that_comes_too_late_is_an_error(runs: ScriptedRuns, mesh: Mesh) -> None:
    runs.happen(asks("req_1"), state("WAITING"))
    runs.refuse_answer = (grpc.StatusCode.FAILED_PRECONDITION, "it was answered")
    done = mesh("runs", "deny", "run_1")
    assert done.exit_code == 1
    assert "it was answered" in done.stderr
