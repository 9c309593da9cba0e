"""The bridge between a blocking framework's threads and the loop: it carries, and it ends."""

import asyncio

import pytest

from agent_service.adapters.thread_bridge import BridgeShutError, ThreadBridge


async def double(number: int) -> int:
    await asyncio.sleep(0)
    return 2 * number


async def test_a_thread_gets_what_the_loop_brings() -> None:
    bridge = ThreadBridge()
    assert await asyncio.to_thread(lambda: bridge.call(double(21))) == 42


async def test_a_thread_gets_the_error_of_what_it_asked_for() -> None:
    async def fail() -> None:
        raise LookupError("nothing there")

    bridge = ThreadBridge()
    with pytest.raises(LookupError, match="nothing there"):
        await asyncio.to_thread(lambda: bridge.call(fail()))


async def test_shutting_it_cancels_what_is_under_way_and_frees_every_thread() -> None:
    begun, cancelled = asyncio.Semaphore(0), []

    async def stay(number: int) -> None:
        begun.release()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.append(number)

    bridge = ThreadBridge()
    threads = [asyncio.create_task(asyncio.to_thread(lambda each=each: bridge.call(stay(each)))) for each in range(2)]
    for _ in threads:
        await begun.acquire()
    bridge.shut()
    for ended in await asyncio.gather(*threads, return_exceptions=True):
        assert isinstance(ended, BridgeShutError)
    assert sorted(cancelled) == [0, 1]


async def test_nothing_begins_on_a_bridge_that_is_shut() -> None:
    bridge = ThreadBridge()
    bridge.shut()
    bridge.shut()
    work = double(1)
    with pytest.raises(BridgeShutError):
        await asyncio.to_thread(lambda: bridge.call(work))
    assert work.cr_frame is None  # closed: it would warn that nobody waited for it
