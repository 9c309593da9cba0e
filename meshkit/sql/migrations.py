"""Schema changes: numbered SQL files, applied in order at start, under a lock, forward only.

Owns the table `migrations` in the service's schema. A file is `0001_what_it_does.sql`; once applied it never changes,
which its checksum proves. A database that is ahead of the code is fine: during a rolling restart it is.

The service works on meanwhile, in other processes. A statement that waits for a lock makes everybody wait who comes
after it, so it waits half a second, lets them pass, and the file begins again.
"""

import asyncio
import hashlib
import random
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files

import asyncpg
import structlog

from meshkit.config import ConfigError
from meshkit.failpoints import failpoint
from meshkit.sql.failures import driver_errors
from meshkit.sql.pool import Connection, Pool

__all__ = ["Migration", "MigrationError", "migrate", "read_migrations"]

_FILE = re.compile(r"^(\d{4})_([a-z0-9_]+)\.sql$")
_LOCK_MILLISECONDS = 500
_PATIENCE_SECONDS = 300.0  # for a moment in which nobody holds what a file needs
_log = structlog.get_logger(__name__)

_TABLE = """
CREATE TABLE IF NOT EXISTS migrations (
  number integer PRIMARY KEY,
  name text NOT NULL,
  checksum text NOT NULL,
  applied_at timestamptz NOT NULL DEFAULT now()
)
"""


class MigrationError(ConfigError):
    """The files and the database do not fit together."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One file."""

    number: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        """The SHA-256 of the file."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


def read_migrations(package: str) -> list[Migration]:
    """Return the migrations in a package (`memory_service.stores.migrations`). Raises MigrationError on a gap."""
    found = [
        Migration(int(match[1]), match[2], entry.read_text())
        for entry in files(package).iterdir()
        if (match := _FILE.match(entry.name))
    ]
    found.sort(key=lambda each: each.number)
    if [each.number for each in found] != list(range(1, len(found) + 1)):
        raise MigrationError(f"{package}: the files must be numbered 0001, 0002, ... without a gap")
    return found


async def migrate(pool: Pool, schema: str, migrations: Sequence[Migration]) -> int:
    """Apply what is missing to the schema; returns how many were applied. Safe when several processes start at once.

    Raises MigrationError if an applied file was changed, and Unavailable if the database is away.
    """
    with driver_errors():
        async with pool.acquire() as connection:
            # Waits for another process that migrates; released with the connection, even when this process dies.
            await connection.execute("SELECT pg_advisory_lock(hashtext($1))", f"agentmesh:{schema}", timeout=600)
            try:
                await connection.execute(f'CREATE SCHEMA IF NOT EXISTS "{schema}"')
                await connection.execute(_TABLE)
                rows = await connection.fetch("SELECT number, checksum FROM migrations")
                applied = {row["number"]: row["checksum"] for row in rows}
                pending = [each for each in migrations if not _is_applied(each, applied)]
                for each in pending:
                    await _apply(connection, each)
                    await failpoint("migrate.between_steps")
                    _log.info("migration_applied", schema=schema, number=each.number, name=each.name)
            finally:
                await connection.execute("SELECT pg_advisory_unlock(hashtext($1))", f"agentmesh:{schema}")
    return len(pending)


async def _apply(connection: Connection, migration: Migration) -> None:
    give_up = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            async with connection.transaction():
                await connection.execute(f"SET LOCAL lock_timeout = {_LOCK_MILLISECONDS}")
                await connection.execute(migration.sql, timeout=600)
                await connection.execute(
                    "INSERT INTO migrations (number, name, checksum) VALUES ($1, $2, $3)",
                    migration.number,
                    migration.name,
                    migration.checksum,
                )
        except (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError):
            if time.monotonic() >= give_up:
                raise
            _log.info("migration_waits", number=migration.number, name=migration.name)
            await asyncio.sleep(_LOCK_MILLISECONDS / 1000 * random.uniform(0.5, 1.5))  # noqa: S311 - no secret
        else:
            return


def _is_applied(migration: Migration, applied: dict[int, str]) -> bool:
    checksum = applied.get(migration.number)
    if checksum is not None and checksum != migration.checksum:
        raise MigrationError(
            f"migration {migration.number:04}_{migration.name} was changed after it was applied; "
            "restore the file and write the change as a new one"
        )
    return checksum is not None
