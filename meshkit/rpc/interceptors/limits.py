"""How much one tenant may ask of this process: calls a second, and streams held open at once.

Streams are counted apart from unary calls, so that many open streams never keep a tenant from cancelling one.
"""

import time
from collections import Counter, OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from meshkit import context
from meshkit.config import LimitSettings
from meshkit.errors import ResourceExhausted
from meshkit.rpc.interceptors.chain import Call
from meshkit.rpc.policy import Access

__all__ = ["LimitLayer", "TokenBuckets"]


class TokenBuckets:
    """One bucket of `burst` tokens a key, refilled at `rate` tokens a second."""

    # A key unseen for long has a full bucket anyway: forgetting it loses nothing. Bounds memory to about 1 MiB.
    MAX_KEYS = 10_000

    def __init__(self, rate: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._burst, self._clock = rate, burst, clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, key: str) -> float:
        """Take a token. Returns 0 when there was one, else the seconds until there is."""
        now = self._clock()
        tokens, then = self._buckets.pop(key, (float(self._burst), now))
        tokens = min(self._burst, tokens + (now - then) * self._rate)
        wait = 0.0 if tokens >= 1 else (1 - tokens) / self._rate
        self._buckets[key] = (tokens if wait else tokens - 1, now)
        if len(self._buckets) > self.MAX_KEYS:
            self._buckets.popitem(last=False)
        return wait


class LimitLayer:
    """Refuses what goes beyond a tenant's limits with RATE_LIMITED and the time to wait."""

    def __init__(self, limits: LimitSettings, clock: Callable[[], float] = time.monotonic) -> None:
        self._buckets = TokenBuckets(limits.limit_calls_per_second, limits.limit_calls_burst, clock)
        self._max_streams = limits.limit_streams
        self._streams: Counter[str] = Counter()

    @asynccontextmanager
    async def around(self, call: Call) -> AsyncIterator[None]:
        """Count the call against its tenant, then run the inner layers."""
        caller = context.current()
        # Health is asked by balancers; the mesh's own services are limited where the user's call came in.
        if call.rule.access is Access.OPEN or caller.service is not None:
            yield
            return
        wait = self._buckets.take(caller.tenant)
        if wait:
            raise _refusal("too many calls a second", caller.tenant, wait)
        if not call.rule.stream:
            yield
            return
        if self._streams[caller.tenant] >= self._max_streams:
            raise _refusal(f"{self._max_streams} streams are open already", caller.tenant, 1.0)
        self._streams[caller.tenant] += 1
        try:
            yield
        finally:
            self._streams[caller.tenant] -= 1
            if not self._streams[caller.tenant]:
                del self._streams[caller.tenant]


def _refusal(message: str, tenant: str, wait: float) -> ResourceExhausted:
    return ResourceExhausted(message, reason="RATE_LIMITED", metadata={"subject": f"tenant:{tenant}"}, retry_after=wait)
