"""A real vector index behind a door that can be made slow or shut."""

import asyncio
from collections.abc import Collection, Sequence
from typing import Any

from memory_service.domain.model import Place, Source
from memory_service.domain.vectors import Nearest, Point, VectorStore
from meshkit.errors import Unavailable
from tests.integration.memory.conftest import Mesh


class Faulty:
    """A vector index that can be made slow, or to fail, or to hold writes back."""

    def __init__(self, inner: VectorStore) -> None:
        self._inner = inner
        self.delay = 0.0
        self.down = False
        self.attempts = 0

    @property
    def name(self) -> str:
        return self._inner.name

    async def _suffer(self) -> None:
        await asyncio.sleep(self.delay)
        if self.down:
            raise Unavailable("down")

    async def exists(self) -> bool:
        return await self._inner.exists()

    async def reset(self) -> None:
        await self._inner.reset()

    async def drop(self) -> None:
        await self._inner.drop()

    async def ping(self) -> object:
        await self._suffer()
        return await self._inner.ping()

    async def replace(self, sources: Collection[Source], points: Sequence[Point]) -> None:
        self.attempts += 1
        await self._suffer()
        await self._inner.replace(sources, points)

    async def at(self, place: Place) -> Nearest:
        await self._suffer()
        return await self._inner.at(place)


async def faulty(mesh: Mesh) -> tuple[Any, Faulty]:
    made: list[Faulty] = []

    def wrap(inner: VectorStore) -> VectorStore:
        made.append(Faulty(inner))
        return made[-1]

    return await mesh.serve(wrap=wrap), made[0]
