"""Endless loops beside the calls: how they are started, watched and ended."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import structlog

__all__ = ["running"]

_AGAIN_SECONDS = 0.1
_log = structlog.get_logger(__name__)


@asynccontextmanager
async def running(*loops: Coroutine[Any, Any, None]) -> AsyncIterator[list["asyncio.Task[None]"]]:
    """Run loops in the background until the block is left; gives their tasks."""
    tasks = [asyncio.create_task(_survive(loop)) for loop in loops]
    try:
        yield tasks
    finally:
        waiting = set(tasks)
        while waiting:
            for task in waiting:
                task.cancel()
            # Again and again: the Redis client loses a cancellation that meets an answer.
            _, waiting = await asyncio.wait(waiting, timeout=_AGAIN_SECONDS)


async def _survive(loop: Coroutine[Any, Any, None]) -> None:
    """Tell of a loop that breaks: it handles what it expects, so this is a defect, and must not be silent."""
    try:
        await loop
    except Exception:
        _log.exception("background_loop_broke", loop=str(loop))
        raise
