"""A process that dies between two changes of its schema: the next one goes on behind the last that was made."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from meshkit.sql.migrations import migrate, read_migrations
from meshkit.sql.pool import open_pool

ROOT = Path(__file__).parents[2]

PROGRAM = """
import asyncio, sys
from meshkit.failpoints import arm
from meshkit.sql.migrations import migrate, read_migrations
from meshkit.sql.pool import open_pool

async def main(url, schema, package):
    async with open_pool(url, schema) as pool:
        await migrate(pool, schema, read_migrations(package))

arm("migrate.between_steps:kill")
asyncio.run(main(*sys.argv[1:]))
"""


async def start(url: str, schema: str, package: str) -> int:
    """Bring the schema up to date in a process of its own; returns how it ended."""
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PROGRAM, url, schema, package, cwd=ROOT, env=environ
    )
    return await process.wait()


@pytest.mark.parametrize(
    ("schema", "package"),
    [("orchestrator", "orchestrator.stores.migrations"), ("memory", "memory_service.stores.migrations")],
)
async def test_a_start_goes_on_where_the_last_one_died(postgres_url: str, schema: str, package: str) -> None:
    migrations = read_migrations(package)
    for _ in migrations:
        assert await start(postgres_url, schema, package) == -signal.SIGKILL
    assert await start(postgres_url, schema, package) == 0
    async with open_pool(postgres_url, schema) as pool:
        numbers = [row["number"] for row in await pool.fetch("select number from migrations order by number")]
        assert numbers == [each.number for each in migrations]
        assert await migrate(pool, schema, migrations) == 0
