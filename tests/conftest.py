"""What all tests share: one real Postgres and one real Valkey for the session, a fresh database for each module.

The environment is cleared of everything that would point a test at somebody's server or model.
"""

import asyncio
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest

from meshctl.embedded.postgres import Postgres, start_postgres
from meshctl.embedded.valkey import start_valkey

for name in list(os.environ):
    if name.startswith(("MESH_", "OTEL_", "OPENAI_", "LANGCHAIN_", "LANGSMITH_")) or name in {
        "DATABASE_URL",
        "REDIS_URL",
        "QDRANT_URL",
    }:
        del os.environ[name]


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--seeds N`: how often the tests of faults are repeated, each time with other moments of death.

    `--isolation-operations N`: how many operations of random people the test of isolation makes.
    `--write-matrix`: what runtimes were seen to do is written to the documentation, instead of compared with it.
    """
    parser.addoption("--seeds", type=int, default=1, help="rounds of the kill matrix")
    parser.addoption("--isolation-operations", type=int, default=5_000, help="operations of the test of isolation")
    parser.addoption("--write-matrix", action="store_true", help="write the matrix of docs/runtimes.md")


@pytest.fixture(scope="session")
def store_directory() -> Iterator[Path]:
    """A directory that the database's own account may pass through, which pytest's own are not."""
    directory = Path(tempfile.mkdtemp(prefix="mesh-test-"))
    directory.chmod(0o711)
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres(store_directory: Path) -> Iterator[Postgres]:
    """The session's Postgres."""
    server = asyncio.run(start_postgres(store_directory))
    yield server
    asyncio.run(server.stop())


@pytest.fixture(scope="module")
def postgres_url(postgres: Postgres) -> Iterator[str]:
    """The URL of an empty database with pgvector, owned by the services' role; gone after the module."""
    name = f"test_{secrets.token_hex(6)}"
    asyncio.run(_admin(postgres, f"create database {name} template mesh owner mesh"))
    yield urlsplit(postgres.url)._replace(path=f"/{name}").geturl()
    asyncio.run(_admin(postgres, f"drop database {name} with (force)"))


@pytest.fixture(scope="session")
def redis_url(store_directory: Path) -> Iterator[str]:
    """The URL of the session's Valkey; keys carry the tests' own tenants."""
    server = asyncio.run(start_valkey(store_directory))
    yield server.url
    asyncio.run(server.stop())


async def _admin(postgres: Postgres, statement: str) -> None:
    connection = await asyncpg.connect(postgres.admin_url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
