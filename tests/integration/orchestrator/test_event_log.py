"""The event log: no hole, no repetition, nothing of a fenced attempt, nothing after the end, nothing lost."""

import asyncio
import random
import uuid

import asyncpg
import pytest
from agentmesh.orchestrator.v1 import run_event_pb2

from orchestrator.domain.events import StoredEvent
from orchestrator.domain.following import Following
from orchestrator.domain.model import Run, RunState
from orchestrator.domain.ports import SupersededError
from orchestrator.stores import event_log
from orchestrator.stores.event_log import _Entry
from tests.integration.orchestrator.conftest import ADA, Stores, replica


def body(text: str) -> bytes:
    return run_event_pb2.RunEvent(token_delta={"text": text}).SerializeToString()


async def stored(stores: Stores, run: str) -> list[StoredEvent]:
    return list(await stores.runs.events(run, 0, 100_000))


async def test_fifty_runs_at_once_with_subscribers_that_join_anywhere(
    stores: Stores, postgres_url: str, redis_url: str
) -> None:
    """Half of the subscribers are on another replica."""
    random_ = random.Random(7)

    async def produce(run: Run) -> None:
        pen = stores.log.pen(run)
        for place in range(40):
            if place % 3:
                await pen.say("a", f"step-{place // 10}", f"{place} ", thought=False)
            else:
                await pen.write(body(str(place)))
            await asyncio.sleep(random_.random() * 0.02)
        await pen.settled()
        await stores.end(run)

    async def consume(at: Stores, run: str) -> list[StoredEvent]:
        await asyncio.sleep(random_.random() * 0.6)
        after, seen = random_.randrange(3), []
        seen = [event async for event in Following(at.runs, at.feed).follow(ADA, run, after)]
        events = [event for event in seen if isinstance(event, StoredEvent)]
        assert [event.sequence for event in events] == list(range(after + 1, after + 1 + len(events)))
        return [*(await stored(stores, run))[:after], *events]

    async with replica(postgres_url, redis_url) as other:
        runs = [await stores.running() for _ in range(50)]
        consumers = [asyncio.create_task(consume(at, run.id)) for run in runs for at in (stores, other, stores)]
        await asyncio.gather(*(produce(run) for run in runs))
        async with asyncio.timeout(8):  # below the heartbeat, which would hide a lost wake-up
            received = await asyncio.gather(*consumers)
    for place, run in enumerate(runs):
        truth = await stored(stores, run.id)
        assert [event.sequence for event in truth] == list(range(1, len(truth) + 1))
        for seen in received[place * 3 : place * 3 + 3]:
            assert seen == truth
        final = await stores.runs.get(ADA, run.id)
        assert final.last_sequence == len(truth)


async def test_an_older_attempt_is_refused(stores: Stores) -> None:
    run = await stores.running()
    old = stores.log.pen(run)
    await old.write(body("old"))
    await old.settled()
    current = stores.log.pen(await stores.begin(run.id))
    await old.write(body("zombie"))
    with pytest.raises(SupersededError):
        await old.settled()
    with pytest.raises(SupersededError):
        await old.say("a", "model-1", "zombie", thought=False)
    await current.write(body("new"))
    await current.settled()
    texts = [run_event_pb2.RunEvent.FromString(event.body).token_delta.text for event in await stored(stores, run.id)]
    assert texts == ["", "", "old", "", "new"]


@pytest.mark.parametrize("state", [RunState.SUCCEEDED, RunState.CANCELLED])
async def test_nothing_follows_the_end(stores: Stores, state: RunState) -> None:
    run = await stores.running()
    pen = stores.log.pen(run)
    await stores.end(run, state)
    await pen.write(body("late"))
    with pytest.raises(SupersededError):
        await pen.settled()
    assert len(await stored(stores, run.id)) == 3
    assert await stores.end(run) is None


async def test_two_attempts_in_one_commit_are_told_apart(stores: Stores) -> None:
    run = await stores.running()
    old = stores.log.pen(run)
    new = stores.log.pen(await stores.begin(run.id))
    await asyncio.gather(old.write(body("zombie")), new.write(body("new")))
    await new.settled()
    with pytest.raises(SupersededError):
        await old.settled()
    assert [event.sequence for event in await stored(stores, run.id)] == [1, 2, 3, 4]


async def test_a_commit_whose_answer_was_lost_is_not_done_twice(stores: Stores) -> None:
    run = await stores.running()
    pen = stores.log.pen(run)
    group = [_Entry(pen, body(str(place))) for place in range(3)]
    batch = uuid.uuid4().hex
    first = await stores.log.store(batch, group)
    again = await stores.log.store(batch, group)
    assert first.keys() == again.keys() == {(run.id, run.attempt)}
    assert len(await stored(stores, run.id)) == 5


async def test_what_was_handed_over_survives_lost_connections(stores: Stores, postgres_url: str) -> None:
    run = await stores.running()
    pen = stores.log.pen(run)
    enemy = await asyncpg.connect(postgres_url)
    kill = "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'agentmesh-orchestrator'"
    try:
        for place in range(200):
            await pen.write(body(str(place)))
            if place % 40 == 20:
                await enemy.execute(kill)
            await asyncio.sleep(0.003)
        async with asyncio.timeout(10):
            await pen.settled()
    finally:
        await enemy.close()
    events = await stored(stores, run.id)
    texts = [run_event_pb2.RunEvent.FromString(event.body).token_delta.text for event in events[2:]]
    assert texts == [str(place) for place in range(200)]


async def test_a_full_log_makes_writers_wait(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_log, "_MAX_WAITING_EVENTS", 10)
    run = await stores.running()
    pen = stores.log.pen(run)
    most = 0
    for place in range(100):
        await pen.write(body(str(place)))
        most = max(most, pen.waiting)
    await pen.settled()
    assert most <= 20  # what waits, and what is being committed
    assert len(await stored(stores, run.id)) == 102
