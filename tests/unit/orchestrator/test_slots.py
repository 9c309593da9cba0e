"""Slots: the bounds hold, the bulk leaves room, and nobody waits for another tenant's bound."""

import asyncio
from contextlib import AsyncExitStack

import pytest

from orchestrator.domain.slots import Place, Shares, Slots

CHAT, BULK = Place("acme", "assistant"), Place("acme", "assistant", bulk=True)


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def hold(slots: Slots, place: Place, begun: list[Place], until: asyncio.Event) -> None:
    async with slots.taken(place):
        begun.append(place)
        await until.wait()


@pytest.mark.parametrize(
    ("shares", "same", "other"),
    [
        (Shares(3, 9, 9), CHAT, None),
        (Shares(9, 3, 9), CHAT, Place("other", "assistant")),
        (Shares(9, 9, 3), CHAT, Place("acme", "coding")),
        (Shares(12, 9, 9), BULK, CHAT),
    ],
)
async def test_each_bound_holds_and_hinders_nobody_else(shares: Shares, same: Place, other: Place | None) -> None:
    slots, begun, over = Slots(shares), list[Place](), asyncio.Event()
    tasks = [asyncio.create_task(hold(slots, same, begun, over)) for _ in range(5)]
    await settle()
    assert begun == [same] * 3
    assert not slots.free(same)
    if other is not None:
        tasks.append(asyncio.create_task(hold(slots, other, begun, over)))
        await settle()
        assert begun[3:] == [other]
    over.set()
    await asyncio.gather(*tasks)
    assert begun.count(same) == 5
    assert slots.free(same)


async def test_who_waits_is_not_overtaken_by_its_own_tenant() -> None:
    slots, begun, over = Slots(Shares(9, 9, 1)), list[Place](), asyncio.Event()
    tasks = [asyncio.create_task(hold(slots, CHAT, begun, over)) for _ in range(2)]
    await settle()
    assert not slots.free(Place("acme", "coding"))  # it goes through the queue, behind the one that waits
    assert slots.free(Place("other", "assistant"))
    over.set()
    await asyncio.gather(*tasks)


async def test_one_that_gives_up_waiting_leaves_nothing_behind() -> None:
    slots = Slots(Shares(1, 1, 1))
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(slots.taken(CHAT))
        waiting = asyncio.create_task(hold(slots, CHAT, [], asyncio.Event()))
        await settle()
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
    assert slots.free(CHAT)


async def test_a_slot_is_given_back_by_a_run_that_breaks() -> None:
    slots = Slots(Shares(1, 1, 1))

    async def broken() -> None:
        async with slots.taken(CHAT):
            raise ValueError

    with pytest.raises(ValueError, match=r"^$"):
        await broken()
    assert slots.free(CHAT)


@pytest.mark.parametrize(("total", "bulk"), [(1, 1), (3, 1), (8, 2), (64, 16)])
def test_the_bulk_gets_a_quarter(total: int, bulk: int) -> None:
    assert Shares(total, 1, 1).of_bulk == bulk
