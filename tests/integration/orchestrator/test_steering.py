"""What is said to runs: kept once, told, and bounded."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from meshkit.errors import FailedPrecondition, InvalidArgument, NotFound, ResourceExhausted
from orchestrator.domain.model import RunState
from tests.integration.orchestrator.desk import ADA, BOB, OFFICE, STRANGER, Desk, desk, key


@pytest_asyncio.fixture
async def front(postgres_url: str, redis_url: str) -> AsyncIterator[Desk]:
    async with desk(postgres_url, redis_url) as opened:
        yield opened


async def said(front: Desk, run: str) -> list[tuple[int, str, str, int | None]]:
    rows = await front.stores.pool.fetch("select * from steering where run = $1 order by number", run)
    return [(row["number"], row["text"], row["user_id"], row["step"]) for row in rows]


async def test_what_is_said_is_kept_for_the_next_request_and_told(front: Desk) -> None:
    run = await front.stores.running()
    with front.stores.feed.watch(run.tenant, run.id) as watch:
        after = await front.steering.steer(ADA, key(ADA, "SteerRun"), run.id, "be brief")
        assert watch.sequence == after.last_sequence == run.last_sequence + 1
    await front.steering.steer(OFFICE, key(OFFICE, "SteerRun"), run.id, "and kind")
    assert await said(front, run.id) == [(1, "be brief", "ada", None), (2, "and kind", "office", None)]
    told = [event.steered for event in (await front.told(run.id))[-2:]]
    assert [(each.text, each.user) for each in told] == [("be brief", "ada"), ("and kind", "office")]
    assert after.state is RunState.RUNNING


async def test_the_same_request_is_said_once(front: Desk) -> None:
    run = await front.stores.running()
    same = key(ADA, "SteerRun", "again", b"be brief")
    for _ in range(3):
        await front.steering.steer(ADA, same, run.id, "be brief")
    assert len(await said(front, run.id)) == 1
    with pytest.raises(InvalidArgument) as reused:
        await front.steering.steer(ADA, key(ADA, "SteerRun", "again", b"other"), run.id, "other")
    assert reused.value.reason == "REQUEST_ID_REUSED"


async def test_what_is_said_at_once_has_an_order(front: Desk) -> None:
    run = await front.stores.running()
    await asyncio.gather(*(front.steering.steer(ADA, key(ADA, "SteerRun"), run.id, f"{place}") for place in range(10)))
    kept = await said(front, run.id)
    assert [number for number, *_ in kept] == list(range(1, 11))
    assert [text for _, text, *_ in kept] == [event.steered.text for event in (await front.told(run.id))[-10:]]


async def test_a_hundred_are_the_most(front: Desk) -> None:
    run = await front.stores.running()
    await front.stores.pool.execute(
        "insert into steering (run, number, text, user_id, create_time)"
        " select $1, n, 'x', 'ada', now() from generate_series(1, 99) as n",
        run.id,
    )
    await front.steering.steer(ADA, key(ADA, "SteerRun"), run.id, "the last")
    with pytest.raises(ResourceExhausted) as full:
        await front.steering.steer(ADA, key(ADA, "SteerRun"), run.id, "one more")
    assert full.value.reason == "LIMIT_REACHED"
    assert full.value.metadata == {"limit": "steering", "value": "100"}


@pytest.mark.parametrize("caller", [BOB, STRANGER])
async def test_nobody_speaks_to_a_run_that_they_do_not_see(front: Desk, caller: Any) -> None:
    run = await front.stores.running()
    with pytest.raises(NotFound):
        await front.steering.steer(caller, key(caller, "SteerRun"), run.id, "hello")
    assert await said(front, run.id) == []


async def test_nothing_is_said_to_a_run_that_has_ended(front: Desk) -> None:
    run = await front.stores.running()
    await front.stores.end(run)
    with pytest.raises(FailedPrecondition) as ended:
        await front.steering.steer(ADA, key(ADA, "SteerRun"), run.id, "too late")
    assert ended.value.reason == "STATE_CONFLICT"
    assert await said(front, run.id) == []


@pytest.mark.parametrize("state", [RunState.PAUSED, RunState.WAITING])
async def test_a_run_that_rests_is_spoken_to(front: Desk, state: RunState) -> None:
    run = await front.waiting() if state is RunState.WAITING else await front.pausing()
    after = await front.steering.steer(ADA, key(ADA, "SteerRun"), run.id, "hello")
    assert after.state is state
    assert len(await said(front, run.id)) == 1
