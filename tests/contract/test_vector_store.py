"""What every vector index promises, asked of each: in memory, pgvector, and Qdrant in its client's local mode."""

import ast
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import pytest_asyncio
from qdrant_client import AsyncQdrantClient

from memory_service.domain.model import Kind, Owner, Place, Source
from memory_service.domain.vectors import Point, VectorStore
from memory_service.stores.vectors.in_memory import InMemoryVectors
from memory_service.stores.vectors.pgvector import PgVectors, install_pgvector
from memory_service.stores.vectors.qdrant import QdrantVectors
from meshkit.errors import Unavailable
from meshkit.sql.migrations import migrate, read_migrations
from meshkit.sql.pool import Pool, open_pool

ROOT = Path(__file__).resolve().parents[2]
DIMENSION = 8
MIGRATIONS = read_migrations("memory_service.stores.migrations")
ADA, BOB, OTHER = Owner("acme", "ada"), Owner("acme", "bob"), Owner("rival", "ada")

pytestmark = pytest.mark.filterwarnings("ignore:Payload indexes have no effect:UserWarning")


@pytest_asyncio.fixture
async def pool(postgres_url: str) -> AsyncIterator[Pool]:
    async with open_pool(postgres_url, "vector_test") as opened:
        await migrate(opened, "vector_test", MIGRATIONS)
        yield opened
        await opened.execute("DROP SCHEMA vector_test CASCADE")


@pytest_asyncio.fixture(params=["memory", "pgvector", "qdrant"])
async def store(request: pytest.FixtureRequest, postgres_url: str) -> AsyncIterator[VectorStore]:
    async with AsyncExitStack() as stack:
        made: VectorStore
        match request.param:
            case "memory":
                made = InMemoryVectors("Some/Model-v1", DIMENSION)
            case "pgvector":
                pool = await stack.enter_async_context(open_pool(postgres_url, "vector_test"))
                await migrate(pool, "vector_test", MIGRATIONS)
                stack.push_async_callback(pool.execute, "DROP SCHEMA vector_test CASCADE")
                await install_pgvector(pool)
                made = PgVectors(pool, pool, "Some/Model-v1", DIMENSION)
            case _:
                client = AsyncQdrantClient(location=":memory:")
                stack.push_async_callback(client.close)
                made = QdrantVectors(client, "agentmesh", "Some/Model-v1", DIMENSION)
        assert not await made.exists()
        with pytest.raises(Unavailable):
            await (await made.at(Place(ADA, Kind.INTERACTION)))(unit(0), 1)
        await made.reset()
        yield made


def unit(axis: int, *, towards: int | None = None, by: float = 0.0) -> list[float]:
    vector = [0.0] * DIMENSION
    vector[axis] = 1.0
    if towards is not None:
        vector[axis], vector[towards] = (1 - by * by) ** 0.5, by
    return vector


def turn(name: str, owner: Owner = ADA, kind: Kind = Kind.INTERACTION) -> Source:
    return Source(owner, kind, name)


def point(source: Source, vector: list[float], piece: int = 0, session: str = "") -> Point:
    return Point(source, session, piece, vector)


async def put(store: VectorStore, *points: Point) -> None:
    await store.replace({each.source for each in points}, points)


TURNS = Place(ADA, Kind.INTERACTION)


async def test_it_is_there_once_made_and_names_its_model(store: VectorStore) -> None:
    assert await store.exists()
    assert "Some/Model-v1" in store.name
    assert str(DIMENSION) in store.name
    await store.ping()


async def test_the_most_alike_comes_first_with_its_cosine(store: VectorStore) -> None:
    await put(
        store,
        point(turn("int_far"), unit(1)),
        point(turn("int_near"), unit(0, towards=1, by=0.6)),
        point(turn("int_same"), unit(0)),
    )
    found = await (await store.at(TURNS))(unit(0), 2)
    assert list(found) == ["int_same", "int_near"]
    assert found["int_same"] == pytest.approx(1.0, abs=2e-3)
    assert found["int_near"] == pytest.approx(0.8, abs=2e-3)


