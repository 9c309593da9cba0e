"""How much of what is nearest each vector index finds, among thousands and behind filters: all of it."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import numpy as np
import pytest
import pytest_asyncio
from qdrant_client import AsyncQdrantClient

from memory_service.domain.model import Kind, Owner, Place, Source
from memory_service.domain.vectors import Point, VectorStore
from memory_service.stores.vectors import kept, pgvector
from memory_service.stores.vectors.pgvector import PgVectors
from memory_service.stores.vectors.qdrant import QdrantVectors
from meshkit.sql.migrations import migrate, read_migrations
from meshkit.sql.pool import Pool, open_pool

DIMENSION = 64
CLUSTERS = 40
MINE, OTHERS, FEW = 2000, 2000, 20
RECALL = 0.99
ADA, CROWD = Owner("acme", "ada"), Owner("acme", "crowd")

pytestmark = pytest.mark.filterwarnings("ignore:Payload indexes have no effect:UserWarning")


def vectors(count: int, seed: int) -> "np.typing.NDArray[np.float32]":
    """Unit vectors in clusters, as texts are: near ones are many, and hard to tell apart."""
    chance = np.random.default_rng(seed)
    centres = np.random.default_rng(0).normal(size=(CLUSTERS, DIMENSION))
    raw = centres[chance.integers(CLUSTERS, size=count)] + 0.4 * chance.normal(size=(count, DIMENSION))
    return (raw / np.linalg.norm(raw, axis=1, keepdims=True)).astype(np.float32)


@pytest_asyncio.fixture
async def pool(postgres_url: str) -> AsyncIterator[Pool]:
    # One connection, whose statistics a test may read.
    async with open_pool(postgres_url, "recall_test", max_size=1) as opened:
        await migrate(opened, "recall_test", read_migrations("memory_service.stores.migrations"))
        yield opened
        await opened.execute("DROP SCHEMA recall_test CASCADE")


@pytest_asyncio.fixture(params=["kept", "overflown", "qdrant"])
async def store(
    request: pytest.FixtureRequest, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[VectorStore]:
    async with AsyncExitStack() as stack:
        made: VectorStore
        if request.param == "qdrant":
            client = AsyncQdrantClient(location=":memory:")
            stack.push_async_callback(client.close)
            made = QdrantVectors(client, "agentmesh", "recall", DIMENSION)
        else:
            if request.param == "overflown":  # an owner with too many for this process is compared with in Postgres
                for module in (kept, pgvector):
                    monkeypatch.setattr(module, "KEPT_ROWS", FEW)
            made = PgVectors(pool, pool, "recall", DIMENSION)
        await made.reset()
        yield made


async def fill(store: VectorStore) -> "np.typing.NDArray[np.float32]":
    """Store what is ada's, every tenth turn in one session, among the same number of somebody else's and facts."""
    mine = vectors(MINE, seed=1)
    rows = [
        (Source(ADA, Kind.INTERACTION, f"int_{number:05}"), "tenth" if number % 10 == 0 else "rest", vector)
        for number, vector in enumerate(mine)
    ]
    for number, vector in enumerate(vectors(OTHERS, seed=2)):
        rows.append((Source(CROWD, Kind.INTERACTION, f"int_b{number:05}"), "tenth", vector))
        if number % 10 == 0:
            rows.append((Source(ADA, Kind.FACT, f"fact_{number:05}"), "", vector))
    for start in range(0, len(rows), 500):
        points = [Point(source, session, 0, vector.tolist()) for source, session, vector in rows[start : start + 500]]
        await store.replace([point.source for point in points], points)
    return mine


@pytest.mark.parametrize("session", ["", "tenth"])
async def test_what_is_nearest_is_found(store: VectorStore, session: str) -> None:
    mine = await fill(store)
    allowed = np.arange(MINE) % (10 if session else 1) == 0
    hits = total = 0
    for asked in vectors(20, seed=3):
        likeness = np.where(allowed, mine @ asked, -2.0)
        nearest = {f"int_{number:05}" for number in np.argsort(-likeness)[:10]}
        found = await (await store.at(Place(ADA, Kind.INTERACTION, session)))(asked.tolist(), 10)
        hits, total = hits + len(nearest & set(found)), total + len(nearest)
    assert hits / total >= RECALL


@pytest.mark.parametrize("rows", [FEW, kept.KEPT_ROWS])
async def test_no_approximate_index_is_ever_walked(pool: Pool, monkeypatch: pytest.MonkeyPatch, rows: int) -> None:
    """Not even one that is there, over all owners: neither for what is kept in the process nor for what is not."""
    for module in (kept, pgvector):
        monkeypatch.setattr(module, "KEPT_ROWS", rows)
    store = PgVectors(pool, pool, "recall", DIMENSION)
    await store.reset()
    await fill(store)
    table = await pool.fetchval("SELECT tablename FROM pg_tables WHERE tablename LIKE 'vectors%'")
    await pool.execute(f"CREATE INDEX trap ON {table} USING hnsw (embedding halfvec_ip_ops)")
    await pool.execute(f"ANALYZE {table}")
    for asked in vectors(10, seed=3):
        assert len(await (await store.at(Place(ADA, Kind.INTERACTION)))(asked.tolist(), 10)) == 10
    assert await _walked(pool) == 0
    nearest = f"SELECT source FROM {table} ORDER BY embedding <#> $1::text::halfvec LIMIT 1"  # as one would write it
    await pool.fetch(nearest, str(vectors(1, seed=3)[0].tolist()))
    assert await _walked(pool) == 1, "it would be seen"


async def _walked(pool: Pool) -> int:
    await pool.execute("SELECT pg_stat_force_next_flush()")
    found: int = await pool.fetchval("SELECT idx_scan FROM pg_stat_user_indexes WHERE indexrelname = 'trap'")
    return found
