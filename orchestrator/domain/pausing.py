"""Holding runs: pause, resume, and one step at a time.

    RUNNING ─► PAUSED ─► (nothing works on it: suspended) ─► QUEUED, in a new leg ─► RUNNING
                   └───► (the gate still holds its agent) ─► RUNNING

Owns what each verb makes of each state. What a held run may still do is the gate's.
"""

from collections.abc import Callable

from meshkit.context import CallContext
from meshkit.errors import FailedPrecondition, NotFound
from orchestrator.domain.events import StateChange
from orchestrator.domain.model import Run, RunState
from orchestrator.domain.ports import RunEngine
from orchestrator.domain.storage import RunStore
from orchestrator.domain.viewing import Viewer

__all__ = ["Pausing"]


class Pausing:
    """The verbs that hold runs. All raise NotFound, and FailedPrecondition (STATE_CONFLICT) for one that has ended."""

    def __init__(self, runs: RunStore, engine: RunEngine) -> None:
        self._runs, self._engine = runs, engine

    async def pause(self, caller: CallContext, run_id: str) -> Run:
        """Hold the run: no further step begins. Returns it."""
        return await self._hold(caller, run_id, _pause)

    async def resume(self, caller: CallContext, run_id: str) -> Run:
        """Let the run go on, if it is held. Returns it."""
        return await self._hold(caller, run_id, _resume)

    async def step(self, caller: CallContext, run_id: str) -> Run:
        """Let one step of the run happen, and hold it then. Returns it."""
        return await self._hold(caller, run_id, _step)

    async def _hold(self, caller: CallContext, run_id: str, decide: Callable[[Run], StateChange | None]) -> Run:
        await self._runs.get(Viewer.of(caller), run_id)
        changed = await self._runs.transition(run_id, decide)
        if changed is None:
            run = await self._runs.load(run_id)
            if run is None:
                raise NotFound("no such run")
            if run.state.terminal:
                raise FailedPrecondition(f"the run is {run.state}")
            return run
        if changed.state is RunState.QUEUED and not changed.waits:
            await self._engine.start(changed)
        return changed


def _pause(run: Run) -> StateChange | None:
    if run.state.terminal:
        return None
    if run.state is RunState.QUEUED:  # nothing works on it yet: what the engine has of it finds it so, and ends
        return StateChange(RunState.PAUSED, run.attempt, paused=True, step_allowed=False, suspended=True)
    state = RunState.PAUSED if run.state is RunState.RUNNING else run.state
    return StateChange(state, run.attempt, paused=True, step_allowed=False)


def _resume(run: Run) -> StateChange | None:
    return None if run.state.terminal or not run.paused else _go_on(run, paused=False)


def _step(run: Run) -> StateChange | None:
    return None if run.state.terminal else _go_on(run, paused=True)


def _go_on(run: Run, *, paused: bool) -> StateChange:
    """Let the run go on: for one step if it is `paused`. One that waits goes on waiting."""
    if run.state is not RunState.PAUSED:
        return StateChange(run.state, run.attempt, paused=paused, step_allowed=paused)
    if not run.suspended:
        return StateChange(RunState.RUNNING, run.attempt, paused=paused, step_allowed=paused)
    return StateChange(
        RunState.QUEUED, run.attempt, leg=run.leg + 1, starts=0, paused=paused, step_allowed=paused, suspended=False
    )
