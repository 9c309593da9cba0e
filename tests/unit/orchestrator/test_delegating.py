"""What the gate makes of a question to another agent, and what that agent may use."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from meshkit.errors import ResourceExhausted
from orchestrator.domain.gate import decide
from orchestrator.domain.ledger import Ask, Decision, Delegate, Do, Finish, Hold, Look, StepAsk
from orchestrator.domain.limits import left_of
from orchestrator.domain.model import Agent, Failure, Run, RunState, Usage
from orchestrator.domain.specs import AgentSpec, Approval, Limits, ToolPolicy
from orchestrator.domain.steps import InputKind, Step, StepKind, StepState, ToolOutcome

NOW = datetime(2026, 1, 1, tzinfo=UTC)
WRITER = Agent("note-writer", "Writes", AgentSpec("crewai"))
QUESTION = StepAsk(StepKind.TOOL, "ask_note_writer", "assistant", b"d" * 32, 1, '{"task": "Write"}', repeatable=True)
SPEC = AgentSpec("langchain", agents=("note-writer",))
STEP = Step("run_1", 5, StepKind.TOOL, b"d" * 32, 1, "ask_note_writer", "assistant", StepState.WAITING, 1, NOW)


def run(spec: AgentSpec = SPEC, **fields: Any) -> Run:
    fields = {"state": RunState.RUNNING, "attempt": 3, **fields}
    return Run("run_1", "acme", "ses_1", "ada", "assistant", spec, "hello", NOW, **fields)


def child(state: RunState, **fields: Any) -> Run:
    made = run(WRITER.spec, state=state, parent="run_1", parent_step=5, root="run_1", depth=2, **fields)
    return replace(made, id="run_2", agent="note-writer")


def asked(state: RunState, **fields: Any) -> Look:
    return Look(run(state=RunState.WAITING), STEP, peer=WRITER, child=child(state, **fields))


DELEGATED = Delegate(WRITER, "Write", '{"task": "Write"}')
FAILURE = Failure("MODEL_FAILED", "what a model said", "model")
POLICIES = {"ask_note_writer": ToolPolicy(Approval.ASK, timedelta(days=1))}


@pytest.mark.parametrize(
    ("look", "decision"),
    [
        (Look(run(), peer=WRITER), DELEGATED),
        (Look(run(paused=True), peer=WRITER), Hold(paused=True)),
        (Look(run(paused=True, step_allowed=True), peer=WRITER), DELEGATED),
        (Look(run(replace(SPEC, tool_policies=POLICIES)), peer=WRITER), Ask(InputKind.APPROVAL, timedelta(days=1))),
        (asked(RunState.QUEUED), Hold(paused=False)),
        (asked(RunState.WAITING), Hold(paused=False)),
        (asked(RunState.SUCCEEDED, output="Done"), Finish(ToolOutcome("Done"))),
        (
            asked(RunState.FAILED, failure=FAILURE),
            Finish(ToolOutcome("The agent note-writer failed: MODEL_FAILED.", is_error=True)),
        ),
        (asked(RunState.CANCELLED), Finish(ToolOutcome("The agent note-writer was stopped.", is_error=True))),
        (
            Look(run()),
            Finish(ToolOutcome("The agent note-writer is not there, or nothing runs it.", is_error=True), stepped=True),
        ),
        # Without the agent among its own, it is a tool like any other.
        (Look(run(replace(SPEC, agents=()))), Do('{"task": "Write"}')),
    ],
)
def test_a_question_to_an_agent(look: Look, decision: Decision) -> None:
    assert decide(3, QUESTION, look) == decision


@pytest.mark.parametrize("arguments", ["", "{}", "[]", "7", '{"task": ""}', '{"task": [1]}', '{"task": "a\\u0000"}'])
def test_a_question_without_a_task_is_told_so(arguments: str) -> None:
    decision = decide(3, replace(QUESTION, arguments=arguments), Look(run(), peer=WRITER))
    assert isinstance(decision, Finish)
    assert isinstance(decision.outcome, ToolOutcome)
    assert decision.outcome.is_error
    assert '"task"' in decision.outcome.content


@pytest.mark.parametrize(
    ("look", "limit"),
    [
        (Look(run(depth=8), peer=WRITER), "max_depth"),
        (Look(run(replace(SPEC, limits=Limits(max_depth=1))), peer=WRITER), "max_depth"),
        (Look(run(depth=2, root="run_0"), root=run(usage=Usage(tool_calls=50)), peer=WRITER), "max_tool_calls"),
    ],
)
def test_what_bounds_the_tree(look: Look, limit: str) -> None:
    with pytest.raises(ResourceExhausted) as caught:
        decide(3, QUESTION, look)
    assert (caught.value.reason, caught.value.metadata["limit"]) == ("LIMIT_REACHED", limit)


def test_what_is_left_for_another_agent() -> None:
    limits = Limits(10, 20, 1000, timedelta(minutes=10), 500, 4)
    begun = {"start_time": NOW - timedelta(minutes=7), "idle": timedelta(minutes=3)}
    spent = run(replace(SPEC, limits=limits), usage=Usage(300, 100, 4, 5, 200), **begun)
    assert left_of(spent, NOW) == Limits(6, 15, 600, timedelta(minutes=6), 300, 4)
    wide = AgentSpec("crewai", limits=Limits(max_model_calls=2, max_cost_micros=0))
    assert wide.limited(left_of(spent, NOW)).limits == Limits(2, 15, 600, timedelta(minutes=6), 300, 4)
    over = replace(spent, usage=Usage(3000, 0, 90, 90, 900), start_time=NOW - timedelta(hours=1))
    assert left_of(over, NOW) == Limits(1, 1, 1, timedelta(seconds=1), 1, 4), "0 would mean something else"
