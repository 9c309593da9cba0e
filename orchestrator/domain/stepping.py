"""What callers may read of a run's ledger: its steps, page by page."""

from collections.abc import Sequence
from typing import Protocol

from meshkit.context import CallContext
from meshkit.paging import Page, PageQuery
from orchestrator.domain.steps import Step
from orchestrator.domain.storage import RunStore
from orchestrator.domain.viewing import Viewer

__all__ = ["StepStore", "Stepping"]


class StepStore(Protocol):
    """The steps of runs, as they are read."""

    async def list(self, run: str, after: int, limit: int, *, full: bool) -> tuple[Sequence[Step], bool]:
        """Return the steps with numbers above `after`, in order, and whether more follow.

        Arguments and outcomes come with `full` only: then at most 2 MiB of them, but always one step.
        """
        ...


class Stepping:
    """The verb on steps."""

    def __init__(self, store: StepStore, runs: RunStore) -> None:
        self._store, self._runs = store, runs

    async def list(self, caller: CallContext, run: str, size: int, token: str, *, full: bool) -> Page[Step]:
        """Return a page of the run's steps in the order in which they first began. Raises NotFound."""
        await self._runs.get(Viewer.of(caller), run)
        pages = PageQuery("ListSteps", caller.tenant, {"run": run})
        cursor = pages.cursor(token, int)
        steps, more = await self._store.list(run, int(cursor[0]) if cursor else 0, size, full=full)
        return Page(list(steps), pages.token((steps[-1].number,)) if more else "")
