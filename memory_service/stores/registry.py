"""The state of the vector indexes in Postgres, and the steps that change it. Any process may die within any step.

Owns the locks. `_changing` holds up every writer for a moment: afterwards, every change that is committed is in the
outbox of each index that the new state names. `_building` lets one process at a time fill or drop an index; what a
killed one left half done is done again by the next.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from memory_service.domain.indexes import IndexState
from memory_service.domain.vectors import VectorStore
from memory_service.stores.rows import QUERIES
from meshkit.failpoints import failpoint
from meshkit.sql.failures import driver_errors
from meshkit.sql.pool import Connection, Pool, transaction

__all__ = ["CAUGHT_UP", "IndexRegistry"]

CAUGHT_UP = 16
"""An index whose outbox holds no more is as far as the one in use: under load, no outbox is ever seen empty."""
_EVERYTHING_SECONDS = 600.0


class IndexRegistry:
    """The one row that tells which indexes there are. Every method raises Unavailable: not now."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def read(self) -> IndexState:
        """Return the state."""
        with driver_errors():
            return await _read(self._pool)

    async def change(self, step: Callable[[IndexState], IndexState]) -> IndexState:
        """Take a step from the state as it is; returns the new one."""
        async with self._changing() as connection:
            return await _write(connection, step)

    async def fill(self, vectors: VectorStore) -> bool:
        """Make the index that is being built, empty, and put everything into its outbox. False: nothing to do here."""
        async with self._building() as connection:
            if connection is None:
                return False
            state = await _read(connection)
            if state.building != vectors.name or (state.filled and await vectors.exists()):
                return False
            # What a worker writes into it meanwhile may be emptied as well; it is among everything that comes next.
            await vectors.reset()
            await failpoint("memory.index.after_reset_before_fill")
            await connection.execute(QUERIES["index_everything"], vectors.name, timeout=_EVERYTHING_SECONDS)
            await connection.execute(QUERIES["name_filled"], vectors.name)
        return True

    async def switch(self, name: str) -> bool:
        """Let the index take the place of the one in use, if it has caught up. Returns whether it has."""
        if await self.left(name, CAUGHT_UP + 1) > CAUGHT_UP:
            return False
        async with self._changing() as connection:
            state = await _read(connection)
            if state.building != name or not state.filled:
                return False
            await _write(connection, IndexState.caught_up)
        await failpoint("memory.index.after_switch_before_drop")
        return True

    async def forget(self, name: str, vectors: VectorStore | None) -> bool:
        """Drop an index that was retired, with what it has yet to hear of. Returns whether nothing is left of it.

        Without its engine it stays among the retired; only the changes are dropped.
        """
        async with self._building() as connection:
            if connection is None or name not in (await _read(connection)).retired:
                return False
            if vectors is not None:
                await vectors.drop()
            await connection.execute(QUERIES["forget_target"], name)
        # A worker may hold some of its changes: they are dropped the next time, so it stays until then.
        if vectors is None or await self.left(name, 1):
            return False
        await self.change(lambda state: state.dropped(name))
        return True

    async def adopt_changes(self, name: str) -> None:
        """Let the index have the changes that name none."""
        with driver_errors():
            await self._pool.execute(QUERIES["adopt_changes"], name)

    async def left(self, name: str, most: int) -> int:
        """Return how many changes the index has yet to hear of, at most `most`."""
        with driver_errors():
            found: int = await self._pool.fetchval(QUERIES["count_changes"], name, most)
        return found

    @asynccontextmanager
    async def _changing(self) -> AsyncIterator[Connection]:
        async with transaction(self._pool) as connection:
            await connection.execute(QUERIES["lock_indexes"])
            yield connection

    @asynccontextmanager
    async def _building(self) -> AsyncIterator[Connection | None]:
        async with transaction(self._pool) as connection:
            yield connection if await connection.fetchval(QUERIES["lock_builder"]) else None


async def _read(database: Pool | Connection) -> IndexState:
    row = await database.fetchrow(QUERIES["read_indexes"])
    if row is None:
        raise AssertionError("a migration wrote the row")
    return IndexState(row["name"], row["building"], row["filled"], tuple(row["retired"]))


async def _write(connection: Connection, step: Callable[[IndexState], IndexState]) -> IndexState:
    state = await _read(connection)
    new = step(state)
    if new != state:
        values = new.in_use, new.building, new.filled, list(new.retired)
        await connection.execute(QUERIES["write_indexes"], *values)
    return new
