"""A schema of its own for each test."""

import secrets
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from meshkit.sql.pool import Pool, open_pool


@pytest.fixture
def schema() -> str:
    return f"test_{''.join(secrets.choice('abcdefgh') for _ in range(12))}"


@pytest_asyncio.fixture
async def pool(postgres_url: str, schema: str) -> AsyncIterator[Pool]:
    async with open_pool(postgres_url, schema) as opened:
        await opened.execute(f'CREATE SCHEMA "{schema}"')
        yield opened
        await opened.execute(f'DROP SCHEMA "{schema}" CASCADE')
