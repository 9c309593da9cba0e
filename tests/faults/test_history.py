"""The checker of histories finds what is planted."""

from typing import Any

from agentmesh.agent.v1.activity_pb2 import MessageFinished, StepFinished, StepRestarted, TokenDelta
from agentmesh.orchestrator.v1.run_event_pb2 import RunEvent, RunStateChanged
from agentmesh.orchestrator.v1.run_pb2 import RunState

from tests.faults.history import History, violations


def good() -> list[RunEvent]:
    bodies: list[dict[str, Any]] = [
        {"state_changed": RunStateChanged(state=RunState.RUN_STATE_RUNNING, attempt=1)},
        {"step": "model-1", "token_delta": TokenDelta(text="Hal")},
        {"step": "model-1", "step_restarted": StepRestarted()},
        {"step": "model-1", "token_delta": TokenDelta(text="Hello")},
        {"step": "model-1", "message_finished": MessageFinished(text="Hello")},
        {"step": "model-1", "step_finished": StepFinished()},
        {"state_changed": RunStateChanged(state=RunState.RUN_STATE_SUCCEEDED, output="Hello")},
    ]
    return [RunEvent(sequence=number, run="run_1", **body) for number, body in enumerate(bodies, 1)]


def found(*subscribers: list[RunEvent], effects: dict[tuple[str, str, int], int] | None = None) -> list[str]:
    history = History(accepted={"run_1": "job-1"})
    history.seen["run_1"] += subscribers
    return violations(history, effects or {})


def test_a_good_history_is_good() -> None:
    assert found(good(), good(), effects={("effect_once", "job-1", 1): 1, ("effect_again", "job-1", 2): 3}) == []


def test_a_lost_run_is_found() -> None:
    assert "never seen again" in violations(History(accepted={"run_1": "job-1"}), {})[0]
    assert "did not succeed" in found(good()[:-1])[0]


def test_a_gap_a_duplicate_and_a_wrong_order_are_found() -> None:
    events = good()
    for wrong in (events[:2] + events[3:], [*events[:2], *events[1:]], [events[1], events[0], *events[2:]]):
        assert any("sequences are not" in each for each in found(wrong))


def test_subscribers_that_differ_are_found() -> None:
    other = good()
    other[0].state_changed.attempt = 2
    assert any("different events" in each for each in found(good(), other))


def test_a_text_that_is_not_the_answer_is_found() -> None:
    twice = good()
    twice[2].ClearField("event")  # nobody said that the first text is void
    assert "was told as 'HalHello'" in found(twice)[0]
    other = good()
    other[-1].state_changed.output = "Hello!"
    assert "the output" in found(other)[0]


def test_a_step_that_ends_twice_is_found() -> None:
    twice = good()
    twice[0].step = "model-1"
    twice[0].step_finished.SetInParent()
    assert "model-1 ended 2 times" in found(twice)[0]


def test_an_effect_that_was_had_twice_is_found() -> None:
    done = {("effect_once", "job-1", 1): 2}
    assert "was done 2 times" in found(good(), effects=done)[0]
    history = History(accepted={"run_1": "job-1"})
    history.seen["run_1"].append(good())
    history.allowed["job-1"] = 1
    assert violations(history, done) == []
