"""The part of one process in the vector indexes: it searches the one in use, and helps to build the one that is wanted.

Owns the look at the state, once a second and after every step, and who does what:

    retired ─► drop        building ─► fill ─► (workers) ─► switch        in use, but gone ─► build anew

Any number of processes do this at once; `registry` lets each step be taken once.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import structlog

from memory_service.domain.indexes import Engines, Index, IndexState
from memory_service.domain.vectors import VectorStore
from memory_service.stores.registry import IndexRegistry
from meshkit.errors import MeshError, Unavailable

__all__ = ["PostgresIndexes"]

_LOOK_SECONDS = 1.0
_PROGRESS_SECONDS = 5.0
_MOST_COUNTED = 1_000_000
_log = structlog.get_logger(__name__)

Answer = TypeVar("Answer")


class PostgresIndexes:
    """`domain.indexes.Indexes`, with the state in Postgres."""

    def __init__(self, registry: IndexRegistry, engines: Engines) -> None:
        self._registry, self._engines = registry, engines
        self._state = IndexState()
        self._opened: dict[str, Index | None] = {}
        self._told = 0.0
        self._failing = False

    async def want(self) -> None:
        """Say once, at start, which index is wanted. Raises Unavailable: not now."""
        self._see(await self._registry.change(lambda state: state.wanting(self._engines.wanted)))

    async def ask(self, question: Callable[[Index], Awaitable[Answer]]) -> Answer:
        """See `Indexes.ask`."""
        asked = self._state.in_use
        try:
            return await question(self._in_use())
        except MeshError:
            self._see(await self._registry.read())
            if self._state.in_use == asked:
                raise
            return await question(self._in_use())

    def index(self, name: str) -> Index | None:
        """Return the index of this name, if this process can work with it."""
        if name not in self._opened:
            self._opened[name] = self._engines.index(name) if name else None
        return self._opened[name]

    def target_in_use(self) -> str:
        """Return the target of the changes for the index in use; empty if there are none for this process."""
        return self._state.in_use if self.index(self._state.in_use) else ""

    def target_building(self) -> str:
        """Return the target of the changes for the index being built, likewise."""
        return self._state.building if self._state.filled and self.index(self._state.building) else ""

    async def everywhere(self) -> Sequence[VectorStore]:
        """Return every engine that holds vectors: in use, being built or to be dropped. Raises Unavailable.

        Also for one that this process cannot open: then nobody may say that something is gone.
        """
        state = await self._registry.read()
        names = {name for name in (state.in_use, state.building, *state.retired) if name}
        found = [self._engines.vectors(name) for name in sorted(names)]
        if None in found:
            raise _not_ours()
        return [vectors for vectors in found if vectors is not None and await vectors.exists()]

    def leads(self, name: str) -> bool:
        """Tell whether this is the index in use, or the only one there is."""
        return name == (self._state.in_use or self._state.building)

    async def ping(self) -> object:
        """Return if the index in use, or else the one being built, can be asked."""
        index = self.index(self._state.in_use or self._state.building)
        if index is None:
            raise _not_ours()
        return await index.vectors.ping()

    async def keep_building(self) -> None:
        """Take the next step, again and again, until cancelled."""
        while True:
            try:
                while await self._step():
                    pass
                self._failing = False
            except MeshError as error:
                if not self._failing:  # once, not every second
                    _log.warning("indexes_wait", reason=error.reason, message=error.message)
                self._failing = True
            await asyncio.sleep(_LOOK_SECONDS)

    async def _step(self) -> bool:
        """Take a step. Returns whether there may be another at once."""
        state = await self._registry.read()
        self._see(state)
        if state.in_use:
            await self._registry.adopt_changes(state.in_use)
        if state.building:
            if await self._build(state):
                return True
        elif (index := self.index(state.in_use)) and not await index.vectors.exists():
            _log.warning("index_lost", index=state.in_use)
            await self._registry.change(lambda now: now.lost() if now.in_use == state.in_use else now)
            return True
        for name in state.retired:
            if await self._registry.forget(name, self._engines.vectors(name)):
                _log.info("index_dropped", index=name)
        return False

    async def _build(self, state: IndexState) -> bool:
        if (index := self.index(state.building)) is None:
            return False  # a process that has its model builds it
        if not state.filled or not await index.vectors.exists():
            if not await self._registry.fill(index.vectors):
                return False
            _log.info("index_filled", index=state.building)
        elif await self._registry.switch(state.building):
            _log.info("index_in_use", index=state.building, instead=state.in_use)
        else:
            await self._tell(state.building)
            return False
        return True

    async def _tell(self, name: str) -> None:
        if time.monotonic() - self._told >= _PROGRESS_SECONDS:
            self._told = time.monotonic()
            _log.info("index_progress", index=name, left=await self._registry.left(name, _MOST_COUNTED))

    def _see(self, state: IndexState) -> None:
        old, self._state = self._state, state
        if state.in_use != old.in_use and state.in_use and self.index(state.in_use) is None:
            _log.warning("index_of_another_model: search is by words only", index=state.in_use, building=state.building)
        known = {state.in_use, state.building}
        self._opened = {name: index for name, index in self._opened.items() if name in known}

    def _in_use(self) -> Index:
        if (index := self.index(self._state.in_use)) is None:
            raise _not_ours() if self._state.in_use else Unavailable("the vector index is being made")
        return index


def _not_ours() -> Unavailable:
    return Unavailable("this process has not got the model or the engine of the vector index in use")
