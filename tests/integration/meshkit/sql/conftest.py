"""One real Postgres for the tests of this folder, and a schema of its own for each test."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from meshctl.embedded.postgres import start_postgres
from meshkit.sql.pool import Pool, open_pool


@pytest.fixture(scope="session")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    state: Path = tmp_path_factory.mktemp("postgres")
    with asyncio.Runner() as runner:
        postgres = runner.run(start_postgres(state))
        yield postgres.url
        runner.run(postgres.stop())


@pytest.fixture
def schema() -> str:
    return f"test_{''.join(secrets.choice('abcdefgh') for _ in range(12))}"


@pytest_asyncio.fixture
async def pool(database: str, schema: str) -> AsyncIterator[Pool]:
    async with open_pool(database, schema) as opened:
        await opened.execute(f'CREATE SCHEMA "{schema}"')
        yield opened
        await opened.execute(f'DROP SCHEMA "{schema}" CASCADE')
