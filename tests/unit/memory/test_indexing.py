"""The index follows the rows, also when they change while it is written."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from memory_service.adapters.embedding.hashing import DIMENSION, encode_hashed
from memory_service.domain.indexes import Index
from memory_service.domain.indexing import Indexer
from memory_service.domain.model import Fact, FactCategory, FactOrigin, Interaction, Kind, Owner, Place, Source
from memory_service.stores.vectors.in_memory import InMemoryVectors

ADA = Owner("acme", "ada")
NOW = datetime(2026, 1, 2, tzinfo=UTC)
SOURCE = Source(ADA, Kind.FACT, "fact_1")
PARIS = Fact("fact_1", ADA, "city", "Paris", FactCategory.PROFILE, 0.5, FactOrigin.CLIENT, "", NOW, NOW, "etag_1")
ROME = replace(PARIS, value="Rome", etag="etag_2")


class Hashing:
    model = "builtin/hash-384"
    dimension = DIMENSION

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        return encode_hashed(texts)

    async def close(self) -> None:
        pass


class Rows:
    """Rows that change after each read as a test says."""

    def __init__(self, *states: Mapping[Source, Interaction | Fact]) -> None:
        self._states = list(states)

    async def current(self, sources: Collection[Source]) -> Mapping[Source, Interaction | Fact]:
        return self._states.pop(0) if len(self._states) > 1 else self._states[0]


async def likeness(vectors: InMemoryVectors, text: str) -> float:
    found = await (await vectors.at(Place(ADA, Kind.FACT)))(encode_hashed([text])[0], 1)
    return found.get("fact_1", 0.0)


async def made(*states: Mapping[Source, Interaction | Fact]) -> tuple[Indexer, InMemoryVectors]:
    vectors = InMemoryVectors("hash", DIMENSION)
    await vectors.reset()
    return Indexer(Rows(*states), Index(Hashing(), vectors)), vectors


async def test_a_row_is_indexed_and_done() -> None:
    indexer, vectors = await made({SOURCE: PARIS})
    assert list(await indexer.index([SOURCE, SOURCE])) == [SOURCE]
    assert await likeness(vectors, "city: Paris") > 0.99


async def test_a_row_that_is_gone_is_gone_from_the_index() -> None:
    indexer, vectors = await made({SOURCE: PARIS}, {SOURCE: PARIS}, {})
    await indexer.index([SOURCE])
    assert list(await indexer.index([SOURCE])) == [SOURCE]
    assert await likeness(vectors, "city: Paris") == 0


async def test_a_row_that_changed_meanwhile_comes_again_and_the_last_state_wins() -> None:
    indexer, vectors = await made({SOURCE: PARIS}, {SOURCE: ROME})
    assert not await indexer.index([SOURCE])
    assert list(await indexer.index([SOURCE])) == [SOURCE]
    assert await likeness(vectors, "city: Rome") > 0.99


async def test_a_row_deleted_meanwhile_comes_again() -> None:
    indexer, vectors = await made({SOURCE: PARIS}, {})
    assert not await indexer.index([SOURCE])
    assert list(await indexer.index([SOURCE])) == [SOURCE]
    assert await likeness(vectors, "city: Paris") == 0