async def test_a_source_counts_once_by_its_best_piece(store: VectorStore) -> None:
    long = turn("int_long")
    await put(store, point(long, unit(3), 0), point(long, unit(0), 1), point(long, unit(0, towards=1, by=0.1), 2))
    await put(store, point(turn("int_short"), unit(0, towards=1, by=0.6)))
    found = await (await store.at(TURNS))(unit(0), 2)
    assert list(found) == ["int_long", "int_short"]
    assert found["int_long"] == pytest.approx(1.0, abs=2e-3)


async def test_replacing_leaves_nothing_of_what_was(store: VectorStore) -> None:
    await put(store, point(turn("int_a"), unit(0), 0), point(turn("int_a"), unit(1), 1))
    await put(store, point(turn("int_a"), unit(2)))
    assert (await (await store.at(TURNS))(unit(1), 5)) == {"int_a": pytest.approx(0, abs=2e-3)}
    assert (await (await store.at(TURNS))(unit(2), 5)) == {"int_a": pytest.approx(1, abs=2e-3)}
    await store.replace([turn("int_a"), turn("int_never_was")], [])
    assert await (await store.at(TURNS))(unit(2), 5) == {}


async def test_writing_twice_is_writing_once(store: VectorStore) -> None:
    for _ in range(2):
        await put(store, point(turn("int_a"), unit(0)))
    assert len(await (await store.at(TURNS))(unit(0), 5)) == 1


async def test_owners_kinds_and_sessions_never_meet(store: VectorStore) -> None:
    await put(
        store,
        point(turn("int_mine"), unit(0), session="one"),
        point(turn("int_also_mine"), unit(0), session="two"),
        point(turn("int_bobs", BOB), unit(0), session="one"),
        point(turn("int_rivals", OTHER), unit(0), session="one"),
        point(turn("fact_mine", ADA, Kind.FACT), unit(0)),
    )
    assert set(await (await store.at(TURNS))(unit(0), 10)) == {"int_mine", "int_also_mine"}
    await put(store, point(turn("int_mine", BOB), unit(1)), point(turn("int_mine", ADA, Kind.FACT), unit(1)))
    assert (await (await store.at(TURNS))(unit(0), 10))["int_mine"] == pytest.approx(1.0, abs=2e-3), (
        "ids are an owner's"
    )
    await store.replace([turn("int_mine", BOB), turn("int_mine", ADA, Kind.FACT)], [])
    assert set(await (await store.at(TURNS))(unit(0), 10)) == {"int_mine", "int_also_mine"}
    assert set(await (await store.at(Place(ADA, Kind.INTERACTION, "one")))(unit(0), 10)) == {"int_mine"}
    assert set(await (await store.at(Place(ADA, Kind.FACT)))(unit(0), 10)) == {"fact_mine"}
    assert set(await (await store.at(Place(BOB, Kind.INTERACTION)))(unit(0), 10)) == {"int_bobs"}
    assert set(await (await store.at(Place(OTHER, Kind.INTERACTION)))(unit(0), 10)) == {"int_rivals"}
    assert await (await store.at(Place(Owner("acme", "nobody"), Kind.INTERACTION)))(unit(0), 10) == {}


@pytest.mark.parametrize("name", ["a' OR '1'='1", 'x"y', "ünï:çødé", "*", "a\nb", "{}", "%"])
async def test_names_are_data(store: VectorStore, name: str) -> None:
    owner = Owner(name, name)
    await put(store, point(turn("int_a", owner), unit(0)), point(turn("int_b"), unit(0)))
    assert set(await (await store.at(Place(owner, Kind.INTERACTION)))(unit(0), 10)) == {"int_a"}
    assert set(await (await store.at(TURNS))(unit(0), 10)) == {"int_b"}


async def test_resetting_empties_it(store: VectorStore) -> None:
    await put(store, point(turn("int_a"), unit(0)))
    await store.reset()
    assert await (await store.at(TURNS))(unit(0), 5) == {}


async def test_dropping_lets_it_be_gone(store: VectorStore) -> None:
    await put(store, point(turn("int_a"), unit(0)))
    for _ in range(2):
        await store.drop()
        assert not await store.exists()
    with pytest.raises(Unavailable):
        await put(store, point(turn("int_a"), unit(0)))
    with pytest.raises(Unavailable):
        await (await store.at(TURNS))(unit(0), 5)
    await store.reset()
    assert await (await store.at(TURNS))(unit(0), 5) == {}


