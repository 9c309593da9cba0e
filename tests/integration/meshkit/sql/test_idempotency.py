"""The promise of `request_id` on a real Postgres: replay, refusal, conflict, atomicity, expiry."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from meshkit import errors
from meshkit.sql.idempotency import TABLE, RequestKey, digest_of, once, purge
from meshkit.sql.pool import Connection, Pool
from tests.integration.meshkit.echo import Echo

KEY = RequestKey("acme", "/agentmesh.test.v1.EchoService/Once", "r-1")
DIGEST = digest_of(Echo(text="a", tags=["x"]))


@pytest.fixture
async def works(pool: Pool) -> Callable[[Connection], Awaitable[bytes]]:
    await pool.execute(TABLE)
    await pool.execute("CREATE TABLE work (id int GENERATED ALWAYS AS IDENTITY)")

    async def effect(connection: Connection) -> bytes:
        return str(await connection.fetchval("INSERT INTO work DEFAULT VALUES RETURNING id")).encode()

    return effect


async def count(pool: Pool, table: str = "work") -> int:
    return int(await pool.fetchval(f"SELECT count(*) FROM {table}"))


async def test_the_same_request_is_answered_from_the_record(pool: Pool, works: Callable[..., Awaitable[bytes]]) -> None:
    first = await once(pool, KEY, DIGEST, works)
    assert await once(pool, KEY, DIGEST, works) == first
    assert await count(pool) == 1


async def test_other_tenants_methods_and_ids_are_other_requests(
    pool: Pool, works: Callable[..., Awaitable[bytes]]
) -> None:
    for key in (
        KEY,
        RequestKey("zeta", KEY.method, "r-1"),
        RequestKey("acme", "/x", "r-1"),
        RequestKey("acme", KEY.method, "r-2"),
    ):
        await once(pool, key, DIGEST, works)
    assert await count(pool) == 4


async def test_other_parameters_are_refused(pool: Pool, works: Callable[..., Awaitable[bytes]]) -> None:
    await once(pool, KEY, DIGEST, works)
    with pytest.raises(errors.InvalidArgument) as caught:
        await once(pool, KEY, digest_of(Echo(text="b")), works)
    assert caught.value.reason == "REQUEST_ID_REUSED"
    assert caught.value.field_violations[0].field == "request_id"
    assert await count(pool) == 1


async def test_a_request_still_at_work_is_aborted(pool: Pool, works: Callable[..., Awaitable[bytes]]) -> None:
    inside, go_on = asyncio.Event(), asyncio.Event()

    async def slow(connection: Connection) -> bytes:
        inside.set()
        await go_on.wait()
        return await works(connection)

    first = asyncio.create_task(once(pool, KEY, DIGEST, slow))
    await inside.wait()
    with pytest.raises(errors.Aborted) as caught:
        await once(pool, KEY, DIGEST, works)
    assert caught.value.reason == "REQUEST_IN_PROGRESS"
    assert caught.value.retry_after == 0.2
    go_on.set()
    answer = await first
    assert await once(pool, KEY, DIGEST, works) == answer
    assert await count(pool) == 1


async def test_ten_at_once_work_once(pool: Pool, works: Callable[..., Awaitable[bytes]]) -> None:
    results = await asyncio.gather(*(once(pool, KEY, DIGEST, works) for _ in range(10)), return_exceptions=True)
    answers = {each for each in results if isinstance(each, bytes)}
    assert len(answers) == 1
    assert all(isinstance(each, (bytes, errors.Aborted)) for each in results)
    assert await count(pool) == 1


async def test_a_lasting_error_is_kept_and_its_effect_is_not(
    pool: Pool, works: Callable[..., Awaitable[bytes]]
) -> None:
    calls = 0

    async def refused(connection: Connection) -> bytes:
        nonlocal calls
        calls += 1
        await works(connection)
        raise errors.FailedPrecondition("the session is closed", metadata={"state": "closed"})

    for _ in range(2):
        with pytest.raises(errors.FailedPrecondition, match="the session is closed") as caught:
            await once(pool, KEY, DIGEST, refused)
        assert caught.value.metadata == {"state": "closed"}
    assert calls == 1
    assert await count(pool) == 0


@pytest.mark.parametrize("error", [errors.Unavailable("away"), errors.InvalidArgument("wrong"), ValueError("defect")])
async def test_an_error_that_may_pass_is_not_kept(
    pool: Pool, works: Callable[..., Awaitable[bytes]], error: Exception
) -> None:
    async def fails(connection: Connection) -> bytes:
        await works(connection)
        raise error

    with pytest.raises(type(error)):
        await once(pool, KEY, DIGEST, fails)
    assert await count(pool) == await count(pool, "idempotency") == 0
    assert await once(pool, KEY, DIGEST, works)


async def test_a_cancelled_request_leaves_nothing(pool: Pool, works: Callable[..., Awaitable[bytes]]) -> None:
    inside = asyncio.Event()

    async def hangs(connection: Connection) -> bytes:
        await works(connection)
        inside.set()
        await asyncio.Event().wait()
        return b""

    task = asyncio.create_task(once(pool, KEY, DIGEST, hangs))
    await inside.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await once(pool, KEY, DIGEST, works)
    assert await count(pool) == 1


async def test_a_record_ends_after_24_hours(pool: Pool, works: Callable[..., Awaitable[bytes]]) -> None:
    first = await once(pool, KEY, DIGEST, works)
    await pool.execute("UPDATE idempotency SET created_at = now() - interval '23 hours 59 minutes'")
    assert await purge(pool) == 0
    assert await once(pool, KEY, DIGEST, works) == first
    await pool.execute("UPDATE idempotency SET created_at = now() - interval '24 hours 1 second'")
    assert await once(pool, KEY, digest_of(Echo(text="b")), works) != first
    await pool.execute("UPDATE idempotency SET created_at = now() - interval '24 hours 1 second'")
    assert await purge(pool) == 1
    assert await count(pool, "idempotency") == 0


async def test_without_an_id_every_request_works(pool: Pool, works: Callable[..., Awaitable[bytes]]) -> None:
    key = RequestKey("acme", KEY.method, "")
    assert await once(pool, key, DIGEST, works) != await once(pool, key, DIGEST, works)
    assert await count(pool) == 2
