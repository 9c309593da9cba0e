"""How streams end when the process goes: with UNAVAILABLE and the reason DRAINING, so that callers resume elsewhere.

Owns the set of open streams. Unary calls are left alone: they end within the grace. Streams of the standard services
(a health watch lasts for ever) are ended with the first ones.
"""

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager

from meshkit.errors import Unavailable
from meshkit.rpc.interceptors.chain import Call
from meshkit.rpc.policy import Access

__all__ = ["DrainLayer"]

_EVERY: frozenset[str] = frozenset({"*"})


class DrainLayer:
    """Ends streams on request."""

    def __init__(self) -> None:
        self._open: dict[asyncio.Timeout, Call] = {}
        self._ends: frozenset[str] | None = None

    def end_streams(self, methods: Collection[str] | None = None) -> None:
        """End the open streams of these methods and refuse new ones; None means every method."""
        self._ends = _EVERY if methods is None else frozenset(methods)
        now = asyncio.get_running_loop().time()
        for limit, call in list(self._open.items()):
            if self._ending(call) and not limit.expired():
                limit.reschedule(now)

    @asynccontextmanager
    async def around(self, call: Call) -> AsyncIterator[None]:
        """Run the inner layers; a stream may be ended from outside."""
        if not call.rule.stream:
            yield
            return
        if self._ending(call):
            raise _draining()
        try:
            async with asyncio.timeout(None) as limit:
                self._open[limit] = call
                try:
                    yield
                finally:
                    del self._open[limit]
        except TimeoutError as error:
            if not limit.expired():
                raise  # the handler's own
            raise _draining() from error

    def _ending(self, call: Call) -> bool:
        if self._ends is None:
            return False
        return self._ends is _EVERY or call.method in self._ends or call.rule.access is not Access.POLICY


def _draining() -> Unavailable:
    return Unavailable("the process is shutting down; call again", reason="DRAINING", retry_after=0.0)
