"""What is older than its tenant wants to keep is deleted, to the day, and nothing else is."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest_asyncio
from agentmesh.memory.v1.document_service_pb2 import ListDocumentsRequest
from agentmesh.memory.v1.interaction_service_pb2 import ListInteractionsRequest
from agentmesh.memory.v1.memory_service_pb2 import ListFactsRequest
from agentmesh.memory.v1.settings_service_pb2 import MemorySettings, UpdateMemorySettingsRequest
from google.protobuf.timestamp_pb2 import Timestamp

from memory_service.stores.retention import Retention
from meshkit.sql.pool import Pool, open_pool
from tests.integration.memory.conftest import Client, Mesh, until


@pytest_asyncio.fixture
async def pool(postgres_url: str) -> AsyncIterator[Pool]:
    async with open_pool(postgres_url, "memory") as opened:
        yield opened


async def wants(client: Client, **days: int) -> None:
    await client.settings.UpdateMemorySettings(UpdateMemorySettingsRequest(settings=MemorySettings(**days)))


async def holds(client: Client) -> tuple[list[str], list[str], list[str]]:
    turns = (await client.turns.ListInteractions(ListInteractionsRequest())).interactions
    facts = (await client.facts.ListFacts(ListFactsRequest())).facts
    papers = (await client.documents.ListDocuments(ListDocumentsRequest())).documents
    return sorted(turn.input for turn in turns), [fact.key for fact in facts], [paper.title for paper in papers]


def timestamp(when: datetime) -> Timestamp:
    time = Timestamp()
    time.FromDatetime(when)
    return time


async def test_each_kind_is_kept_as_long_as_its_tenant_wants(mesh: Mesh, tenant: str, pool: Pool) -> None:
    now = datetime.now(UTC)
    server = await mesh.serve()
    scopes = ("memory.read", "memory.write", "memory_settings.write")
    ada = await mesh.client(server, *scopes, tenant=tenant)
    other = await mesh.client(server, *scopes, tenant=f"{tenant}-other")
    for client in (ada, other):
        await client.say("old harbour", create_time=timestamp(now - timedelta(days=31)), session="s")
        await client.say("young harbour", create_time=timestamp(now - timedelta(days=29)), session="s")
        await client.know("old", "harbour")
        await client.read("harbour", title="Handbook")
        await until(lambda client=client: client.recall("harbour", session="s"), lambda got: not got.degraded)
    asked = 0

    def wake() -> None:
        nonlocal asked
        asked += 1

    retention = Retention(pool, wake=wake, clock=lambda: now)
    await wants(ada, interaction_retention_days=30)
    assert await retention.delete_once() == 1
    assert await retention.delete_once() == 0
    assert await holds(ada) == (["young harbour"], ["old"], ["Handbook"])
    later = Retention(pool, wake=wake, clock=lambda: now + timedelta(days=11, minutes=5))
    await wants(ada, fact_retention_days=12, document_retention_days=11)
    assert await later.delete_once() == 1
    assert await holds(ada) == (["young harbour"], ["old"], [])
    await wants(ada, fact_retention_days=11)
    assert await later.delete_once() == 1
    assert await holds(ada) == (["young harbour"], [], [])
    assert await holds(other) == (["old harbour", "young harbour"], ["old"], ["Handbook"]), "another tenant's stays"
    left = await until(
        lambda: pool.fetchval("SELECT count(*) FROM outbox WHERE tenant = $1", tenant), lambda count: count == 0
    )
    assert left == 0
    found = await ada.recall("harbour", session="s")
    assert {item.interaction.input for item in found.items} == {"young harbour"}, "vectors and cache have followed"
