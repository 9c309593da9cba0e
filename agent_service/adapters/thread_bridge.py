"""A bridge from the threads of a framework that blocks to the service's event loop.

Owns what a run has under way over it. Once it is shut, everything under way is cancelled and nothing more begins: each
waiting thread is told by an error, so a framework that cannot be cancelled comes to its end by itself.
"""

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import CancelledError, Future
from typing import Any, TypeVar

__all__ = ["BridgeShutError", "ThreadBridge"]

T = TypeVar("T")


class BridgeShutError(Exception):
    """The run is over. An ordinary exception: as a cancellation it would be taken for one of the thread's own loop."""


class ThreadBridge:
    """Carries the calls of one run."""

    def __init__(self) -> None:
        """Lead to the running loop."""
        self._loop = asyncio.get_running_loop()
        self._lock = threading.Lock()
        self._under_way: set[Future[Any]] = set()
        self._is_shut = False

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        """Do the work on the loop while this thread waits. Raises what it raises, and BridgeShutError."""
        with self._lock:
            if self._is_shut:
                work.close()
                raise BridgeShutError
            future = asyncio.run_coroutine_threadsafe(work, self._loop)
            self._under_way.add(future)
        try:
            return future.result()
        except CancelledError:
            raise BridgeShutError from None
        finally:
            with self._lock:
                self._under_way.discard(future)

    def shut(self) -> None:
        """Cancel what is under way and refuse the rest."""
        with self._lock:
            self._is_shut = True
            under_way = list(self._under_way)
        for future in under_way:
            future.cancel()
