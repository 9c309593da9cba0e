"""What a person reads of a run: the answer on standard output, everything else beside it."""

import pytest
from agentmesh.agent.v1.activity_pb2 import (
    StepFinished,
    StepKind,
    StepRestarted,
    StepStarted,
    TokenDelta,
    ToolCall,
    ToolResult,
)
from agentmesh.memory.v1.document_pb2 import Passage
from agentmesh.memory.v1.fact_pb2 import Fact
from agentmesh.memory.v1.interaction_pb2 import Interaction
from agentmesh.orchestrator.v1.input_request_pb2 import InputAnswer, InputKind, InputRequest
from agentmesh.orchestrator.v1.run_event_pb2 import (
    InputAnswered,
    InputRequested,
    MemoryRecalled,
    RunEvent,
    RunStateChanged,
    Steered,
)
from agentmesh.orchestrator.v1.run_pb2 import RunState

from meshctl.requests import remedy, summary
from meshctl.transcript import Transcript

MODEL, TOOL = StepKind.STEP_KIND_MODEL, StepKind.STEP_KIND_TOOL


def state(value: str, attempt: int = 1) -> RunEvent:
    return RunEvent(run="run_1", state_changed=RunStateChanged(state=f"RUN_STATE_{value}", attempt=attempt))


def token(text: str, step: str = "model-1") -> RunEvent:
    return RunEvent(run="run_1", step=step, token_delta=TokenDelta(text=text))


def asked(request: str = "req_1", kind: str = "APPROVAL", **more: str) -> RunEvent:
    fields = {"tool": "shell", "arguments": '{"command": "ls"}'} | more
    message = InputRequest(id=request, run="run_1", step="tool-2", kind=f"INPUT_KIND_{kind}", **fields)
    return RunEvent(run="run_1", step="tool-2", input_requested=InputRequested(request=message))


def shown(capsys: pytest.CaptureFixture[str], *events: RunEvent, remedies: bool = True) -> tuple[str, str, Transcript]:
    transcript = Transcript(remedies=remedies)
    for sequence, event in enumerate(events, start=1):
        event.sequence = sequence
        transcript.show(event)
    told = capsys.readouterr()
    return told.out, told.err, transcript


def test_the_answer_alone_goes_to_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    out, err, transcript = shown(capsys, state("RUNNING"), token("Hello "), token("Ada"), state("SUCCEEDED"))
    assert out == "Hello Ada\n"
    assert err == ""
    assert transcript.ok
    assert transcript.sequence == 4


def test_a_model_that_begins_again_begins_a_line_and_says_what_is_void(capsys: pytest.CaptureFixture[str]) -> None:
    restarted = RunEvent(step="model-1", step_restarted=StepRestarted())
    out, err, _ = shown(
        capsys, state("RUNNING"), token("Hel"), state("RUNNING", 2), restarted, token("Hello"), state("SUCCEEDED", 2)
    )
    assert out == "Hel\nHello\n"
    assert "goes on (attempt 2)" in err
    assert "the model begins again: what it said just now is void" in err


def test_nothing_is_void_when_nothing_was_said(capsys: pytest.CaptureFixture[str]) -> None:
    restarted = RunEvent(step="model-3", step_restarted=StepRestarted())
    tool = RunEvent(step="tool-2", step_restarted=StepRestarted())
    _, err, _ = shown(capsys, token("done", "model-1"), tool, restarted)
    assert "void" not in err
    assert "the model begins again" in err
    assert "tool-2 begins again" in err


@pytest.mark.parametrize("mark", ["replayed", "cached"])
def test_what_was_done_before_is_marked(capsys: pytest.CaptureFixture[str], mark: str) -> None:
    out, err, _ = shown(
        capsys,
        RunEvent(step="model-1", step_started=StepStarted(kind=MODEL, name="m", **{mark: True})),
        token("Hi"),
        RunEvent(step="model-1", step_finished=StepFinished(kind=MODEL)),
        RunEvent(step="tool-2", step_started=StepStarted(kind=TOOL, name="calculator", **{mark: True})),
        RunEvent(step="tool-2", tool_call=ToolCall(name="calculator", arguments="{}")),
        RunEvent(step="tool-2", tool_result=ToolResult(name="calculator", content="42")),
        RunEvent(step="tool-3", step_started=StepStarted(kind=TOOL, name="calculator")),
        RunEvent(step="tool-3", tool_result=ToolResult(name="calculator", content="43")),
    )
    assert out == "Hi\n"
    assert f"model-1 ({mark})" in err
    assert f"calculator answered ({mark}): 42" in err
    assert "calculator answered: 43" in err


