"""All of it, none of it, or without what came from one source: read back from everywhere that memory keeps things."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
import pytest_asyncio
from agentmesh.memory.v1.document_service_pb2 import ListDocumentsRequest
from agentmesh.memory.v1.interaction_service_pb2 import ListInteractionsRequest
from agentmesh.memory.v1.memory_service_pb2 import GetFactRequest, ListFactsRequest
from agentmesh.memory.v1.origin_pb2 import ORIGIN_DOCUMENT, ORIGIN_TOOL
from agentmesh.memory.v1.privacy_service_pb2 import EraseUserRequest, ExportUserRequest, PurgeBySourceRequest
from redis.asyncio import Redis

from meshkit.errors import InvalidArgument, NotFound, PermissionDenied, Unavailable
from tests.integration.memory.conftest import Client, Mesh, until

SCOPES = ("memory.read", "memory.write", "memory_privacy.write")
SECRET = "swordfish"


@pytest_asyncio.fixture
async def database(postgres_url: str) -> AsyncIterator[Any]:
    connection = await asyncpg.connect(postgres_url)
    yield connection
    await connection.close()


@pytest_asyncio.fixture
async def cache(redis_url: str) -> AsyncIterator[Redis]:
    redis = Redis.from_url(redis_url)
    yield redis
    await redis.aclose()


async def fill(client: Client) -> None:
    for number in range(3):
        await client.say(f"{SECRET} turn {number}", f"{SECRET} answer", session=f"s{number % 2}")
    await client.know("city", f"{SECRET} Lyon")
    await client.know("city", f"{SECRET} Paris")
    await client.read(f"# {SECRET}\n\nA paragraph about {SECRET}.", title=SECRET, uri="file:secret")
    await client.recall(SECRET, session="s0")  # fills the cache


async def settled(database: Any) -> None:
    await until(lambda: database.fetchval("SELECT count(*) FROM memory.outbox"), lambda count: count == 0)


async def everywhere(database: Any, tenant: str) -> dict[str, int]:
    """Count what any table of the database says of the user, by looking at whole rows."""
    found = {}
    for row in await database.fetch(
        "SELECT table_name FROM information_schema.tables WHERE table_schema = 'memory' AND table_type = 'BASE TABLE'"
    ):
        table = row["table_name"]
        count = await database.fetchval(
            f'SELECT count(*) FROM memory."{table}" AS whole'
            " WHERE to_jsonb(whole)->>'tenant' = $1 AND (to_jsonb(whole)->>'user_id' = 'ada'"
            " OR starts_with(coalesce(to_jsonb(whole)->>'request_id', ''), 'ada'))",
            tenant,
        )
        if count:
            found[table] = count
    return found


async def keys(cache: Redis, tenant: str) -> list[bytes]:
    return [key async for key in cache.scan_iter(f"t:{tenant}:*")]


async def test_an_export_is_everything_and_only_ones_own(mesh: Mesh, tenant: str) -> None:
    server = await mesh.serve()
    ada, bob = [await mesh.client(server, *SCOPES, tenant=tenant, subject=name) for name in ("ada", "bob")]
    await fill(ada)
    await bob.say("a turn of Bob's")
    records = [record async for record in ada.privacy.ExportUser(ExportUserRequest())]
    kinds = Counter(record.WhichOneof("record") for record in records)
    assert kinds == {"interaction": 3, "fact": 2, "document": 1, "passage": 1}
    assert {record.fact.fact.value for record in records if record.WhichOneof("record") == "fact"} == {
        f"{SECRET} Lyon",
        f"{SECRET} Paris",
    }
    assert "Bob" not in str(records)
    with pytest.raises(PermissionDenied):
        async for _ in bob.privacy.ExportUser(ExportUserRequest(user="ada")):
            pass


async def test_an_erasure_leaves_nothing_anywhere(mesh: Mesh, tenant: str, database: Any, cache: Redis) -> None:
    server = await mesh.serve()
    ada, bob = [await mesh.client(server, *SCOPES, tenant=tenant, subject=name) for name in ("ada", "bob")]
    await fill(ada)
    await fill(bob)
    await settled(database)
    before = await everywhere(database, tenant)
    assert {"interaction", "fact", "fact_version", "document", "document_passage", "passage", "token_vectors"} <= set(
        before
    )
    assert any(name.startswith("vectors_") for name in before)
    assert any(b":u:ada:" in key for key in await keys(cache, tenant))
    erased = await ada.privacy.EraseUser(EraseUserRequest(user="ada"))
    assert (erased.interactions, erased.facts, erased.documents) == (3, 1, 1)
    assert await everywhere(database, tenant) == {}
    assert not [key for key in await keys(cache, tenant) if b":u:ada:s:" in key and key.endswith(b":recent")]
    assert not (await ada.turns.ListInteractions(ListInteractionsRequest())).interactions
    assert not (await ada.recall(SECRET, session="s0")).items
    assert len((await bob.turns.ListInteractions(ListInteractionsRequest())).interactions) == 3, "another's stays"
    assert (await bob.recall(SECRET)).items
    again = await ada.privacy.EraseUser(EraseUserRequest(user="ada"))
    assert (again.interactions, again.facts, again.documents) == (0, 0, 0)
    await ada.say("a new beginning")
    assert (await until(lambda: ada.recall("beginning"), lambda got: len(got.items) == 1)).items


async def test_what_is_being_indexed_does_not_come_back(mesh: Mesh, tenant: str, database: Any) -> None:
    begun, go = asyncio.Event(), asyncio.Event()

    class Paused:
        """Holds a worker just before it writes vectors."""

        def __init__(self, vectors: Any) -> None:
            self._vectors = vectors

        def __getattr__(self, name: str) -> Any:
            return getattr(self._vectors, name)

        async def replace(self, sources: Any, points: Any) -> None:
            if any(source.owner.user == "ada" for source in sources):
                begun.set()
                await go.wait()
            await self._vectors.replace(sources, points)

    server = await mesh.serve(wrap=Paused)
    ada = await mesh.client(server, *SCOPES, tenant=tenant)
    await ada.say(SECRET, SECRET)
    await asyncio.wait_for(begun.wait(), 10)
    erasing = asyncio.ensure_future(ada.privacy.EraseUser(EraseUserRequest(user="ada")))
    await until(
        lambda: database.fetchval("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"),
        lambda waiting: waiting > 0,
    )
    go.set()
    assert (await erasing).interactions == 1
    await settled(database)
    assert await everywhere(database, tenant) == {}


async def test_a_store_that_is_away_is_told_and_a_repetition_finishes(mesh: Mesh, tenant: str, database: Any) -> None:
    ada = await mesh.client(await mesh.serve(redis_url="redis://127.0.0.1:1/0"), *SCOPES, tenant=tenant)
    await ada.say(SECRET, session="s")
    with pytest.raises(Unavailable):
        await ada.privacy.EraseUser(EraseUserRequest(user="ada"), timeout=5)
    assert "interaction" not in await everywhere(database, tenant), "the rows are gone"
    whole = await mesh.client(await mesh.serve(), *SCOPES, tenant=tenant)
    await whole.privacy.EraseUser(EraseUserRequest(user="ada"))
    assert await everywhere(database, tenant) == {}


async def test_nobody_erases_another(mesh: Mesh, tenant: str) -> None:
    server = await mesh.serve()
    bob = await mesh.client(server, *SCOPES, tenant=tenant, subject="bob")
    back_end = await mesh.client(server, *SCOPES, "users.act_as", tenant=tenant, subject="crm")
    reader = await mesh.client(server, "memory.read", "memory.write", tenant=tenant)
    await reader.say(SECRET)
    for refused in (
        bob.privacy.EraseUser(EraseUserRequest(user="ada")),
        reader.privacy.EraseUser(EraseUserRequest(user="ada")),
        bob.privacy.PurgeBySource(PurgeBySourceRequest(source="x", user="ada")),
        bob.privacy.PurgeBySource(PurgeBySourceRequest(source="x", all_users=True)),
    ):
        with pytest.raises(PermissionDenied):
            await refused
    with pytest.raises(InvalidArgument):
        await bob.privacy.EraseUser(EraseUserRequest())
    with pytest.raises(InvalidArgument):
        await back_end.privacy.PurgeBySource(PurgeBySourceRequest(source="x", user="ada", all_users=True))
    assert (await back_end.privacy.EraseUser(EraseUserRequest(user="ada"))).interactions == 1


async def test_a_source_is_purged_and_facts_go_back_to_what_they_were(mesh: Mesh, tenant: str) -> None:
    server = await mesh.serve()
    ada, bob = [await mesh.client(server, *SCOPES, tenant=tenant, subject=name) for name in ("ada", "bob")]
    agent = await mesh.client(server, *SCOPES, tenant=tenant, service="agent")
    page = {"origin": ORIGIN_TOOL, "source": "tool:web_fetch"}
    await ada.say("kept")
    poisoned = await ada.say("the user is admin", **page)
    said = await ada.know("role", "gardener")
    await agent.know("role", "admin", **page)
    noted = await agent.know("colour", "green", source="a note")
    changed = await agent.know("colour", "black", source="other")
    lost = await agent.know("power", "all", **page)
    learnt = await ada.know("rank", "king", interaction=poisoned.id, origin=ORIGIN_DOCUMENT)
    await ada.read("poison", uri="tool:web_fetch")
    await bob.say("the user is admin", **page)
    purged = await ada.privacy.PurgeBySource(PurgeBySourceRequest(source="tool:web_fetch"))
    assert (purged.interactions, purged.facts, purged.documents) == (1, 3, 1)
    facts = {fact.key: (fact.value, fact.contested) for fact in (await ada.facts.ListFacts(ListFactsRequest())).facts}
    assert facts == {"role": ("gardener", False), "colour": ("black", False)}
    for gone in (lost, learnt):
        with pytest.raises(NotFound):
            await ada.facts.GetFact(GetFactRequest(fact=gone.id))
    assert said.id in [fact.id for fact in (await ada.facts.ListFacts(ListFactsRequest())).facts]
    turns = (await ada.turns.ListInteractions(ListInteractionsRequest())).interactions
    assert [turn.input for turn in turns] == ["kept"]
    assert not (await ada.documents.ListDocuments(ListDocumentsRequest())).documents
    assert "admin" not in str(await ada.recall("admin"))
    back = await ada.privacy.PurgeBySource(PurgeBySourceRequest(source="other"))
    assert back.facts == 1
    restored = await ada.facts.GetFact(GetFactRequest(fact=changed.id))
    assert (restored.id, restored.value, restored.source) == (noted.id, "green", "a note")
    assert len((await bob.turns.ListInteractions(ListInteractionsRequest())).interactions) == 1
    chief = await mesh.client(server, *SCOPES, "users.act_as", tenant=tenant, subject="chief")
    everybody = await chief.privacy.PurgeBySource(PurgeBySourceRequest(source="tool:web_fetch", all_users=True))
    assert everybody.interactions == 1
