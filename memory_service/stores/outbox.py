"""The outbox: what the vector index and the cache have yet to hear of, and the workers that tell them.

Owns claiming, repeating and forgetting. A change is written in the transaction of its row (`rows.must_follow`) and
leaves only when its work is done, so a killed process or a store that is down delays it and never loses it.

    commit ─► wake ─► claim a batch (locked) ─► work ─► forget │ postpone
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import structlog

from memory_service.domain.model import Kind, Owner, Source
from memory_service.domain.vectors import VectorStore
from memory_service.stores.rows import QUERIES
from meshkit.errors import MeshError
from meshkit.failpoints import failpoint
from meshkit.sql.failures import driver_errors
from meshkit.sql.pool import Connection, Pool, transaction

__all__ = ["Change", "Worker", "ensure_index"]

_BATCH = 16  # with 32 pieces each, half of what the embedder takes at once
_BATCH_SECONDS = 20.0  # what takes longer is stuck; below the time limit of a statement
_LOOK_SECONDS = 1.0  # how often a worker looks without being woken: for what was postponed, or left by a killed process
_EVERYTHING_SECONDS = 600.0

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Change:
    """Something that changed, and the session that a turn belongs to."""

    source: Source
    session: str


Work = Callable[[Collection[Change]], Awaitable[Collection[Source]]]
"""Does what must follow the changes; returns the sources that are done. The others come again."""

Prepare = Callable[[], Awaitable[None]]


class Worker:
    """Works off the changes for one target. Several processes may each have one: they share the changes out."""

    def __init__(self, pool: Pool, target: str, work: Work, prepare: Prepare | None = None) -> None:
        """Work for one target; `prepare` is called before every look, and may raise a MeshError: not now."""
        self._pool, self._target, self._work, self._prepare = pool, target, work, prepare
        self._woken = asyncio.Event()
        self._failing = False

    def wake(self) -> None:
        """Say that something was committed."""
        self._woken.set()

    async def keep_working(self) -> None:
        """Work off what is due, again and again, until cancelled."""
        while True:
            self._woken.clear()
            try:
                if self._prepare is not None:
                    await self._prepare()
                while await self.work_once():
                    pass
                self._failing = False
            except MeshError as error:
                if not self._failing:  # once, not every second
                    _log.warning("outbox_waits", target=self._target, reason=error.reason, message=error.message)
                self._failing = True
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_SECONDS):
                    await self._woken.wait()

    async def work_once(self) -> bool:
        """Work off one batch. Returns False if nothing was due."""
        async with transaction(self._pool) as connection:
            rows = await connection.fetch(QUERIES["claim_changes"], self._target, _BATCH)
            if rows:
                await self._follow(connection, rows)
        return bool(rows)

    async def _follow(self, connection: Connection, rows: Collection[Any]) -> None:
        changes = {row["id"]: _change_of(row) for row in rows}
        try:
            async with asyncio.timeout(_BATCH_SECONDS):
                done = set(await self._work(list(changes.values())))
        except Exception as error:  # noqa: BLE001 - whatever it is, the changes wait and the worker lives
            _log.warning("outbox_postponed", target=self._target, changes=len(rows), error=type(error).__name__)
            await connection.execute(QUERIES["postpone_changes"], list(changes))
        else:
            await failpoint("memory.outbox.after_qdrant_before_mark")
            forgotten = [number for number, change in changes.items() if change.source in done]
            await connection.execute(QUERIES["forget_changes"], forgotten)


async def ensure_index(pool: Pool, vectors: VectorStore) -> None:
    """Make the index if it is not there or not the one in use, and put everything into the outbox for it.

    Raises a MeshError when the index or Postgres does not answer; then nothing is lost, and it is tried again.
    """
    with driver_errors():
        if await _is_in_use(pool, vectors):
            return
    async with transaction(pool) as connection:
        await connection.execute(QUERIES["lock_index"])
        if await _is_in_use(connection, vectors):
            return  # another process made it while we waited for the lock
        # Committed before the index is emptied: whoever is killed from here on, the next one starts again.
        async with transaction(pool) as other:
            await other.execute(QUERIES["name_index"], "")
        await vectors.reset()
        done = await connection.execute(QUERIES["index_everything"], timeout=_EVERYTHING_SECONDS)
        await connection.execute(QUERIES["name_index"], vectors.name)
    _log.info("index_made", index=vectors.name, sources=int(done.removeprefix("INSERT 0 ")))


async def _is_in_use(database: Pool | Connection, vectors: VectorStore) -> bool:
    return await database.fetchval(QUERIES["read_index"]) == vectors.name and await vectors.exists()


def _change_of(row: Any) -> Change:
    source = Source(Owner(row["tenant"], row["user_id"]), Kind(row["kind"]), row["source"])
    return Change(source, row["session"])
