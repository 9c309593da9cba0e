"""The pool on a real Postgres: what a lost connection, a late database and a slow one look like."""

# ruff: noqa: PT012 - the block that fails is the one that is left

import asyncio
import socket
from collections.abc import AsyncIterator
from contextvars import ContextVar

import asyncpg
import pytest
import pytest_asyncio

from meshctl.embedded.postgres import Postgres
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


WHO: ContextVar[str] = ContextVar("who")


@pytest_asyncio.fixture
async def telling(postgres: Postgres) -> AsyncIterator[Pool]:
    """A pool of two connections that have the rights of `mesh` and are told who takes them."""

    def settings() -> dict[str, str]:
        return {"test.who": WHO.get(), "test.kind": "person"}

    async with open_pool(postgres.admin_url, "public", max_size=2, role="mesh", settings=settings) as opened:
        yield opened


async def test_a_statement_has_the_rights_of_the_role(telling: Pool) -> None:
    WHO.set("ada")
    assert await telling.fetchval("SELECT current_user") == "mesh"
    await telling.execute("RESET ROLE")
    assert await telling.fetchval("SELECT current_user") == "mesh", "it is where the connection begins"
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await telling.execute("CREATE ROLE another")


async def test_each_taker_finds_its_own_settings(telling: Pool) -> None:
    async def take(who: str) -> None:
        WHO.set(who)
        for _ in range(20):
            assert await telling.fetchval("SELECT current_setting('test.who')") == who
            async with transaction(telling) as connection:
                row = await connection.fetchrow("SELECT current_setting('test.who'), current_setting('test.kind')")
                assert tuple(row or ()) == (who, "person")

    await asyncio.gather(*(asyncio.create_task(take(who)) for who in ("ada", "bob", 'it\'s; \\ "eve"', "")))


async def test_settings_survive_a_rollback_and_are_told_when_they_change(
    postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted = "SELECT nextval('told'), set_config(a, b, false) FROM unnest($1::text[], $2::text[]) t (a, b)"
    async with open_pool(postgres.url, "public", max_size=1, settings=lambda: {"test.who": WHO.get()}) as single:
        WHO.set("ada")
        await single.execute("CREATE TEMPORARY SEQUENCE told")
        monkeypatch.setattr("meshkit.sql.pool._TELL", counted)
        for times, who in enumerate(("bob", "ada", "eve"), 1):
            WHO.set(who)
            for _ in range(3):
                with pytest.raises(ZeroDivisionError):
                    async with transaction(single) as connection:
                        assert await connection.fetchval("SELECT current_setting('test.who')") == who
                        raise ZeroDivisionError
                assert await single.fetchval("SELECT last_value FROM told") == times


async def test_who_cannot_say_who_it_is_gets_no_connection(telling: Pool) -> None:
    with pytest.raises(LookupError):
        await telling.fetchval("SELECT 1")
    WHO.set("ada")
    assert await telling.fetchval("SELECT 1") == 1
