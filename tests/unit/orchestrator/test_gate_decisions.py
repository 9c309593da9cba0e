"""What the gate decides, and in which order it asks."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from meshkit.errors import Aborted, MeshError
from orchestrator.domain.gate import decide
from orchestrator.domain.ledger import Ask, Do, Execute, Finish, Hold, Look, Replay, StepAsk
from orchestrator.domain.model import Run, RunState, Usage
from orchestrator.domain.specs import AgentSpec, Approval, Limits, ToolPolicy
from orchestrator.domain.steps import Answer, InputKind, InputRequest, Outcome, Step, StepKind, StepState, ToolOutcome

NOW = datetime(2026, 1, 1, tzinfo=UTC)
DAY, WEEK = timedelta(days=1), timedelta(days=7)
TOOL = StepAsk(StepKind.TOOL, "pay", "assistant", b"d" * 32, 1, '{"a":1}')
AGAIN = replace(TOOL, repeatable=True)
MODEL = StepAsk(StepKind.MODEL, "small", "assistant", b"d" * 32, 1, "", repeatable=True)
QUESTION = replace(TOOL, name="ask_user", arguments='{"question":"Which?"}')
PAID = ToolOutcome("paid")


def policies(approval: Approval) -> AgentSpec:
    return AgentSpec("langchain", tool_policies={"pay": ToolPolicy(approval, DAY)})


FREE, ASKS, DENIES = (policies(approval) for approval in (Approval.AUTO, Approval.ASK, Approval.DENY))


def run(spec: AgentSpec = FREE, **fields: Any) -> Run:
    fields = {"state": RunState.RUNNING, "attempt": 3, **fields}
    return Run("run_1", "acme", "ses_1", "ada", "assistant", spec, "hello", NOW, **fields)


PAUSED: dict[str, Any] = {"state": RunState.PAUSED, "paused": True}
STEPPING: dict[str, Any] = {"paused": True, "step_allowed": True}


def step(state: StepState, attempt: int = 2, arguments: str = '{"a":1}', outcome: Outcome | None = None) -> Step:
    return Step(
        "run_1", 5, StepKind.TOOL, b"d" * 32, 1, "pay", "assistant", state, attempt, NOW,
        arguments=arguments, outcome=outcome,
    )  # fmt: skip


WAITING, INTERRUPTED, FAILED = (step(each) for each in (StepState.WAITING, StepState.STARTED, StepState.FAILED))
EDITED = step(StepState.STARTED, arguments='{"a":2}')
MINE = step(StepState.STARTED, 3, '{"a":2}')
DONE = step(StepState.COMPLETED, outcome=PAID)


def request(
    answer: Answer | None = None, text: str = "", kind: InputKind = InputKind.APPROVAL, *, used: bool = False
) -> InputRequest:
    return InputRequest(
        "req_1", "run_1", "tool-5", kind, "pay", '{"a":1}', "00", "", NOW, NOW + DAY, answer, text, "ada", used
    )


def error(text: str, **fields: Any) -> Finish:
    return Finish(ToolOutcome(text, is_error=True), **fields)


UNCERTAIN = InputKind.UNCERTAIN
MANY = Usage(10, 10, 9, 9, 9)
TIGHT = replace(ASKS, limits=Limits(max_tool_calls=9))

DECISIONS = [
    ("a new tool call", TOOL, Look(run()), Do('{"a":1}')),
    ("a new model call", MODEL, Look(run()), Do("")),
    ("done", TOOL, Look(run(), DONE), Replay("tool-5", PAID)),
    ("done, of a tool that may not", TOOL, Look(run(DENIES), DONE), Replay("tool-5", PAID)),
    ("done, and paused", TOOL, Look(run(**PAUSED), DONE), Replay("tool-5", PAID)),
    ("done, past a limit", TOOL, Look(run(TIGHT, usage=MANY), DONE), Replay("tool-5", PAID)),
    ("asked again", TOOL, Look(run(), MINE), Execute("tool-5", "run_1/tool-5", '{"a":2}')),
    ("again, past a limit", TOOL, Look(run(TIGHT, usage=MANY), MINE), Execute("tool-5", "run_1/tool-5", '{"a":2}')),
    ("asked again, and paused", TOOL, Look(run(**PAUSED), MINE), Execute("tool-5", "run_1/tool-5", '{"a":2}')),
    ("said with it", MODEL, Look(run(), replace(MINE, arguments=""), said=((1, "x"),)),
     Execute("tool-5", "run_1/tool-5", "", ((1, "x"),))),
    ("failed", TOOL, Look(run(), FAILED), Do('{"a":1}')),
    ("denied by policy", TOOL, Look(run(DENIES)), error("the tool pay is not allowed here")),
    ("to be approved", TOOL, Look(run(ASKS)), Ask(InputKind.APPROVAL, DAY)),
    ("to be approved, though paused", TOOL, Look(run(ASKS, **PAUSED)), Ask(InputKind.APPROVAL, DAY)),
    ("asked of a person", TOOL, Look(run(ASKS), WAITING, request()), Hold(paused=False)),
    ("approved", TOOL, Look(run(ASKS), WAITING, request(Answer.APPROVED)), Do('{"a":1}', "req_1")),
    ("approved, and paused", TOOL, Look(run(ASKS, **PAUSED), WAITING, request(Answer.APPROVED)), Hold(paused=True)),
    ("edited", TOOL, Look(run(ASKS), WAITING, request(Answer.EDITED, '{"a":2}')), Do('{"a":2}', "req_1")),
    ("refused", TOOL, Look(run(ASKS), WAITING, request(Answer.DENIED)),
     error("A person did not allow this call.", request="req_1")),
    ("refused, and paused", TOOL, Look(run(ASKS, **PAUSED), WAITING, request(Answer.DENIED, "no")),
     error("A person did not allow this call: no", request="req_1")),
    ("too late", TOOL, Look(run(ASKS), WAITING, request(Answer.EXPIRED)),
     error("Nobody answered in time, so this did not happen.", request="req_1")),
    ("interrupted", TOOL, Look(run(), INTERRUPTED), Ask(UNCERTAIN, DAY)),
    ("interrupted, of no policy", replace(TOOL, name="other"), Look(run(), INTERRUPTED), Ask(UNCERTAIN, WEEK)),
    ("interrupted, repeatable", AGAIN, Look(run(), INTERRUPTED), Do('{"a":1}')),
    ("interrupted model", MODEL, Look(run(), INTERRUPTED), Do("")),
    ("interrupted after its approval", TOOL, Look(run(ASKS), INTERRUPTED, request(Answer.APPROVED, used=True)),
     Ask(UNCERTAIN, DAY)),
    ("repeatable after its edit", AGAIN, Look(run(ASKS), EDITED, request(Answer.EDITED, '{"a":2}', used=True)),
     Do('{"a":2}')),
    ("failed after its approval", TOOL, Look(run(ASKS), FAILED, request(Answer.APPROVED, used=True)),
     Ask(InputKind.APPROVAL, DAY)),
    ("to be done again", TOOL, Look(run(), replace(EDITED, state=StepState.WAITING),
     request(Answer.APPROVED, kind=UNCERTAIN)), Do('{"a":2}', "req_1")),
    ("told what it did", TOOL, Look(run(), WAITING, request(Answer.TEXT, "sent", UNCERTAIN)),
     Finish(ToolOutcome("sent"), request="req_1")),
    ("taken as failed", TOOL, Look(run(), WAITING, request(Answer.DENIED, kind=UNCERTAIN)),
     error("The call was interrupted, and is taken as failed.", request="req_1")),
    ("never judged", TOOL, Look(run(), WAITING, request(Answer.EXPIRED, kind=UNCERTAIN)),
     error("The call was interrupted, and nobody could say in time whether it had its effect.", request="req_1")),
    ("a question", QUESTION, Look(run()), Ask(InputKind.QUESTION, WEEK, "Which?")),
    ("a question of odd form", replace(QUESTION, arguments="[1]"), Look(run()), Ask(InputKind.QUESTION, WEEK, "[1]")),
    ("an answer", QUESTION, Look(run(), WAITING, request(Answer.TEXT, "Red", InputKind.QUESTION)),
     Finish(ToolOutcome("Red"), request="req_1")),
    ("no answer", QUESTION, Look(run(), WAITING, request(Answer.DENIED, kind=InputKind.QUESTION)),
     error("The user did not answer.", request="req_1")),
    ("paused", TOOL, Look(run(**PAUSED)), Hold(paused=True)),
    ("paused model", MODEL, Look(run(**PAUSED)), Hold(paused=True)),
    ("paused, known to the cache", MODEL, Look(run(**PAUSED), cached="{}"), Hold(paused=True)),
    ("one step", TOOL, Look(run(**STEPPING)), Do('{"a":1}')),
    ("beside one that waits", TOOL, Look(run(state=RunState.WAITING)), Do('{"a":1}')),
    ("known to the cache", MODEL, Look(run(), cached="{}"), Finish("{}", cached=True, stepped=True)),
    ("a model at the limit of tools", MODEL, Look(run(TIGHT, usage=MANY)), Do("")),
]  # fmt: skip


@pytest.mark.parametrize(("ask", "look", "decision"), [each[1:] for each in DECISIONS], ids=[e[0] for e in DECISIONS])
def test_a_decision(ask: StepAsk, look: Look, decision: object) -> None:
    assert decide(3, ask, look) == decision


@pytest.mark.parametrize(
    "gone",
    [
        run(attempt=4),
        run(attempt=2),
        run(suspended=True, **PAUSED),
        *(run(state=state) for state in (RunState.QUEUED, RunState.SUCCEEDED, RunState.FAILED, RunState.CANCELLED)),
    ],
)
@pytest.mark.parametrize("known", [None, DONE, MINE])
def test_an_attempt_that_is_not_at_work_learns_nothing(gone: Run, known: Step | None) -> None:
    with pytest.raises(Aborted) as refused:
        decide(3, TOOL, Look(gone, known))
    assert refused.value.reason == "ATTEMPT_SUPERSEDED"


@pytest.mark.parametrize(
    ("limits", "usage", "ask", "limit"),
    [
        (Limits(max_tool_calls=2), Usage(tool_calls=2), TOOL, "max_tool_calls"),
        (Limits(max_model_calls=2), Usage(model_calls=2), MODEL, "max_model_calls"),
        (Limits(max_tokens=5), Usage(3, 2), MODEL, "max_tokens"),
        (Limits(max_tokens=5), Usage(9, 9), TOOL, "max_tokens"),
        (Limits(max_cost_micros=5), Usage(cost_micros=5), TOOL, "max_cost_micros"),
    ],
)
@pytest.mark.parametrize("spec", [FREE, ASKS, DENIES])
@pytest.mark.parametrize("flags", [{}, PAUSED])
def test_a_limit_comes_before_people(
    limits: Limits, usage: Usage, ask: StepAsk, limit: str, spec: AgentSpec, flags: dict[str, Any]
) -> None:
    with pytest.raises(MeshError) as refused:
        decide(3, ask, Look(run(replace(spec, limits=limits), usage=usage, **flags)))
    assert (refused.value.reason, refused.value.metadata["limit"]) == ("LIMIT_REACHED", limit)


def test_what_is_below_its_limits_goes_on() -> None:
    limits = Limits(max_model_calls=2, max_tool_calls=2, max_tokens=5, max_cost_micros=5)
    look = Look(run(replace(FREE, limits=limits), usage=Usage(2, 2, 1, 1, 4)))
    assert isinstance(decide(3, TOOL, look), Do)
    assert isinstance(decide(3, MODEL, look), Do)
    free = Look(run(usage=Usage(cost_micros=10**9)))
    assert isinstance(decide(3, TOOL, free), Do)  # no limit of cost
