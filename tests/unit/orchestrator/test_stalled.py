"""A writer that stands still ends the stream with the right words; any other ending stays what it is."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest

from meshkit.errors import ResourceExhausted
from orchestrator.servicers.stalled import ending_stalled


async def numbers(closed: list[bool]) -> AsyncGenerator[int, None]:
    try:
        for number in range(3):
            yield number
    finally:
        closed.append(True)


async def test_a_stalled_writer_is_told() -> None:
    closed: list[bool] = []

    async def write() -> None:
        async with aclosing(ending_stalled(numbers(closed), 0.02)) as items:
            async for _ in items:
                await asyncio.Event().wait()

    with pytest.raises(ResourceExhausted) as ended:
        await asyncio.wait_for(write(), 2)
    assert ended.value.reason == "SUBSCRIBER_TOO_SLOW"
    assert closed == [True]
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_a_cancelled_writer_stays_cancelled() -> None:
    closed: list[bool] = []
    writing = asyncio.Event()

    async def write() -> None:
        async with aclosing(ending_stalled(numbers(closed), 60)) as items:
            async for _ in items:
                writing.set()
                await asyncio.Event().wait()

    task = asyncio.create_task(write())
    await writing.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert closed == [True]


async def test_a_quick_writer_gets_everything() -> None:
    closed: list[bool] = []
    assert [number async for number in ending_stalled(numbers(closed), 60)] == [0, 1, 2]
    assert closed == [True]
