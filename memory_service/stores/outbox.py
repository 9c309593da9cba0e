"""The outbox: what vector indexes and the cache have yet to hear of, and the workers that tell them.

Owns claiming, repeating and forgetting. A change is written in the transaction of its row (`rows.must_follow`) and
leaves only when its work is done, so a killed process or a store that is down delays it and never loses it.

    commit ─► wake ─► claim a batch (locked) ─► work ─► forget │ postpone
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import structlog

from memory_service.domain.model import Kind, Owner, Source
from memory_service.stores.rows import QUERIES
from meshkit.errors import MeshError
from meshkit.failpoints import failpoint
from meshkit.sql.pool import Connection, Pool, transaction

__all__ = ["Change", "Target", "Worker"]

_BATCH = 16  # with 32 pieces each, half of what the embedder takes at once
_BATCH_SECONDS = 20.0  # what takes longer is stuck; below the time limit of a statement
_LOOK_SECONDS = 1.0  # how often a worker looks without being woken: for what was postponed, or left by a killed process

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Change:
    """Something that changed, the session that a turn belongs to, and who is to hear of it."""

    source: Source
    session: str
    target: str


Work = Callable[[Collection[Change]], Awaitable[Collection[Source]]]
"""Does what must follow the changes; returns the sources that are done. The others come again."""

Target = Callable[[], str]
"""Returns whose changes to work off at the moment; an empty one: nobody's."""


class Worker:
    """Works off the changes for one target at a time. Several processes may each have one: they share them out."""

    def __init__(self, pool: Pool, target: str | Target, work: Work) -> None:
        self._pool, self._work = pool, work
        self._target: Target = (lambda: target) if isinstance(target, str) else target
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
                while await self.work_once():
                    pass
                self._failing = False
            except MeshError as error:
                if not self._failing:  # once, not every second
                    _log.warning("outbox_waits", target=self._target(), reason=error.reason, message=error.message)
                self._failing = True
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_SECONDS):
                    await self._woken.wait()

    async def work_once(self) -> bool:
        """Work off one batch. Returns False if nothing was due."""
        target = self._target()
        if not target:
            return False
        async with transaction(self._pool) as connection:
            rows = await connection.fetch(QUERIES["claim_changes"], target, _BATCH)
            if rows:
                await self._follow(connection, rows)
        return bool(rows)

    async def _follow(self, connection: Connection, rows: Sequence[Any]) -> None:
        changes = {row["id"]: _change_of(row) for row in rows}
        try:
            async with asyncio.timeout(_BATCH_SECONDS):
                done = set(await self._work(list(changes.values())))
        except Exception as error:  # noqa: BLE001 - whatever it is, the changes wait and the worker lives
            _log.warning("outbox_postponed", target=rows[0]["target"], changes=len(rows), error=type(error).__name__)
            await connection.execute(QUERIES["postpone_changes"], list(changes))
        else:
            await failpoint("memory.outbox.after_qdrant_before_mark")
            forgotten = [number for number, change in changes.items() if change.source in done]
            await connection.execute(QUERIES["forget_changes"], forgotten)


def _change_of(row: Any) -> Change:
    source = Source(Owner(row["tenant"], row["user_id"]), Kind(row["kind"]), row["source"])
    return Change(source, row["session"], row["target"])
