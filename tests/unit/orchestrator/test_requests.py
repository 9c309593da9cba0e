"""How a run goes on once nothing is asked of people any more."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from orchestrator.domain.events import StateChange
from orchestrator.domain.model import Run, RunState
from orchestrator.domain.requests import going_on
from orchestrator.domain.specs import AgentSpec

RUN = Run("run_1", "acme", "ses_1", "ada", "assistant", AgentSpec("langchain"), "hi", datetime(2026, 1, 1, tzinfo=UTC))
WAITING = replace(RUN, state=RunState.WAITING, attempt=3, leg=2, starts=1)


@pytest.mark.parametrize(
    ("fields", "change"),
    [
        ({}, StateChange(RunState.RUNNING, 3)),
        ({"suspended": True}, StateChange(RunState.QUEUED, 3, leg=3, starts=0, suspended=False)),
        ({"paused": True}, StateChange(RunState.PAUSED, 3)),
        ({"paused": True, "suspended": True}, StateChange(RunState.PAUSED, 3)),
        ({"paused": True, "step_allowed": True}, StateChange(RunState.RUNNING, 3)),
        (
            {"paused": True, "step_allowed": True, "suspended": True},
            StateChange(RunState.QUEUED, 3, leg=3, starts=0, suspended=False),
        ),
    ],
)
def test_a_run_that_waited_goes_on(fields: dict[str, Any], change: StateChange) -> None:
    assert going_on(replace(WAITING, **fields)) == change


@pytest.mark.parametrize("state", [state for state in RunState if state is not RunState.WAITING])
def test_any_other_run_stays_as_it_is(state: RunState) -> None:
    assert going_on(replace(RUN, state=state)) is None
