"""Rows kept in the process: whatever was committed before a search began is in it, and nothing that was deleted."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
import pytest_asyncio

from memory_service.domain.model import Interaction, Kind, Owner, Place
from memory_service.stores.mirror import Mirror
from memory_service.stores.rows import put_words
from memory_service.stores.words import PostgresWords
from meshkit.sql.migrations import migrate, read_migrations
from meshkit.sql.pool import Pool, open_pool

ADA, BOB = Owner("acme", "ada"), Owner("acme", "bob")
TURNS = Place(ADA, Kind.INTERACTION)


@pytest_asyncio.fixture
async def pool(postgres_url: str) -> AsyncIterator[Pool]:
    async with open_pool(postgres_url, "mirror_test") as opened:
        await migrate(opened, "mirror_test", read_migrations("memory_service.stores.migrations"))
        yield opened
        await opened.execute("DROP SCHEMA mirror_test CASCADE")


def turn(name: str, said: str = "hello", owner: Owner = ADA) -> Interaction:
    return Interaction(name, owner, "s", "", "", said, "", {}, datetime(2026, 1, 2, tzinfo=UTC))


async def write(pool: Pool, *turns: Interaction) -> None:
    async with pool.acquire() as connection, connection.transaction():
        await put_words(connection, *turns)


async def held(words: PostgresWords, place: Place = TURNS) -> set[str]:
    return {row.source for row in (await words.of(place)).rows}


async def test_what_is_committed_is_there_whoever_wrote_it(pool: Pool) -> None:
    words = PostgresWords(pool)
    assert await held(words) == set()
    for number in range(5):
        await write(pool, turn(f"int_{number}"), turn(f"int_of_bob_{number}", owner=BOB))
        assert await held(words) == {f"int_{each}" for each in range(number + 1)}
    assert await held(words, Place(ADA, Kind.FACT)) == set()
    assert len(await held(words, Place(BOB, Kind.INTERACTION))) == 5


async def test_an_older_transaction_that_commits_later_is_not_missed(pool: Pool) -> None:
    words = PostgresWords(pool)
    async with pool.acquire() as slow:
        opened = slow.transaction()
        await opened.start()
        await put_words(slow, turn("int_slow"))
        await write(pool, turn("int_quick"))
        assert await held(words) == {"int_quick"}
        await write(pool, turn("int_quicker"))
        assert await held(words) == {"int_quick", "int_quicker"}
        await opened.commit()
    assert await held(words) == {"int_quick", "int_quicker", "int_slow"}


async def test_what_is_changed_or_deleted_is_not_kept(pool: Pool) -> None:
    words = PostgresWords(pool)
    await write(pool, turn("int_1", "harbour"), turn("int_2", "kettle"))
    before = {row.source: row.terms for row in (await words.of(TURNS)).rows}
    await write(pool, turn("int_1", "violin"))
    after = {row.source: row.terms for row in (await words.of(TURNS)).rows}
    assert after["int_1"] != before["int_1"]
    assert after["int_2"] == before["int_2"]
    await pool.execute("DELETE FROM passage WHERE source = 'int_2'")
    assert await held(words) == {"int_1"}
    await pool.execute("DELETE FROM passage WHERE user_id = 'ada'")
    assert await held(words) == set()
    await write(pool, turn("int_3"))
    assert await held(words) == {"int_3"}


async def test_a_deletion_that_is_rolled_back_changes_nothing(pool: Pool) -> None:
    words = PostgresWords(pool)
    await write(pool, turn("int_1"))
    async with pool.acquire() as connection:
        opened = connection.transaction()
        await opened.start()
        await connection.execute("DELETE FROM passage")
        assert await held(words) == {"int_1"}
        await opened.rollback()
    assert await held(words) == {"int_1"}


async def test_many_readers_and_writers_at_once(pool: Pool) -> None:
    words = PostgresWords(pool)
    stored: set[str] = set()

    async def writer(number: int) -> None:
        for each in range(10):
            name = f"int_{number}_{each}"
            await write(pool, turn(name))
            stored.add(name)

    async def reader() -> None:
        for _ in range(20):
            before = set(stored)
            assert before <= await held(words)

    await asyncio.gather(*(writer(number) for number in range(4)), *(reader() for _ in range(4)))
    assert await held(words) == stored


async def test_the_least_used_owner_is_dropped_when_memory_is_short(pool: Pool) -> None:
    words = PostgresWords(pool, most_bytes=3000)
    for owner in (ADA, BOB):
        await write(pool, turn(f"int_{owner.user}", owner=owner))
    for _ in range(2):  # whoever was dropped is read again
        for owner in (ADA, BOB, Owner("acme", "eve")):
            place = Place(owner, Kind.INTERACTION)
            expected = set() if owner.user == "eve" else {f"int_{owner.user}"}
            assert await held(words, place) == expected


class Numbers:
    """A shard that counts how often it was made, and waits until it may be."""

    size = 1


async def test_who_gives_up_waiting_leaves_the_work_done_for_the_next(pool: Pool) -> None:
    await write(pool, turn("int_1"))
    begun, go, made = asyncio.Event(), asyncio.Event(), []
    loop = asyncio.get_running_loop()

    def add(shard: Numbers, rows: Any) -> Numbers:
        loop.call_soon_threadsafe(begun.set)
        asyncio.run_coroutine_threadsafe(go.wait(), loop).result(10)
        made.append(rows["count"])
        return shard

    mirror = Mirror(pool, NEW_ROWS, Numbers(), add, most_bytes=100)
    impatient = asyncio.create_task(mirror.of(TURNS))
    await begun.wait()
    impatient.cancel()
    with pytest.raises(asyncio.CancelledError):
        await impatient
    go.set()
    await mirror.of(TURNS)
    assert made == [1], "read and made once"


NEW_ROWS = """
SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS horizon, '' AS mark, count(*) AS count FROM passage
WHERE tenant = $1 AND user_id = $2 AND kind = $3 AND written >= $4::bigint::text::xid8
"""
