"""Following a run: its events after a sequence, then what comes, without loss, repetition or reordering.

Pull-based: a subscriber takes its next page when it has sent the last one, from the tail that this process holds or
from Postgres. So a slow subscriber holds one page, whatever the run produces.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing

from meshkit.context import CallContext
from meshkit.errors import NotFound, OutOfRange
from orchestrator.domain.events import Gap, Heartbeat, StoredEvent
from orchestrator.domain.feed import Feed, Watch
from orchestrator.domain.storage import RunStore
from orchestrator.domain.viewing import Viewer

__all__ = ["Followed", "Following"]

HEARTBEAT_SECONDS = 10.0
_PAGE_EVENTS = 256

Followed = StoredEvent | Gap | Heartbeat

Cancel = Callable[[CallContext, str], Awaitable[object]]


class Following:
    """Lets callers follow runs."""

    def __init__(
        self,
        runs: RunStore,
        feed: Feed,
        *,
        leaving: Callable[[], bool] = lambda: False,
        heartbeat: float = HEARTBEAT_SECONDS,
    ) -> None:
        """Send a heartbeat after `heartbeat` quiet seconds; `leaving` tells whether this process is shutting down."""
        self._runs, self._feed, self._leaving, self._heartbeat = runs, feed, leaving, heartbeat
        self._cancelling: set[asyncio.Task[object]] = set()  # one a call that is being left

    async def follow(self, viewer: Viewer, run_id: str, after: int) -> AsyncGenerator[Followed, None]:
        """Yield the events after a sequence until the run is terminal.

        Raises NotFound, and OutOfRange (SEQUENCE_IN_FUTURE) for a sequence that the run has not reached.
        """
        with self._feed.watch(viewer.tenant, run_id) as watch:
            run = await self._runs.get(viewer, run_id)  # after the watch began, so that nothing falls between
            watch.announce(run.last_sequence, run.state)
            if after > run.last_sequence:
                raise OutOfRange(f"the run's newest sequence is {run.last_sequence}")
            if after + 1 < run.oldest_sequence:
                yield Gap(run_id, run.oldest_sequence)
                after = run.oldest_sequence - 1
            while True:
                page = watch.after(after) or await self._runs.events(run_id, after, _PAGE_EVENTS)
                for event in page:
                    yield event
                    after = event.sequence
                if not page and after < watch.sequence:
                    # Announced but not there: pruned or deleted in the meantime.
                    run = await self._runs.get(viewer, run_id)
                    yield Gap(run_id, run.oldest_sequence)
                    after = max(after, run.oldest_sequence - 1)
                if after >= watch.sequence and watch.state.terminal:
                    return
                if after >= watch.sequence and not await self._news(watch, after):
                    yield Heartbeat(run_id)

    async def attend(self, caller: CallContext, run_id: str, cancel: Cancel | None) -> AsyncGenerator[Followed, None]:
        """Follow a run from its beginning; `cancel` it when the caller leaves before its end.

        A caller whose stream ends because this process is shutting down has not left: it goes on elsewhere.
        """
        try:
            async with aclosing(self.follow(Viewer.of(caller), run_id, 0)) as events:
                async for event in events:
                    yield event
        except (GeneratorExit, asyncio.CancelledError):
            if cancel and not self._leaving():
                task: asyncio.Task[object] = asyncio.create_task(_run(cancel(caller, run_id)))
                self._cancelling.add(task)  # the event loop alone would not keep it
                task.add_done_callback(self._cancelling.discard)
            raise

    async def _news(self, watch: Watch, after: int) -> bool:
        news = await watch.beyond(after, self._heartbeat)
        if watch.gone:
            raise NotFound("no such run")
        return news


async def _run(work: Awaitable[object]) -> object:
    return await work
