"""How many runs this process works on at once: in all, of one tenant, of one tenant's agent, and of the bulk.

What finds no slot waits for one in the order of its coming, and stands in nobody's way but its own tenant's. It counts
what works here, not what the other replicas do.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

__all__ = ["Place", "Shares", "Slots"]


@dataclass(frozen=True, slots=True)
class Place:
    """Whose slot it is."""

    tenant: str
    agent: str
    bulk: bool = False


@dataclass(frozen=True, slots=True)
class Shares:
    """The bounds. A quarter of all is the most that the bulk gets: the rest is always there for what people ask."""

    total: int
    of_tenant: int
    of_agent: int

    @property
    def of_bulk(self) -> int:
        """How many slots the bulk gets, over all tenants."""
        return max(1, self.total // 4)


class Slots:
    """The slots of one process, for one event loop."""

    def __init__(self, shares: Shares) -> None:
        self._shares = shares
        self._held: list[Place] = []  # at most `shares.total`
        self._waiting: list[Place] = []  # bounded by what the engine takes from its queues at once
        self._freed = asyncio.Event()

    def free(self, place: Place) -> bool:
        """Tell whether there is a slot that nobody else of the tenant waits for."""
        return self._fits(place) and all(other.tenant != place.tenant for other in self._waiting)

    @asynccontextmanager
    async def taken(self, place: Place) -> AsyncGenerator[None, None]:
        """Hold a slot inside the block; waits until there is one."""
        self._waiting.append(place)
        try:
            while not self._fits(place):
                await self._freed.wait()
        finally:
            self._waiting.remove(place)
        self._held.append(place)
        try:
            yield
        finally:
            self._held.remove(place)
            self._freed.set()
            self._freed = asyncio.Event()

    def _fits(self, place: Place) -> bool:
        of_tenant = [held for held in self._held if held.tenant == place.tenant]
        of_agent = [held for held in of_tenant if held.agent == place.agent]
        bulk = [held for held in self._held if held.bulk]
        return (
            len(self._held) < self._shares.total
            and len(of_tenant) < self._shares.of_tenant
            and len(of_agent) < self._shares.of_agent
            and not (place.bulk and len(bulk) >= self._shares.of_bulk)
        )