def test_an_approval_is_told_whole_with_the_way_to_answer(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = '{"command": "' + "x" * 500 + '"}'
    _, err, transcript = shown(capsys, state("RUNNING"), asked(arguments=arguments), state("WAITING"))
    assert f"May it call shell {arguments} ?" in err
    assert "mesh runs approve run_1 req_1" in err
    assert "mesh runs deny run_1 req_1" in err
    assert transcript.waits


def test_where_the_person_is_asked_at_once_no_way_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    _, err, transcript = shown(capsys, asked(), state("WAITING"), remedies=False)
    assert err == ""
    assert list(transcript.requests) == ["req_1"]


def test_a_run_waits_until_its_last_request_is_answered(capsys: pytest.CaptureFixture[str]) -> None:
    def answer(request: str, how: InputAnswer, **more: str) -> RunEvent:
        return RunEvent(input_answered=InputAnswered(request=request, answer=how, **more))

    first = answer("req_1", InputAnswer.INPUT_ANSWER_DENIED, user="bob", text="too dangerous")
    _, err, transcript = shown(capsys, asked("req_1"), asked("req_2"), state("WAITING"), first)
    assert "bob denied: too dangerous" in err
    assert transcript.waits
    transcript.show(answer("req_2", InputAnswer.INPUT_ANSWER_EXPIRED))
    assert not transcript.waits
    transcript.show(state("RUNNING"))
    err = capsys.readouterr().err
    assert "nobody answered in time" in err
    assert "goes on" in err


def test_a_pause_says_how_to_go_on(capsys: pytest.CaptureFixture[str]) -> None:
    _, err, transcript = shown(capsys, state("RUNNING"), state("PAUSED"))
    assert "mesh runs resume run_1" in err
    assert not transcript.waits
    assert transcript.state == RunState.RUN_STATE_PAUSED


def test_steering_is_told_with_its_author(capsys: pytest.CaptureFixture[str]) -> None:
    _, err, _ = shown(capsys, RunEvent(steered=Steered(text="in French", user="ada")))
    assert "ada says: in French" in err


def test_arguments_cannot_be_made_to_look_like_others() -> None:
    turned = InputRequest(
        kind=InputKind.INPUT_KIND_APPROVAL, tool="shell", arguments='{"path": "\u202egpj.exe", "e": "é"}'
    )
    assert summary(turned) == 'May it call shell {"path": "\\u202egpj.exe", "e": "é"} ?'


@pytest.mark.parametrize(
    ("kind", "verbs"),
    [("APPROVAL", ["approve", "deny"]), ("QUESTION", ["answer"]), ("UNCERTAIN", ["approve", "deny", "answer"])],
)
def test_each_kind_tells_its_own_ways(kind: str, verbs: list[str]) -> None:
    ways = remedy(InputRequest(id="req_1", run="run_1", kind=f"INPUT_KIND_{kind}"))
    assert [line.split()[2] for line in ways.splitlines()] == verbs


def test_what_is_recalled_is_told_with_where_it_is_from(capsys: pytest.CaptureFixture[str]) -> None:
    recalled = MemoryRecalled(degraded=["MEMORY_LAYER_SEMANTIC"])
    recalled.items.add(score=0.9).fact.MergeFrom(Fact(key="city", value="Paris"))
    recalled.items.add(score=0.8).passage.MergeFrom(Passage(title="Leave", document="doc_1", number=2, text="30\ndays"))
    recalled.items.add(score=0.7).interaction.MergeFrom(Interaction(input="Hello", origin="ORIGIN_USER"))
    tool = Interaction(input="Pay", origin="ORIGIN_TOOL", source="tool:web_fetch")
    recalled.items.add(score=0.6).interaction.MergeFrom(tool)
    _, err, _ = shown(capsys, RunEvent(memory_recalled=recalled))
    assert err.splitlines() == [
        "· recalls city: Paris (0.90)",
        "· recalls Leave [doc_1#2]: “30 days” (0.80)",
        "· recalls “Hello” (0.70)",
        "· recalls a tool, tool:web_fetch: “Pay” (0.60)",
        "· memory answered in part only",
    ]
