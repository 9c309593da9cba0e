"""The feed: what watchers hear, in whatever order it is announced."""

import asyncio
from datetime import UTC, datetime

from orchestrator.domain.events import StoredEvent
from orchestrator.domain.feed import Feed
from orchestrator.domain.model import RunState

RUNNING, SUCCEEDED = RunState.RUNNING, RunState.SUCCEEDED


def events(first: int, last: int, size: int = 1) -> list[StoredEvent]:
    return [StoredEvent("run_1", place, datetime.now(UTC), b"x" * size) for place in range(first, last + 1)]


async def test_a_watcher_is_woken_by_what_is_new() -> None:
    feed = Feed()
    with feed.watch("acme", "run_1") as watch:
        waiting = asyncio.create_task(watch.beyond(2, 5))
        await asyncio.sleep(0)
        feed.announce("acme", "run_1", 2, RUNNING)
        await asyncio.sleep(0)
        assert not waiting.done()
        feed.announce("acme", "run_1", 3, RUNNING)
        assert await waiting
        assert not await watch.beyond(3, 0.01)
    assert not feed.watched()


async def test_the_end_is_news_to_who_has_read_the_last_event_already() -> None:
    feed = Feed()
    with feed.watch("acme", "run_1") as watch:
        feed.announce("acme", "run_1", 3, RUNNING)
        waiting = asyncio.create_task(watch.beyond(4, 5))
        await asyncio.sleep(0)
        feed.announce("acme", "run_1", 4, SUCCEEDED)
        assert await asyncio.wait_for(waiting, 0.5)


async def test_late_and_repeated_announcements_change_nothing() -> None:
    feed = Feed()
    with feed.watch("acme", "run_1") as watch:
        feed.announce("acme", "run_1", 9, SUCCEEDED)
        feed.announce("acme", "run_1", 8, RUNNING)
        assert (watch.sequence, watch.state) == (9, SUCCEEDED)
        await asyncio.wait_for(watch.terminated(), 1)


async def test_the_tail_has_no_hole() -> None:
    feed = Feed()
    with feed.watch("acme", "run_1") as watch:
        feed.announce("acme", "run_1", 3, RUNNING, events(2, 3))
        assert [event.sequence for event in watch.after(1)] == [2, 3]
        assert not watch.after(0)  # the first one is not there: read Postgres
        feed.announce("acme", "run_1", 2, RUNNING, events(2, 2))  # late
        feed.announce("acme", "run_1", 7, RUNNING, events(6, 7))  # another process wrote 4 and 5
        assert not watch.after(3)
        assert [event.sequence for event in watch.after(5)] == [6, 7]


async def test_the_tail_is_bounded() -> None:
    feed = Feed()
    with feed.watch("acme", "run_1") as watch:
        feed.announce("acme", "run_1", 1000, RUNNING, events(1, 1000))
        assert len(watch.after(1000 - 64)) == 64
        assert not watch.after(1000 - 65)
        feed.announce("acme", "run_1", 1010, RUNNING, events(1001, 1010, size=20_000))
        assert len(watch.after(1010 - 3)) == 3
        assert not watch.after(1010 - 4)


async def test_watchers_share_a_run_and_leave_one_by_one() -> None:
    feed = Feed()
    with feed.watch("acme", "run_1") as first:
        with feed.watch("acme", "run_1") as second:
            assert first is second
        assert feed.watched() == [first]
        first.vanish()
        await asyncio.wait_for(first.terminated(), 1)
    assert not feed.watched()
