"""Schema changes: numbered SQL files, applied in order at start, under a lock, forward only.

Owns the table `migrations` in the service's schema. A file is `0001_what_it_does.sql`; once applied it never changes,
which its checksum proves. A database that is ahead of the code is fine: during a rolling restart it is.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files

import structlog

from meshkit.config import ConfigError
from meshkit.failpoints import failpoint
from meshkit.sql.failures import driver_errors
from meshkit.sql.pool import Pool

__all__ = ["Migration", "MigrationError", "migrate", "read_migrations"]

_FILE = re.compile(r"^(\d{4})_([a-z0-9_]+)\.sql$")
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
                    async with connection.transaction():
                        await connection.execute(each.sql, timeout=600)
                        await connection.execute(
                            "INSERT INTO migrations (number, name, checksum) VALUES ($1, $2, $3)",
                            each.number,
                            each.name,
                            each.checksum,
                        )
                    await failpoint("migrate.between_steps")
                    _log.info("migration_applied", schema=schema, number=each.number, name=each.name)
            finally:
                await connection.execute("SELECT pg_advisory_unlock(hashtext($1))", f"agentmesh:{schema}")
    return len(pending)


def _is_applied(migration: Migration, applied: dict[int, str]) -> bool:
    checksum = applied.get(migration.number)
    if checksum is not None and checksum != migration.checksum:
        raise MigrationError(
            f"migration {migration.number:04}_{migration.name} was changed after it was applied; "
            "restore the file and write the change as a new one"
        )
    return checksum is not None
