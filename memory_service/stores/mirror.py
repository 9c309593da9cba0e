"""Rows of the owners that are asked about now, kept in this process: what a search compares with, without reading it.

Owns how a kept shard stays as the rows are. Before every use the table is asked what is new, in one statement:

    horizon  no transaction below it is still open: rows written by older ones have all been seen
    mark     changes when a row of the owner was deleted or the table was emptied: then the shard is read anew

So whatever was committed before a search began is found by it, whichever process wrote it. Shards are dropped, the
least used first, when they take more than their share of memory. It knows neither words nor vectors: a shard does.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from memory_service.domain.model import Place
from meshkit.errors import ResourceExhausted
from meshkit.sql.failures import driver_errors
from meshkit.sql.pool import Pool

__all__ = ["Mirror", "Shard"]


class Shard(Protocol):
    """The rows of one kind of one owner, in whatever form is quick to compare. It never changes."""

    @property
    def size(self) -> int:
        """About how many bytes it takes."""


Kept = TypeVar("Kept", bound=Shard)

_MOST_AT_WORK = 1000  # searches that wait for Postgres, those that nobody waits for any more among them


@dataclass(eq=False, slots=True)
class _Entry(Generic[Kept]):
    shard: Kept
    horizon: int = 0
    mark: str = ""
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)


class Mirror(Generic[Kept]):
    """The shards of one table."""

    def __init__(
        self, pool: Pool, statement: str, empty: Kept, add: Callable[[Kept, Any], Kept | None], *, most_bytes: int
    ) -> None:
        """`statement` returns one row for ($1 tenant, $2 user, $3 kind, $4 horizon).

        It has the columns `horizon`, `mark` and `count`, and whatever `add` wants of the rows written at or after the
        horizon. `add` returns the shard with them in it, or None if one that it has is not as it was.
        """
        self._pool, self._statement, self._empty, self._add = pool, statement, empty, add
        self._most_bytes = most_bytes
        self._kept: OrderedDict[tuple[str, str, str], _Entry[Kept]] = OrderedDict()
        self._bytes = 0
        self._at_work: set[asyncio.Task[Kept]] = set()

    async def of(self, place: Place) -> Kept:
        """Return the shard of the place's owner and kind as it is now.

        Raises ResourceExhausted (OVERLOADED) when too many wait, and what Postgres raises.
        """
        if len(self._at_work) >= _MOST_AT_WORK:
            raise ResourceExhausted("too many searches wait for the database", retry_after=1.0)
        key = (place.owner.tenant, place.owner.user, str(place.kind))
        entry = self._kept.get(key)
        if entry is None:
            entry = self._kept[key] = _Entry(self._empty)
            self._bytes += self._empty.size
        self._kept.move_to_end(key)
        # Whoever gives up waiting leaves the work to be done, or the next one would begin it again.
        work = asyncio.create_task(self._refreshed(entry, key))
        self._at_work.add(work)
        work.add_done_callback(self._at_work.discard)
        return await asyncio.shield(work)

    async def _refreshed(self, entry: _Entry[Kept], key: tuple[str, str, str]) -> Kept:
        async with entry.turn:  # two searches of one owner at once read what is new once
            rows = await self._read(key, entry.horizon)
            shard: Kept | None = entry.shard
            if entry.horizon and rows["mark"] != entry.mark:
                shard = None
            elif rows["count"]:
                shard = await asyncio.to_thread(self._add, entry.shard, rows)
            if shard is None:
                rows = await self._read(key, 0)
                shard = await asyncio.to_thread(self._add, self._empty, rows) if rows["count"] else self._empty
            if shard is None:
                raise AssertionError("an empty shard takes any rows")
            if self._kept.get(key) is entry:
                self._bytes += shard.size - entry.shard.size
            entry.shard, entry.horizon, entry.mark = shard, rows["horizon"], rows["mark"]
        self._drop_what_is_too_much()
        return shard

    async def _read(self, key: tuple[str, str, str], horizon: int) -> Any:
        with driver_errors():
            return await self._pool.fetchrow(self._statement, *key, horizon)

    def _drop_what_is_too_much(self) -> None:
        while self._bytes > self._most_bytes and len(self._kept) > 1:
            _, dropped = self._kept.popitem(last=False)
            self._bytes -= dropped.shard.size
