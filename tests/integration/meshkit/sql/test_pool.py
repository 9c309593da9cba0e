"""The pool on a real Postgres: what a lost connection, a late database and a slow one look like."""

# ruff: noqa: PT012 - the block that fails is the one that is left

import asyncio
import socket

import asyncpg
import pytest

from meshkit import errors
from meshkit.sql.failures import driver_errors
from meshkit.sql.pool import Pool, open_pool, ping_of, transaction


async def test_a_lost_connection_is_unavailable_and_the_pool_recovers(postgres_url: str, pool: Pool) -> None:
    async with open_pool(postgres_url, "public", max_size=1) as other:
        with pytest.raises(errors.Unavailable) as caught:
            async with transaction(other) as connection:
                await pool.execute("SELECT pg_terminate_backend($1)", connection.get_server_pid())
                await connection.fetchval("SELECT 1")
        assert caught.value.retry_after == 1.0
        await ping_of(other)()


async def test_a_database_that_is_away_is_unavailable_after_the_patience() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(errors.Unavailable):
        async with open_pool(f"postgresql://mesh:x@127.0.0.1:{port}/mesh", "public", patience=0):
            pass


async def test_a_slow_statement_is_unavailable(postgres_url: str, pool: Pool) -> None:
    connection = await asyncpg.connect(postgres_url)
    try:
        with pytest.raises(errors.Unavailable, match="in time"), driver_errors():
            await connection.execute("SELECT pg_sleep(10)", timeout=0.05)
    finally:
        await connection.close()


async def test_a_violated_constraint_stays_what_it_is(pool: Pool) -> None:
    await pool.execute("CREATE TABLE one (id int PRIMARY KEY)")
    with pytest.raises(asyncpg.UniqueViolationError):
        async with transaction(pool) as connection:
            await connection.execute("INSERT INTO one VALUES (1), (1)")


async def test_closing_does_not_wait_for_ever_for_a_held_connection(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("meshkit.sql.pool._CLOSE_SECONDS", 0.1)
    async with asyncio.timeout(3):
        async with open_pool(postgres_url, "public") as opened:
            await opened.acquire()
