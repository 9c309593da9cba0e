"""Until when: the caller's deadline, and never later than the timeout that the contract gives the method.

Owns the end of every call. The deadline stands in the call's context, from where the channel hands it on to the next
hop; the handler is cancelled when it passes.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace

from meshkit import context
from meshkit.errors import DeadlineExceeded
from meshkit.rpc.interceptors.chain import Call
from meshkit.rpc.policy import Access

__all__ = ["STREAM_SECONDS", "UNARY_SECONDS", "DeadlineLayer"]

UNARY_SECONDS = 60.0
"""The longest a unary call may take whose method has no timeout in the service config."""
STREAM_SECONDS = 3600.0
"""The same for a stream; a subscriber that wants more resumes."""


class DeadlineLayer:
    """Gives every call an end."""

    def __init__(self, timeouts: Mapping[str, float]) -> None:
        """Take the timeouts in seconds by method path, as the service config states them."""
        self._timeouts = timeouts

    @asynccontextmanager
    async def around(self, call: Call) -> AsyncIterator[None]:
        """Refuse a call that comes too late, else run the inner layers until its deadline."""
        if call.rule.access is Access.OPEN:
            yield  # a balancer watches health for as long as it lives
            return
        seconds = self._seconds(call)
        if seconds <= 0:
            raise DeadlineExceeded("the deadline had passed when the call arrived")
        deadline = time.monotonic() + seconds
        try:
            async with asyncio.timeout(seconds) as limit:
                with context.use(replace(context.current(), deadline=deadline)):
                    yield
        except TimeoutError as error:
            if not limit.expired():
                raise  # the handler's own
            raise DeadlineExceeded(f"the call took longer than {seconds:.3g} s") from error

    def _seconds(self, call: Call) -> float:
        longest = self._timeouts.get(call.method, STREAM_SECONDS if call.rule.stream else UNARY_SECONDS)
        sent = call.grpc.time_remaining()
        return longest if sent is None else min(longest, sent)
