"""Deleting what is older than its tenant wants to keep: a little at a time, by one process at a time.

Owns that job. Vectors and cache follow through the outbox, as after any deletion.
"""

import asyncio
from datetime import timedelta
from typing import Any

import structlog

from memory_service.domain.ports import Clock, Wake
from memory_service.stores.documents import document_of, remove_document
from memory_service.stores.facts import remove_fact
from memory_service.stores.purging import remove_turns
from memory_service.stores.rows import QUERIES, fact_of
from meshkit.errors import MeshError
from meshkit.sql.failures import driver_errors
from meshkit.sql.pool import Connection, Pool, transaction

__all__ = ["Retention"]

_BATCH = 200
_PAUSE_SECONDS = 60.0
_log = structlog.get_logger(__name__)


class Retention:
    """Keeps to the settings of the tenants."""

    def __init__(self, pool: Pool, *, wake: Wake, clock: Clock) -> None:
        """`pool` connects as the owner of the tables."""
        self._pool, self._wake, self._clock = pool, wake, clock

    async def keep_deleting(self) -> None:
        """Delete what is too old, every minute, until cancelled."""
        while True:
            try:
                while await self.delete_once():
                    self._wake()
            except MeshError as error:
                _log.info("retention_postponed", reason=error.reason)
            await asyncio.sleep(_PAUSE_SECONDS)

    async def delete_once(self) -> int:
        """Delete one batch of each kind of each tenant. Returns how many things were deleted."""
        with driver_errors():
            tenants = await self._pool.fetch(QUERIES["tenants_with_retention"])
        deleted = 0
        for settings in tenants:
            async with transaction(self._pool) as connection:
                if await connection.fetchval(QUERIES["take_retention"]):
                    deleted += await self._delete(connection, settings)
        if deleted:
            _log.info("retention_deleted", things=deleted)
        return deleted

    async def _delete(self, connection: Connection, settings: Any) -> int:
        tenant, now, deleted = settings["tenant"], self._clock(), 0
        if days := settings["interaction_retention_days"]:
            rows = await connection.fetch(QUERIES["old_turns"], tenant, now - timedelta(days=days), _BATCH)
            await remove_turns(connection, tenant, [row["id"] for row in rows])
            deleted += len(rows)
        if days := settings["fact_retention_days"]:
            rows = await connection.fetch(QUERIES["old_facts"], tenant, now - timedelta(days=days), _BATCH)
            for fact in map(fact_of, rows):
                await remove_fact(connection, fact)
            deleted += len(rows)
        if days := settings["document_retention_days"]:
            rows = await connection.fetch(QUERIES["old_documents"], tenant, now - timedelta(days=days), _BATCH)
            for paper in map(document_of, rows):
                await remove_document(connection, paper.owner, paper.id)
            deleted += len(rows)
        return deleted
