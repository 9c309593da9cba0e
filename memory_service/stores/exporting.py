"""Everything that is stored of somebody, page by page."""

from collections.abc import AsyncGenerator

from memory_service.domain.model import Document, FactVersion, Owner, Passage
from memory_service.domain.privacy import Record
from memory_service.domain.versions import present
from memory_service.stores.documents import PostgresDocuments
from memory_service.stores.extractions import PostgresExtractions
from memory_service.stores.facts import PostgresFacts
from memory_service.stores.interactions import PostgresInteractions
from memory_service.stores.rows import QUERIES, fact_of, passage_of
from meshkit.sql.failures import driver_errors
from meshkit.sql.pool import Pool

__all__ = ["PostgresExporting"]

_PAGE = 100
_PASSAGES = 50


class PostgresExporting:
    """`domain.privacy.Exporting` on Postgres."""

    def __init__(
        self,
        pool: Pool,
        interactions: PostgresInteractions,
        facts: PostgresFacts,
        documents: PostgresDocuments,
        extractions: PostgresExtractions,
    ) -> None:
        self._pool, self._interactions, self._facts = pool, interactions, facts
        self._documents, self._extractions = documents, extractions

    async def records(self, owner: Owner) -> AsyncGenerator[Record, None]:
        """Yield turns, versions of facts, documents with their passages, and reports; the newest of a kind first."""
        before = None
        while (page := await self._interactions.list(owner, "", before, _PAGE)).items:
            for turn in page.items:
                yield turn
            before = (page.items[-1].create_time, page.items[-1].id)
        async for version in self._versions(owner):
            yield version
        before = None
        while (papers := await self._documents.list(owner, before, _PAGE)).items:
            for paper in papers.items:
                yield paper
                async for passage in self._passages(paper):
                    yield passage
            before = (papers.items[-1].create_time, papers.items[-1].id)
        before = None
        while (reports := await self._extractions.list(owner, before, _PAGE)).items:
            for report in reports.items:
                yield report
            before = (reports.items[-1].create_time, reports.items[-1].interaction)

    async def _versions(self, owner: Owner) -> AsyncGenerator[FactVersion, None]:
        after = ""
        while True:
            with driver_errors():
                rows = await self._pool.fetch(QUERIES["export_facts"], owner.tenant, owner.user, after, _PAGE)
            if not rows:
                return
            for fact in map(fact_of, rows):
                yield present(fact)
                number: int | None = None
                while (versions := await self._facts.versions(fact, number, _PAGE)).items:
                    for version in versions.items:
                        yield version
                    number = versions.items[-1].number
            after = rows[-1]["id"]

    async def _passages(self, paper: Document) -> AsyncGenerator[Passage, None]:
        number = 0
        owner = paper.owner
        while True:
            with driver_errors():
                rows = await self._pool.fetch(
                    QUERIES["export_passages"], owner.tenant, owner.user, paper.id, number, _PASSAGES
                )
            if not rows:
                return
            for passage in map(passage_of, rows):
                yield passage
            number = rows[-1]["number"]
