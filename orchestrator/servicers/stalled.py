"""A subscriber that does not read: its stream is ended, with the words to come back.

The time counts while a message waits for the transport. Nothing is buffered for a slow reader beyond HTTP/2's window,
but its stream holds a slot and memory of this process.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TypeVar

from meshkit.errors import ResourceExhausted

__all__ = ["PATIENCE_SECONDS", "ending_stalled"]

PATIENCE_SECONDS = 30.0

Item = TypeVar("Item")


async def ending_stalled(
    items: AsyncGenerator[Item, None], patience: float = PATIENCE_SECONDS
) -> AsyncGenerator[Item, None]:
    """Yield the items; raise ResourceExhausted (SUBSCRIBER_TOO_SLOW) when one is not taken for `patience` seconds.

    The writer waits outside of this generator, in the same task. So the task is cancelled, and when the cancellation
    closes the generator, it is replaced by the error.
    """
    task = asyncio.current_task()
    assert task is not None
    loop = asyncio.get_running_loop()
    stalled = False

    def give_up() -> None:
        nonlocal stalled
        stalled = True
        task.cancel()

    async with aclosing(items) as open_items:
        async for item in open_items:
            timer = loop.call_later(patience, give_up)
            try:
                yield item
            except GeneratorExit:
                if not stalled:
                    raise
                task.uncancel()
                message = f"no event was taken for {patience:g} s; subscribe again after the last one received"
                raise ResourceExhausted(message, reason="SUBSCRIBER_TOO_SLOW", retry_after=0.0) from None
            finally:
                timer.cancel()
