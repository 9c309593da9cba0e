"""The embedded Valkey on a real directory."""

from pathlib import Path

import pytest
from redis.asyncio import Redis
from redis.exceptions import AuthenticationError

from meshctl.embedded.valkey import start_valkey
from meshkit.errors import FailedPrecondition, Unavailable
from tests.integration.embedded.processes import showing


async def test_it_needs_its_private_password_that_nobody_sees(state: Path) -> None:
    server = await start_valkey(state)
    try:
        with pytest.raises(AuthenticationError):
            await Redis.from_url(f"redis://:wrong@127.0.0.1:{server.port}").ping()
        file = state / "valkey" / "password"
        password = file.read_text().strip()
        assert password in server.url
        assert password not in repr(server)
        assert not showing(password)
        assert password not in (state / "logs" / "valkey.log").read_text()
        for private in (file, state / "valkey" / "valkey.conf"):
            assert private.stat().st_mode & 0o777 == 0o600
        async with Redis.from_url(server.url) as client:
            assert (await client.config_get("bind"))["bind"] == "127.0.0.1"
    finally:
        await server.stop()


async def test_data_and_port_are_the_same_after_a_restart(state: Path) -> None:
    state = state / 'with "quotes", a \\ and spaces'
    first = await start_valkey(state)
    async with Redis.from_url(first.url) as client:
        await client.set("kept", "42")
    await first.stop()
    second = await start_valkey(state)
    try:
        assert second.url == first.url
        async with Redis.from_url(second.url) as client:
            assert await client.get("kept") == b"42"
    finally:
        await second.stop()


async def test_a_second_one_on_the_same_directory_is_refused(state: Path) -> None:
    server = await start_valkey(state)
    try:
        with pytest.raises(FailedPrecondition, match="already running"):
            await start_valkey(state, patience=0.1)
    finally:
        await server.stop()


async def test_damaged_data_is_reported_with_the_servers_words(state: Path) -> None:
    await (await start_valkey(state)).stop()
    manifest = state / "valkey" / "data" / "appendonlydir" / "appendonly.aof.manifest"
    manifest.write_text("nonsense\n")
    with pytest.raises(Unavailable, match="manifest"):
        await start_valkey(state)
