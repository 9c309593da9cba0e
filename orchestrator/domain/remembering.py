"""Giving memory the turns of runs: before the run ends if memory takes them at once, else later, until it does.

    answer ─► one short try ─► stored:      SUCCEEDED
                            └► not stored:  SUCCEEDED, and so noted on the run ─► swept by any replica until stored

The short try comes before the end, so that who sees the end and asks again at once is remembered. Nothing tells of a
turn that is stored later: the run has ended, and nothing follows an end.
"""

import asyncio
from collections.abc import Callable, Sequence

from meshkit.errors import MeshError
from orchestrator.domain.model import Run
from orchestrator.domain.ports import Memory
from orchestrator.domain.specs import MemoryPolicy
from orchestrator.domain.storage import RunStore

__all__ = ["Remembering"]

_FIRST_TRY_SECONDS = 1.5  # people wait for the end of the run
_TRY_SECONDS = 4.0  # less than the store's shortest pause between two tries of one run
_BATCH = 20  # at once, over all tenants: memory that comes back must not be run over
_PAUSE_SECONDS = 1.0


class Remembering:
    """Stores turns in memory, once each."""

    def __init__(self, runs: RunStore, memory: Memory, *, warn: Callable[[str, str, MeshError], None]) -> None:
        """`warn(action, run, error)` logs what is tried again."""
        self._runs, self._memory, self._warn = runs, memory, warn

    async def stored(self, run: Run, output: str) -> bool:
        """Try once, briefly. Returns False if the turn is to be stored later."""
        if run.spec.memory is not MemoryPolicy.READ_WRITE or run.parent:  # what agents ask each other is no talk
            return True
        return await self._try(run, output, _FIRST_TRY_SECONDS) is None

    async def keep_catching_up(self) -> None:
        """Store what memory did not take before, until cancelled. Several processes may do so at once."""
        while True:
            try:
                done, due = await self.catch_up()
            except MeshError as error:  # the database is away
                self._warn("turns_wait", "", error)
                done = due = 0
            if done < due or due < _BATCH:
                await asyncio.sleep(_PAUSE_SECONDS)

    async def catch_up(self) -> tuple[int, int]:
        """Try a batch of what is due. Returns how many turns were stored, of how many."""
        due: Sequence[Run] = await self._runs.to_remember(_BATCH)
        stored = await asyncio.gather(*(self._catch_up(run) for run in due))
        return sum(stored), len(due)

    async def _catch_up(self, run: Run) -> bool:
        if await self._try(run, run.output, _TRY_SECONDS) is not None:
            return False
        await self._runs.remembered(run.id)
        return True

    async def _try(self, run: Run, output: str, seconds: float) -> MeshError | None:
        try:
            await self._memory.remember(run, output, seconds)
        except MeshError as error:
            self._warn("turn_not_stored", run.id, error)
            return error
        return None
