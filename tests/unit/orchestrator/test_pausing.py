"""What each verb that holds a run makes of each state."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from orchestrator.domain.events import StateChange
from orchestrator.domain.execution import _begin
from orchestrator.domain.model import Run, RunState
from orchestrator.domain.pausing import _pause, _resume, _step
from orchestrator.domain.specs import AgentSpec

RUN = Run("run_1", "acme", "ses_1", "ada", "assistant", AgentSpec("langchain"), "hello", datetime.now(UTC), attempt=3)
QUEUED, RUNNING, PAUSED, WAITING = RunState.QUEUED, RunState.RUNNING, RunState.PAUSED, RunState.WAITING
ENDED = [RunState.SUCCEEDED, RunState.FAILED, RunState.CANCELLED]


def run(state: RunState, **fields: Any) -> Run:
    return replace(RUN, state=state, **fields)


def to(state: RunState, **fields: Any) -> StateChange:
    return StateChange(state, 3, **fields)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (run(QUEUED), to(PAUSED, paused=True, step_allowed=False, suspended=True)),
        (run(RUNNING), to(PAUSED, paused=True, step_allowed=False)),
        (run(RUNNING, paused=True, step_allowed=True), to(PAUSED, paused=True, step_allowed=False)),
        (run(PAUSED, paused=True), to(PAUSED, paused=True, step_allowed=False)),
        (run(WAITING), to(WAITING, paused=True, step_allowed=False)),
    ],
)
def test_pause(before: Run, after: StateChange) -> None:
    assert _pause(before) == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (run(RUNNING), None),
        (run(QUEUED), None),
        (run(WAITING), None),
        (run(RUNNING, paused=True), to(RUNNING, paused=False, step_allowed=False)),
        (run(WAITING, paused=True), to(WAITING, paused=False, step_allowed=False)),
        (run(PAUSED, paused=True), to(RUNNING, paused=False, step_allowed=False)),
        (
            run(PAUSED, paused=True, suspended=True, leg=4, starts=2),
            to(QUEUED, leg=5, starts=0, paused=False, step_allowed=False, suspended=False),
        ),
    ],
)
def test_resume(before: Run, after: StateChange | None) -> None:
    assert _resume(before) == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (run(RUNNING), to(RUNNING, paused=True, step_allowed=True)),
        (run(QUEUED), to(QUEUED, paused=True, step_allowed=True)),
        (run(WAITING, paused=True), to(WAITING, paused=True, step_allowed=True)),
        (run(PAUSED, paused=True), to(RUNNING, paused=True, step_allowed=True)),
        (
            run(PAUSED, paused=True, suspended=True),
            to(QUEUED, leg=2, starts=0, paused=True, step_allowed=True, suspended=False),
        ),
    ],
)
def test_step(before: Run, after: StateChange) -> None:
    assert _step(before) == after


@pytest.mark.parametrize("state", ENDED)
def test_what_has_ended_is_not_held(state: RunState) -> None:
    assert _pause(run(state)) is _resume(run(state, paused=True)) is _step(run(state)) is None


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (run(QUEUED), StateChange(RUNNING, 4, starts=1)),
        (run(QUEUED, paused=True, step_allowed=True), StateChange(RUNNING, 4, starts=1)),
        (run(RUNNING, starts=1), StateChange(RUNNING, 4, starts=2)),  # its executor died
        (run(PAUSED, paused=True), to(PAUSED, suspended=True)),
        (run(WAITING), to(WAITING, suspended=True)),
        (run(PAUSED, paused=True, suspended=True), None),
        (run(QUEUED, leg=2), None),  # another leg's workflow
        *((run(state), None) for state in ENDED),
    ],
)
def test_what_a_leg_begins_with(before: Run, after: StateChange | None) -> None:
    assert _begin(before, leg=1, last=-1, counted=True) == after
    if after is not None and after.state is RUNNING:
        again = _begin(before, leg=1, last=3, counted=False)
        assert again is not None
        assert again.starts == before.starts
        assert _begin(before, leg=1, last=2, counted=True) is None  # a peer has begun a newer one
