"""Migrations on a real Postgres: order, lock, checksum, failure."""

import asyncio
import time

import asyncpg
import pytest

from meshkit.sql.migrations import Migration, MigrationError, migrate
from meshkit.sql.pool import Pool, open_pool

FIRST = Migration(1, "first", "CREATE TABLE things (id int PRIMARY KEY, body jsonb); CREATE TABLE others (id int);")
SECOND = Migration(2, "second", "ALTER TABLE things ADD COLUMN name text NOT NULL DEFAULT ''")


async def test_missing_files_are_applied_in_order_and_once(pool: Pool, schema: str) -> None:
    assert await migrate(pool, schema, [FIRST]) == 1
    assert await migrate(pool, schema, [FIRST, SECOND]) == 1
    assert await migrate(pool, schema, [FIRST, SECOND]) == 0
    await pool.execute("INSERT INTO things (id, body, name) VALUES (1, $1, 'x')", {"a": [1, None]})
    assert await pool.fetchval("SELECT body FROM things") == {"a": [1, None]}
    assert await pool.fetchval("SELECT count(*) FROM pg_tables WHERE schemaname = $1", schema) == 3


async def test_a_schema_that_does_not_exist_is_made(postgres_url: str, pool: Pool, schema: str) -> None:
    async with open_pool(postgres_url, f"{schema}_x") as other:
        assert await migrate(other, f"{schema}_x", [FIRST]) == 1
        assert await other.fetchval("SELECT current_schema()") == f"{schema}_x"
        await other.execute(f'DROP SCHEMA "{schema}_x" CASCADE')


async def test_processes_that_start_together_apply_each_file_once(postgres_url: str, pool: Pool, schema: str) -> None:
    async with open_pool(postgres_url, schema) as a, open_pool(postgres_url, schema) as b:
        counts = await asyncio.gather(*(migrate(each, schema, [FIRST, SECOND]) for each in (a, b, pool)))
    assert sorted(counts) == [0, 0, 2]


async def test_a_changed_file_is_refused(pool: Pool, schema: str) -> None:
    await migrate(pool, schema, [FIRST])
    with pytest.raises(MigrationError, match="0001_first was changed"):
        await migrate(pool, schema, [Migration(1, "first", FIRST.sql + " ")])


async def test_a_database_ahead_of_the_code_is_accepted(pool: Pool, schema: str) -> None:
    await migrate(pool, schema, [FIRST, SECOND])
    assert await migrate(pool, schema, [FIRST]) == 0


async def test_a_failing_file_leaves_nothing_and_frees_the_lock(pool: Pool, schema: str) -> None:
    broken = Migration(2, "broken", "CREATE TABLE half (id int); SELECT nonsense")
    with pytest.raises(asyncpg.UndefinedColumnError):
        await migrate(pool, schema, [FIRST, broken])
    assert await pool.fetchval("SELECT to_regclass('half')") is None
    assert await asyncio.wait_for(migrate(pool, schema, [FIRST, SECOND]), 5) == 1


async def test_whoever_waits_for_a_lock_lets_others_pass(pool: Pool, schema: str) -> None:
    await migrate(pool, schema, [FIRST])
    async with pool.acquire() as reader:
        reading = reader.transaction()
        await reading.start()
        await reader.fetch("SELECT * FROM things")
        migrating = asyncio.create_task(migrate(pool, schema, [FIRST, SECOND]))
        longest = 0.0
        for number in range(30):  # writers come while the reader keeps the table, and the migration wants it
            began = time.monotonic()
            await pool.execute("INSERT INTO things (id) VALUES ($1)", number)
            longest = max(longest, time.monotonic() - began)
            await asyncio.sleep(0.05)
        assert not migrating.done()
        await reading.rollback()
        assert await asyncio.wait_for(migrating, 10) == 1
    assert 0.1 < longest < 1.5, "they waited for the migration, and not for the reader"
    assert await pool.fetchval("SELECT count(*) FROM things WHERE name = ''") == 30