async def test_nothing_is_left_out_among_many(store: VectorStore) -> None:
    """Exact recall, with a thousand of others around."""
    choose = random.Random(7)

    def any_vector() -> list[float]:
        raw = [choose.gauss(0, 1) for _ in range(DIMENSION)]
        length = sum(number * number for number in raw) ** 0.5
        return [number / length for number in raw]

    mine = {f"int_{number:04}": any_vector() for number in range(200)}
    await put(store, *(point(turn(name), vector) for name, vector in mine.items()))
    await put(store, *(point(turn(f"int_b{number:04}", BOB), any_vector()) for number in range(800)))
    for _ in range(10):
        asked = any_vector()
        nearest = sorted(mine, key=lambda name: -sum(a * b for a, b in zip(asked, mine[name], strict=True)))
        found = await (await store.at(TURNS))(asked, 10)
        assert len(set(found) & set(nearest[:10])) >= 9, "at most one may differ by rounding"


async def test_an_approximate_index_that_somebody_adds_costs_no_recall(pool: Pool) -> None:
    """The planner would walk it over all owners and filter afterwards; the query forbids it."""
    store = PgVectors(pool, pool, "trap", DIMENSION)
    await store.reset()
    await put(store, *(point(turn(f"int_{number:03}"), unit(0, towards=1, by=number / 60)) for number in range(50)))
    crowd = [point(turn(f"int_b{number:04}", BOB), unit(0, towards=2, by=number / 4000)) for number in range(3000)]
    await put(store, *crowd)
    (table,) = [
        row["tablename"] for row in await pool.fetch("SELECT tablename FROM pg_tables WHERE tablename LIKE 'vectors%'")
    ]
    await pool.execute(f"CREATE INDEX ON {table} USING hnsw (embedding halfvec_ip_ops)")
    await pool.execute(f"ANALYZE {table}")
    found = await (await store.at(TURNS))(unit(0), 50)
    assert len(found) == 50


async def test_the_index_of_another_model_is_another(pool: Pool) -> None:
    old, new = PgVectors(pool, pool, "old", DIMENSION), PgVectors(pool, pool, "new", 4)
    await old.reset()
    await put(old, point(turn("int_a"), unit(0)))
    assert not await new.exists()
    await new.reset()
    assert await (await new.at(TURNS))([1, 0, 0, 0], 5) == {}
    assert list(await (await old.at(TURNS))(unit(0), 5)) == ["int_a"]
    await old.drop()
    assert await new.exists()


def test_only_the_adapter_knows_its_engine() -> None:
    """The filter by tenant and user is in one place for each engine, so nothing else may talk to one."""
    package = ROOT / "memory_service"
    adapters = package / "stores" / "vectors"
    for path in package.rglob("*.py"):
        if path.is_relative_to(adapters):
            continue
        text = path.read_text()
        modules = {
            name
            for node in ast.walk(ast.parse(text))
            for name in (
                [alias.name for alias in node.names]
                if isinstance(node, ast.Import)
                else [node.module or ""]
                if isinstance(node, ast.ImportFrom)
                else []
            )
        }
        assert not any(name.split(".")[0] == "qdrant_client" for name in modules), path
        assert "halfvec" not in text, path
        assert "<#>" not in text, path
    searches = (adapters / "pgvector.py").read_text().count("<#>")
    assert searches == 1, "one statement compares vectors, and it has the filter"
    assert (adapters / "qdrant.py").read_text().count("query_filter=models.Filter(must=_within(place))") == 1


async def test_what_is_an_owners_can_be_counted_and_forgotten(store: VectorStore) -> None:
    await put(store, point(turn("int_1"), unit(0)), point(turn("int_1"), unit(1), 1), point(turn("int_2"), unit(1)))
    await put(store, point(turn("fact_1", kind=Kind.FACT), unit(0)))
    await put(store, point(turn("int_3", BOB), unit(0)), point(turn("int_4", OTHER), unit(0)))
    assert [await store.count(owner) for owner in (ADA, BOB, OTHER)] == [4, 1, 1]
    await store.forget(ADA)
    await store.forget(ADA)
    assert [await store.count(owner) for owner in (ADA, BOB, OTHER)] == [0, 1, 1]
    assert await (await store.at(TURNS))(unit(0), 10) == {}
