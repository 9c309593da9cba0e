"""Agents that ask agents: what a question becomes, and what its answer is to the one who asked.

    ask_writer ─► a run of its own ─► the asking run is WAITING ─► the other one has ended ─► its answer is the tool's

Owns these rules, and that whoever waits goes on. Nobody is called: what the rows say is looked at again and again, so
that nothing is lost with a process.
"""

import asyncio
import json
from collections.abc import Callable, Sequence
from typing import Protocol

from meshkit.errors import MeshError
from orchestrator.domain.events import StateChange
from orchestrator.domain.ledger import Delegate, Do, Finish, Hold
from orchestrator.domain.limits import check_depth
from orchestrator.domain.model import Agent, Run, RunState
from orchestrator.domain.ports import RunEngine
from orchestrator.domain.requests import going_on
from orchestrator.domain.runs import cancelling
from orchestrator.domain.steps import ToolOutcome
from orchestrator.domain.storage import RunStore

__all__ = ["DelegationStore", "Delegations", "delegation", "of_child"]

_PAUSE_SECONDS = 1.0
_BATCH = 100


class DelegationStore(Protocol):
    """The runs that wait for others."""

    async def ready(self, limit: int) -> Sequence[str]:
        """Return runs that wait for nothing any more: all that they asked for has ended."""
        ...

    async def abandoned(self, limit: int) -> Sequence[str]:
        """Return runs that nobody waits for any more: who asked for them has ended."""
        ...

    async def go_on(self, run: str, decide: Callable[[Run], StateChange | None]) -> Run | None:
        """Let a run go on as decided, if it still waits for nothing. Returns it, None if nothing changed."""
        ...


class Delegations:
    """Lets runs go on, and ends those that nobody waits for."""

    def __init__(
        self, store: DelegationStore, runs: RunStore, engine: RunEngine, *, warn: Callable[[str, str, MeshError], None]
    ) -> None:
        """`warn(action, run, error)` logs what is tried again."""
        self._store, self._runs, self._engine, self._warn = store, runs, engine, warn
        self._hint = asyncio.Event()

    def hurry(self) -> None:
        """Look at once: a run has ended."""
        self._hint.set()

    async def keep_going(self) -> None:
        """Look until cancelled. Several processes may do so at once."""
        while True:
            self._hint.clear()
            try:
                count = await self.look()
            except MeshError as error:  # the database is away
                self._warn("delegations_not_looked_at", "", error)
                count = 0
            if count < _BATCH:
                try:
                    await asyncio.wait_for(self._hint.wait(), _PAUSE_SECONDS)
                except TimeoutError:
                    continue

    async def look(self) -> int:
        """Look once. Returns how many runs there were to do something for."""
        ready, abandoned = await self._store.ready(_BATCH), await self._store.abandoned(_BATCH)
        for run in ready:
            gone_on = await self._store.go_on(run, going_on)
            if gone_on is not None and gone_on.state is RunState.QUEUED:
                await self._engine.start(gone_on)
        for run in abandoned:
            await self._runs.transition(run, cancelling)
        return max(len(ready), len(abandoned))


def delegation(run: Run, tool: str, peer: Agent | None, decision: Do) -> Delegate | Finish:
    """Return what becomes of a question to another agent.

    Raises ResourceExhausted (LIMIT_REACHED, `max_depth`).
    """
    try:
        task = json.loads(decision.arguments)["task"]
    except (ValueError, RecursionError, LookupError, TypeError):
        task = None
    if not isinstance(task, str) or not task.strip() or "\0" in task:
        said = ToolOutcome('The arguments must be one JSON object with the text "task".', is_error=True)
        return Finish(said, request=decision.request, stepped=True)
    check_depth(run)
    if peer is None:
        said = ToolOutcome(f"The agent {run.spec.asking[tool]} is not there, or nothing runs it.", is_error=True)
        return Finish(said, request=decision.request, stepped=True)
    return Delegate(peer, task, decision.arguments, decision.request)


def of_child(child: Run) -> Finish | Hold:
    """Return what the other agent's run is to the one who asked for it."""
    match child.state:
        case RunState.SUCCEEDED:
            return Finish(ToolOutcome(child.output))
        case RunState.FAILED:
            reason = child.failure.reason if child.failure else "UNKNOWN"
            return Finish(ToolOutcome(f"The agent {child.agent} failed: {reason}.", is_error=True))
        case RunState.CANCELLED:
            return Finish(ToolOutcome(f"The agent {child.agent} was stopped.", is_error=True))
    return Hold(paused=False)
