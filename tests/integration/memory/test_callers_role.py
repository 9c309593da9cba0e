"""A server of somebody's own, where no role is laid out: the service makes its callers' role, or says who must."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest
import pytest_asyncio

from memory_service.stores.walls import CALLERS
from meshctl.embedded.postgres import Postgres, start_postgres
from meshkit.config import ConfigError
from tests.integration.memory.conftest import Client, Mesh

Login = Callable[[str], Awaitable[str]]


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory, store_directory: Path) -> Iterator[Postgres]:
    server = asyncio.run(start_postgres(store_directory / "elsewhere"))
    yield server
    asyncio.run(server.stop())


@pytest_asyncio.fixture
async def admin(elsewhere: Postgres) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    connection = await asyncpg.connect(elsewhere.admin_url)
    await connection.execute(f"DROP ROLE {CALLERS}")
    yield connection
    await connection.execute("DROP DATABASE own WITH (FORCE)")
    await connection.execute(f"DROP ROLE own; DROP ROLE IF EXISTS {CALLERS}; CREATE ROLE {CALLERS}")
    await connection.close()


@pytest.fixture
def login(elsewhere: Postgres, admin: "asyncpg.Connection[asyncpg.Record]") -> Login:
    """Makes a role that owns a database of its own; returns where to connect as it."""

    async def make(rights: str) -> str:
        await admin.execute(f"CREATE ROLE own LOGIN PASSWORD 'own' {rights}")
        await admin.execute("CREATE DATABASE own TEMPLATE mesh OWNER own")
        return urlsplit(elsewhere.url)._replace(netloc=f"own:own@127.0.0.1:{elsewhere.port}", path="/own").geturl()

    return make


async def works(mesh: Mesh, url: str, admin: "asyncpg.Connection[asyncpg.Record]") -> None:
    ada: Client = await mesh.client(await mesh.serve(database_url=url))
    await ada.say("My name is Ada")
    assert [item.interaction.input for item in (await ada.recall("name")).items] == ["My name is Ada"]
    at_work = "SELECT count(*) FROM pg_stat_activity WHERE datname = 'own' AND usename = 'own'"
    assert await admin.fetchval(at_work)


@pytest.mark.parametrize("rights", ["CREATEROLE", "SUPERUSER"])
async def test_an_owner_that_may_make_roles_needs_nobody(
    mesh: Mesh, login: Login, admin: "asyncpg.Connection[asyncpg.Record]", rights: str
) -> None:
    url = await login(rights)
    await asyncio.gather(*(works(mesh, url, admin) for _ in range(2)))
    await works(mesh, url, admin)


async def test_an_owner_that_may_not_says_what_an_administrator_runs(
    mesh: Mesh, login: Login, admin: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    url = await login("")
    for _ in range(2):
        remedy = re.search("let an administrator run (.*)", str(await refusal(mesh, url)))
        assert remedy
        created, _, granted = remedy[1].rpartition("; ")
        await admin.execute(created or granted)  # the second time the role is there, and only to be granted
    assert not created
    await works(mesh, url, admin)


async def test_a_role_that_passes_the_wall_by_is_refused(
    mesh: Mesh, login: Login, admin: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    url = await login("")
    await admin.execute(f"CREATE ROLE {CALLERS} BYPASSRLS; GRANT {CALLERS} TO own")
    remedy = re.search("let an administrator run (.*)", str(await refusal(mesh, url)))
    assert remedy
    await admin.execute(remedy[1])
    await works(mesh, url, admin)


async def refusal(mesh: Mesh, url: str) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        await mesh.serve(database_url=url)
    assert "own:own" not in str(caught.value)
    return caught.value
