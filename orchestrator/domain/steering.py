"""What people say to an agent while it works: kept with the run, and carried by its next question to the model."""

from typing import Protocol

from meshkit.context import CallContext
from meshkit.errors import FailedPrecondition, ResourceExhausted
from orchestrator.domain.model import Run
from orchestrator.domain.steps import Steer
from orchestrator.domain.storage import RequestKey, RunStore
from orchestrator.domain.viewing import Viewer

__all__ = ["SteerStore", "Steering", "next_steer"]

_MAX_STEERS = 100
"""How much may be said to one run: all of it stays in the conversation."""


class SteerStore(Protocol):
    """What was said to runs."""

    async def add(self, key: RequestKey, viewer: Viewer, run: str, text: str, user: str) -> None:
        """Keep what a person says, once for the key, with the event that tells it.

        Raises NotFound, and what `next_steer` raises.
        """
        ...


class Steering:
    """The verb on what is said to runs."""

    def __init__(self, store: SteerStore, runs: RunStore) -> None:
        self._store, self._runs = store, runs

    async def steer(self, caller: CallContext, key: RequestKey, run: str, text: str) -> Run:
        """Say something to the run; the same request may be repeated. Returns the run.

        Raises NotFound, FailedPrecondition once it has ended, ResourceExhausted (LIMIT_REACHED).
        """
        viewer = Viewer.of(caller)
        await self._store.add(key, viewer, run, text, caller.subject)
        return await self._runs.get(viewer, run)


def next_steer(run: Run, said: int, text: str, user: str) -> Steer:
    """Return what is said after `said` others, to a run whose row is locked."""
    if run.state.terminal:
        raise FailedPrecondition(f"the run has ended: it is {run.state}")
    if said >= _MAX_STEERS:
        raise ResourceExhausted(
            f"no more than {_MAX_STEERS} things can be said to a run",
            reason="LIMIT_REACHED",
            metadata={"limit": "steering", "value": str(_MAX_STEERS)},
        )
    return Steer(said + 1, text, user)
