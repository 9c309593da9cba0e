"""The settings of tenants in Postgres."""

from typing import Any

from memory_service.domain.settings import ExtractionMode, MemorySettings, changed
from memory_service.stores.rows import QUERIES
from meshkit.sql.failures import driver_errors
from meshkit.sql.pool import Pool, transaction

__all__ = ["PostgresSettings"]


class PostgresSettings:
    """`domain.settings.SettingsStore` on Postgres."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def get(self, tenant: str) -> MemorySettings:
        """Return the tenant's settings."""
        with driver_errors():
            return _settings_of(await self._pool.fetchrow(QUERIES["get_settings"], tenant))

    async def put(self, tenant: str, wanted: MemorySettings, expected_etag: str) -> MemorySettings:
        """Store what `changed` makes of the settings."""
        async with transaction(self._pool) as connection:
            await connection.execute(QUERIES["lock_settings"], tenant)
            present = _settings_of(await connection.fetchrow(QUERIES["get_settings"], tenant))
            new = changed(present, wanted, expected_etag)
            if new != present:
                await connection.execute(
                    QUERIES["put_settings"], tenant, new.extraction, new.interaction_retention_days,
                    new.fact_retention_days, new.document_retention_days, new.etag,
                )  # fmt: skip
        return new


def _settings_of(row: Any) -> MemorySettings:
    if row is None:
        return MemorySettings()
    return MemorySettings(
        extraction=ExtractionMode(row["extraction"]),
        interaction_retention_days=row["interaction_retention_days"],
        fact_retention_days=row["fact_retention_days"],
        document_retention_days=row["document_retention_days"],
        etag=row["etag"],
    )
