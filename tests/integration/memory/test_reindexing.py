"""Another model, or another engine: its index is built beside the one in use, and nobody notices but by the answers."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from agentmesh.memory.v1.memory_service_pb2 import DeleteFactRequest
from qdrant_client import AsyncQdrantClient

from memory_service.adapters.embedding.minilm import MODEL
from tests.fakes.embedding_server import EmbeddingServer, embedding_server
from tests.integration.memory.conftest import Client, Mesh, until
from tests.integration.memory.indexes import Database, in_use, rows_are_indexed, settled, tables

pytestmark = pytest.mark.usefixtures("patient")

OFFLINE = f"pgvector/{MODEL}/384"
TURNS = 60


@pytest_asyncio.fixture
async def endpoint() -> AsyncIterator[EmbeddingServer]:
    async with embedding_server() as server:
        yield server


def served_by(endpoint: EmbeddingServer, model: str) -> dict[str, str]:
    return {"embeddings_url": endpoint.url, "embeddings_model": model}


async def asked(endpoint: EmbeddingServer, model: str) -> None:
    """Wait until the model was given more than the one text that tells its dimension."""
    await until(lambda: asyncio.sleep(0, endpoint.texts[model]), lambda count: count > 1)


async def talk(ada: Client, turns: int = TURNS) -> None:
    await asyncio.gather(*(ada.say(f"My kitten ate {number} herrings") for number in range(turns)))


async def test_searches_go_on_while_another_model_reads_everything(
    mesh: Mesh, tenant: str, database: Database, endpoint: EmbeddingServer
) -> None:
    server = await mesh.serve()
    ada = await mesh.client(server, tenant=tenant)
    await talk(ada)
    gone = await ada.know("pet", "a young cat")
    await settled(database, OFFLINE)
    await server.stop()
    endpoint.hold = asyncio.Event()
    ada = await mesh.client(await mesh.serve(**served_by(endpoint, "words-48")), tenant=tenant)
    await asked(endpoint, "words-48")
    for number in range(10):
        answer = await ada.recall("pussycats", semantic_limit=50)
        assert answer.items, "the offline model knows what a pussycat is"
        assert not answer.degraded
        await ada.say(f"My kitten drank {number} bowls")
    await ada.facts.DeleteFact(DeleteFactRequest(fact=gone.id))
    endpoint.hold.set()
    endpoint.hold = None
    answers = 0
    while await database.fetchval("SELECT name FROM memory.vector_index") == OFFLINE:
        assert not (await ada.recall("herrings")).degraded
        answers += 1
    assert answers > 1
    assert not (await ada.recall("herrings")).degraded, "at once after the switch"
    await settled(database, "pgvector/words-48/48")
    assert await rows_are_indexed(database) == TURNS + 10


async def test_old_and_new_processes_side_by_side(
    mesh: Mesh, tenant: str, database: Database, endpoint: EmbeddingServer, capsys: pytest.CaptureFixture[str]
) -> None:
    old = await mesh.client(await mesh.serve(), tenant=tenant)
    await talk(old)
    await settled(database, OFFLINE)
    capsys.readouterr()
    new, other = [
        await mesh.client(await mesh.serve(**served_by(endpoint, "words-40")), tenant=tenant) for _ in range(2)
    ]
    name = "pgvector/words-40/40"
    switched = asyncio.create_task(in_use(database, name))

    async def keep_writing(client: Client, key: str) -> None:
        while not switched.done():
            fact = await client.know(key, "a young cat")
            await client.say("One more herring")
            assert not (await new.recall("herrings")).degraded
            await client.facts.DeleteFact(DeleteFactRequest(fact=fact.id))

    await asyncio.gather(keep_writing(old, "pet"), keep_writing(other, "animal"))
    await switched
    # The old one has not got the model: it says so, answers by words, and does not ask for its own index again.
    answer = await until(lambda: old.recall("herrings"), lambda answer: bool(answer.degraded))
    assert answer.items
    await old.say("The last herring")
    await settled(database, name)
    assert await rows_are_indexed(database) > TURNS
    assert not (await new.recall("herrings")).degraded
    assert capsys.readouterr().out.count("index_of_another_model") == 1


async def test_the_process_that_started_last_decides(
    mesh: Mesh, tenant: str, database: Database, endpoint: EmbeddingServer
) -> None:
    first = await mesh.client(await mesh.serve(), tenant=tenant)
    await talk(first, 5)
    await settled(database, OFFLINE)
    endpoint.hold = asyncio.Event()
    await mesh.serve(**served_by(endpoint, "words-32"))
    await asked(endpoint, "words-32")
    assert len(await tables(database)) == 2
    await mesh.serve()
    await settled(database, OFFLINE)
    assert not (await first.recall("herrings")).degraded
    await rows_are_indexed(database)


async def test_without_the_old_model_words_answer_until_the_new_index_is_there(
    mesh: Mesh, tenant: str, database: Database, endpoint: EmbeddingServer
) -> None:
    server = await mesh.serve(**served_by(endpoint, "words-24"))
    await talk(await mesh.client(server, tenant=tenant), 5)
    await settled(database, "pgvector/words-24/24")
    await server.stop()
    endpoint.gone.add("words-24")
    endpoint.hold = asyncio.Event()
    ada = await mesh.client(await mesh.serve(**served_by(endpoint, "words-28")), tenant=tenant)
    answer = await ada.recall("herrings")
    assert answer.degraded
    assert answer.items
    endpoint.hold.set()
    await settled(database, "pgvector/words-28/28")
    assert not (await ada.recall("herrings")).degraded
    await rows_are_indexed(database)


async def test_an_index_that_is_gone_is_built_anew(mesh: Mesh, tenant: str, database: Database) -> None:
    ada = await mesh.client(await mesh.serve(), tenant=tenant)
    await talk(ada, 5)
    await settled(database, OFFLINE)
    (table,) = await tables(database)
    await database.execute(f"DROP TABLE memory.{table}")
    assert (await ada.recall("herrings")).degraded
    await until(lambda: ada.recall("herrings"), lambda answer: not answer.degraded)
    await settled(database, OFFLINE)
    await rows_are_indexed(database)


@pytest.mark.filterwarnings("ignore:Payload indexes have no effect:UserWarning")
async def test_from_pgvector_to_qdrant_and_back(
    mesh: Mesh, tenant: str, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No server can be had here: the client's own local engine stands for it."""
    server = await mesh.serve()
    await talk(await mesh.client(server, tenant=tenant), 20)
    await settled(database, OFFLINE)
    await server.stop()
    qdrant = AsyncQdrantClient(location=":memory:")
    monkeypatch.setattr("memory_service.engines.connect_qdrant", lambda url, key: qdrant)
    server = await mesh.serve(qdrant_url="http://qdrant.test")
    ada = await mesh.client(server, tenant=tenant)
    while await database.fetchval("SELECT name FROM memory.vector_index") == OFFLINE:
        assert not (await ada.recall("pussycats")).degraded
    await settled(database, f"qdrant/{MODEL}/384")
    assert await tables(database) == []
    (collection,) = (await qdrant.get_collections()).collections
    stored = {row["source"] for row in await database.fetch("SELECT source FROM memory.passage")}
    points, _ = await qdrant.scroll(collection.name, limit=10_000)
    assert {(point.payload or {})["source"] for point in points} == stored
    answer = await ada.recall("pussycats")
    assert answer.items
    assert not answer.degraded
    await server.stop()
    ada = await mesh.client(await mesh.serve(), tenant=tenant)
    await until(lambda: ada.recall("pussycats"), lambda answer: not answer.degraded, seconds=30)
    await rows_are_indexed(database)
    assert await database.fetchval("SELECT retired FROM memory.vector_index") == [f"qdrant/{MODEL}/384"]
