"""The latest turns of a session, however writers, readers and Redis meet: never older than what was acknowledged."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from memory_service.domain.model import Interaction, Owner
from memory_service.domain.ports import RequestKey
from memory_service.stores.interactions import PostgresInteractions
from memory_service.stores.recent import RedisRecent, session_key
from meshctl.embedded.valkey import start_valkey
from meshkit.sql.migrations import migrate, read_migrations
from meshkit.sql.pool import Pool, open_pool
from tests.integration.memory.conftest import request_id

ADA = Owner("acme", "ada")
SESSIONS = ("one", "two")
KEPT = 20


class Sleepy(PostgresInteractions):
    """Turns in Postgres, read by a process that may stand still for a while after it read: as if it were stopped."""

    def __init__(self, pool: Pool, chance: random.Random) -> None:
        super().__init__(pool)
        self._chance = chance

    async def list(  # type: ignore[no-untyped-def]
        self, owner, session, before, limit
    ):
        found = await super().list(owner, session, before, limit)
        await asyncio.sleep(self._chance.choice([0, 0, 0.01, 0.05]))
        return found


@pytest_asyncio.fixture
async def pool(postgres_url: str) -> AsyncIterator[Pool]:
    async with open_pool(postgres_url, "memory", max_size=12) as opened:
        await migrate(opened, "memory", read_migrations("memory_service.stores.migrations"))
        yield opened


@pytest_asyncio.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    client = Redis.from_url(redis_url, socket_timeout=0.25, retry=Retry(NoBackoff(), 0))
    yield client
    await client.aclose()


def turn(number: int, session: str, *, at: datetime | None = None) -> Interaction:
    return Interaction(
        id=f"int_{number:08}", owner=ADA, session=session, run="", agent="", input=f"turn {number}", output="",
        labels={}, create_time=at or datetime.now(UTC),
    )  # fmt: skip


async def store(turns: PostgresInteractions, new: Interaction) -> None:
    await turns.add(RequestKey("StoreInteraction", request_id(), b""), new)


class World:
    """Writers and readers of a few sessions, and what was acknowledged so far."""

    def __init__(self, pool: Pool, readers: Sequence[RedisRecent], redis: Redis, chance: random.Random) -> None:
        self._pool, self._readers, self._redis, self._chance = pool, readers, redis, chance
        self._turns = PostgresInteractions(pool)
        self._number = 0
        self.stored: dict[str, dict[str, Interaction]] = {session: {} for session in SESSIONS}
        self.deleted: dict[str, set[str]] = {session: set() for session in SESSIONS}
        self.reads = 0

    async def write(self) -> None:
        session = self._chance.choice(SESSIONS)
        self._number += 1
        # Now and then something that was said long ago: it belongs in the middle.
        ago = timedelta(seconds=self._chance.choice([0, 0, 0, 30]))
        new = turn(self._number, session, at=datetime.now(UTC) - ago)
        await store(self._turns, new)
        self.stored[session][new.id] = new

    async def delete(self) -> None:
        session = self._chance.choice(SESSIONS)
        if known := sorted(self.stored[session]):
            gone = self._chance.choice(known[-KEPT:])
            del self.stored[session][gone]  # from here on it may be missing
            await self._pool.execute("DELETE FROM interaction WHERE id = $1", gone)
            self.deleted[session].add(gone)

    async def read(self) -> None:
        session = self._chance.choice(SESSIONS)
        acknowledged, gone = set(self.stored[session]), set(self.deleted[session])
        found = await self._chance.choice(self._readers).latest(ADA, session, KEPT)
        ids = [each.id for each in found]
        assert gone.isdisjoint(ids), "what was deleted before is not told"
        assert ids == [each.id for each in sorted(found, key=lambda each: (each.create_time, each.id), reverse=True)]
        must = [self.stored[session][name] for name in acknowledged if name in self.stored[session]]
        missing = [each for each in must if each.id not in ids]
        if len(found) == KEPT:  # only what is older than all that was told
            oldest = (found[-1].create_time, found[-1].id)
            missing = [each for each in missing if (each.create_time, each.id) > oldest]
        assert missing == [], "what was stored before is told"
        self.reads += 1

    async def disturb(self) -> None:
        """Lose what Redis has: all of it, or the keys of one session, as an eviction does."""
        match self._chance.randrange(3):
            case 0:
                await self._redis.flushall()
            case 1:
                names = await self._redis.keys(session_key(ADA, self._chance.choice(SESSIONS), "*"))
                if names:
                    await self._redis.delete(self._chance.choice(names))
            case _:
                await self._readers[0].forget(ADA, self._chance.choice(SESSIONS))


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_a_reader_never_sees_less_than_was_acknowledged(pool: Pool, redis: Redis, seed: int) -> None:
    chance = random.Random(seed)
    await pool.execute("TRUNCATE interaction, session_version CASCADE")
    await redis.flushall()
    readers = [RedisRecent(redis, Sleepy(pool, chance)) for _ in range(3)]
    world = World(pool, readers, redis, chance)
    until_then = asyncio.get_running_loop().time() + 5

    async def go_on(verb: str, pause: float) -> None:
        while asyncio.get_running_loop().time() < until_then:
            await getattr(world, verb)()
            await asyncio.sleep(chance.uniform(0, pause))

    async with asyncio.TaskGroup() as people:
        for verb, count, pause in (("write", 2, 0.05), ("delete", 1, 0.2), ("read", 6, 0.01), ("disturb", 1, 0.3)):
            for _ in range(count):
                people.create_task(go_on(verb, pause))
    assert world.reads > 100


async def test_a_list_is_believed_while_nothing_changes(pool: Pool, redis: Redis) -> None:
    asked: list[int] = []

    class Counting(PostgresInteractions):
        async def list(self, owner, session, before, limit):  # type: ignore[no-untyped-def]
            asked.append(limit)
            return await super().list(owner, session, before, limit)

    recent = RedisRecent(redis, Counting(pool))
    for number in range(3):
        await store(PostgresInteractions(pool), turn(10_000_000 + number, "calm"))
    for _ in range(3):
        assert [each.input for each in await recent.latest(ADA, "calm", 2)] == ["turn 10000002", "turn 10000001"]
    assert asked == [KEPT], "Postgres was read once"


async def test_a_process_that_slept_keeps_nothing_that_was_deleted(pool: Pool, redis: Redis) -> None:
    """It read the turn, stood still, and goes on when everything of it is gone, from Redis too."""
    began, go_on = asyncio.Event(), asyncio.Event()

    class Stopped(PostgresInteractions):
        async def list(self, owner, session, before, limit):  # type: ignore[no-untyped-def]
            found = await super().list(owner, session, before, limit)
            began.set()
            await go_on.wait()
            return found

    turns = PostgresInteractions(pool)
    await store(turns, turn(20_000_000, "erased"))
    reading = asyncio.create_task(RedisRecent(redis, Stopped(pool)).latest(ADA, "erased", 5))
    await began.wait()
    await pool.execute("DELETE FROM interaction WHERE session = 'erased'")
    await RedisRecent(redis, turns).forget(ADA, "erased")
    go_on.set()
    assert len(await reading) == 1, "it was asked before"
    assert await redis.exists(session_key(ADA, "erased", "turns")) == 0
    assert await RedisRecent(redis, turns).latest(ADA, "erased", 5) == []


async def test_a_redis_that_forgot_a_while_is_not_believed(pool: Pool, tmp_path: Path) -> None:
    """It comes back with a list from before, and nobody could tell it what was stored meanwhile."""
    valkey = await start_valkey(tmp_path)
    client = Redis.from_url(valkey.url, socket_timeout=0.25, retry=Retry(NoBackoff(), 0))
    try:
        turns = PostgresInteractions(pool)
        recent = RedisRecent(client, turns)
        await store(turns, turn(30_000_000, "away"))
        assert len(await recent.latest(ADA, "away", 5)) == 1
        key = session_key(ADA, "away", "turns")
        kept = await client.dump(key)
        await store(turns, turn(30_000_001, "away"))
        assert len(await recent.latest(ADA, "away", 5)) == 2
        await client.restore(key, 0, kept, replace=True)
        assert len(await recent.latest(ADA, "away", 5)) == 2
    finally:
        await client.aclose()
        await valkey.stop()
