"""Migrations while the version before works on, and that version on the new schema: expand first, contract later."""

import asyncio

import pytest

from memory_service.adapters.embedding.minilm import MODEL
from meshkit.sql.migrations import migrate, read_migrations
from meshkit.sql.pool import open_pool
from tests.integration.memory.conftest import Mesh, until
from tests.integration.memory.indexes import Database, rows_are_indexed, settled
from tests.integration.memory.version_before import LAST_MIGRATION, VersionBefore

TURNS, FACTS = 2500, 1000
PROCESSES = 4
LONGEST_SECONDS = 2.0


@pytest.mark.usefixtures("patient")
async def test_the_version_before_works_on_while_the_schema_changes_and_afterwards(
    mesh: Mesh, tenant: str, database: Database
) -> None:
    migrations = read_migrations("memory_service.stores.migrations")
    url = mesh.settings["database_url"]
    async with open_pool(url, "memory", max_size=PROCESSES + 1) as pool, open_pool(url, "memory") as other:
        await migrate(other, "memory", migrations[:LAST_MIGRATION])
        before = [VersionBefore(pool, tenant, f"user-{number}") for number in range(PROCESSES)]
        await before[0].seed(TURNS, FACTS)
        for each in before[1:]:
            await each.seed(5, 60)
        stop = asyncio.Event()

        async def keep_working(process: VersionBefore) -> None:
            while not stop.is_set():
                await process.do_everything()

        working = [asyncio.create_task(keep_working(each)) for each in before]
        await asyncio.gather(*(_calls(each, 30) for each in before))
        done = sum(each.calls for each in before)
        assert await migrate(other, "memory", migrations) == len(migrations) - LAST_MIGRATION
        during = sum(each.calls for each in before) - done
        await asyncio.gather(*(_calls(each, each.calls + 60) for each in before))
        stop.set()
        await asyncio.gather(*working)
    longest = max(each.longest for each in before)
    replanned = sum(each.replanned for each in before)
    print(f"{during} calls during the migrations, the longest {longest:.2f} s; {replanned} statements replanned")
    assert longest <= LONGEST_SECONDS
    assert replanned <= 4 * (PROCESSES + 1), "a few for each connection, once"

    server = await mesh.serve()
    await settled(database, f"pgvector/{MODEL}/384", seconds=120)
    assert await rows_are_indexed(database) >= TURNS + FACTS
    ada = await mesh.client(server, tenant=tenant, subject="user-1")
    for turn in (before[1].turns[0], before[1].turns[-1]):
        answer = await ada.recall(turn)
        assert turn in {item.interaction.id for item in answer.items}
        assert not answer.degraded


async def _calls(process: VersionBefore, count: int) -> None:
    await until(lambda: asyncio.sleep(0, process.calls), lambda calls: calls >= count, seconds=60)
