"""Deleting what came from one source: turns, facts and documents. A fact goes back to what it was before, if it was.

Statements run in batches, each in a transaction of its own: a purge that breaks is simply begun again.
"""

from dataclasses import replace
from typing import Any

from memory_service.domain.model import Fact
from memory_service.domain.privacy import Purged
from memory_service.stores.documents import document_of, remove_document
from memory_service.stores.facts import remove_fact, write_fact
from memory_service.stores.rows import QUERIES, fact_of, version_of
from meshkit.ids import IdFactory
from meshkit.sql.pool import Connection, Pool, transaction

__all__ = ["PostgresPurging", "remove_turns"]

_BATCH = 200


class PostgresPurging:
    """`domain.privacy.Purging` on Postgres."""

    def __init__(self, pool: Pool, new_id: IdFactory) -> None:
        self._pool, self._new_id = pool, new_id

    async def purge(self, tenant: str, user: str | None, source: str) -> Purged:
        """Delete what came from the source."""
        turns = facts = documents = 0
        while True:
            async with transaction(self._pool) as connection:
                rows = await connection.fetch(QUERIES["turns_from"], tenant, user, source, _BATCH)
                ids = [row["id"] for row in rows]
                # Facts first: which of them were learnt from these turns is not known once they are gone.
                facts += await self._facts(connection, tenant, user, source, ids)
                await remove_turns(connection, tenant, ids)
                papers = await connection.fetch(QUERIES["documents_from"], tenant, user, source, _BATCH)
                for paper in map(document_of, papers):
                    await remove_document(connection, paper.owner, paper.id)
            turns, documents = turns + len(ids), documents + len(papers)
            if len(ids) < _BATCH and len(papers) < _BATCH:
                return Purged(turns, facts, documents)

    async def _facts(self, connection: Connection, tenant: str, user: str | None, source: str, turns: list[str]) -> int:
        count = 0
        while rows := await connection.fetch(QUERIES["facts_from"], tenant, user, source, turns, _BATCH):
            for fact in map(fact_of, rows):
                await connection.execute(QUERIES["purge_versions"], fact.id, source, turns)
                if fact.source == source or fact.interaction in turns:
                    await self._set_back(connection, fact)
                else:
                    await self._tell(connection, fact)
            count += len(rows)
        return count

    async def _set_back(self, connection: Connection, fact: Fact) -> None:
        """Let the fact be what it was before; a fact that was nothing before is gone."""
        row: Any = await connection.fetchrow(QUERIES["latest_version"], fact.id)
        if row is None:
            await remove_fact(connection, fact)
            return
        version = version_of(row)
        await connection.execute(QUERIES["delete_version"], fact.id, version.number)
        # It ended only because of what is purged, unless somebody had said so before.
        before = replace(version.fact, valid_to=row["valid_to"], latest=fact.latest, change=version.change)
        await self._tell(connection, replace(before, reason=version.reason))

    async def _tell(self, connection: Connection, fact: Fact) -> None:
        contested = bool(await connection.fetchval(QUERIES["is_contested"], fact.id, fact.version))
        await write_fact(connection, replace(fact, contested=contested, etag=self._new_id("etag")))


async def remove_turns(connection: Connection, tenant: str, turns: list[str]) -> None:
    """Delete turns with their words, whoever owns them, and tell the outbox."""
    await connection.execute(QUERIES["delete_turns"], tenant, turns, ["vectors"])
