"""Documents and their passages in Postgres."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from memory_service.domain.model import Document, Owner, Passage
from memory_service.domain.ports import MAX_ANSWER_BYTES, RequestKey, Rows
from memory_service.stores.rows import QUERIES, must_follow, page_of, passage_of, put_words, request_of
from meshkit.errors import NotFound
from meshkit.sql import idempotency
from meshkit.sql.failures import driver_errors
from meshkit.sql.pool import Connection, Pool, transaction

__all__ = ["PostgresDocuments", "document_of", "remove_document"]


class PostgresDocuments:
    """`domain.ports.DocumentStore` on Postgres."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def add(self, key: RequestKey, document: Document, passages: Sequence[Passage]) -> Document:
        """Store the document in place of the one with its uri, once for the key."""
        owner = document.owner

        async def effect(connection: Connection) -> bytes:
            if document.uri:
                await connection.execute(QUERIES["lock_uri"], owner.tenant, owner.user, document.uri)
                old = await connection.fetchrow(QUERIES["find_uri"], owner.tenant, owner.user, document.uri)
                if old is not None:
                    await remove_document(connection, owner, old["id"])
            await connection.execute(
                QUERIES["add_document"], owner.tenant, owner.user, document.id, document.title, document.uri,
                document.media_type, dict(document.labels), document.sha256, document.characters, document.passages,
                document.create_time,
            )  # fmt: skip
            rows = [
                (owner.tenant, owner.user, each.id, each.document, each.number, each.heading, each.text, each.start,
                 each.end)
                for each in passages
            ]  # fmt: skip
            await connection.executemany(QUERIES["add_passage"], rows)
            await put_words(connection, *passages)
            await must_follow(connection, *passages)
            return document.id.encode()  # not the whole: a document never changes, so it can be read again

        stored = (await idempotency.once(self._pool, request_of(owner, key), key.digest, effect)).decode()
        return document if stored == document.id else await self.get(owner.tenant, owner.user, stored)

    async def get(self, tenant: str, user: str | None, document: str) -> Document:
        """Return the document. Raises NotFound."""
        with driver_errors():
            return _found(await self._pool.fetchrow(QUERIES["get_document"], tenant, user, document))

    async def list(self, owner: Owner, before: tuple[datetime, str] | None, limit: int) -> Rows[Document]:
        """Return documents newest first, and whether there are more."""
        with driver_errors():
            rows = await self._pool.fetch(
                QUERIES["list_documents"], owner.tenant, owner.user, *(before or (None, "")), limit + 1,
                MAX_ANSWER_BYTES,
            )  # fmt: skip
        return page_of(rows, limit, document_of)

    async def load(self, owner: Owner, ids: Sequence[str]) -> Mapping[str, Passage]:
        """Return the owner's passages among the ids."""
        if not ids:
            return {}
        with driver_errors():
            rows = await self._pool.fetch(QUERIES["load_passages"], owner.tenant, owner.user, ids)
        return {row["id"]: passage_of(row) for row in rows}

    async def delete(self, tenant: str, user: str | None, document: str) -> None:
        """Delete the document with its passages and their words."""
        async with transaction(self._pool) as connection:
            row = await connection.fetchrow(f"{QUERIES['get_document']} FOR UPDATE", tenant, user, document)
            await remove_document(connection, _found(row).owner, document)


async def remove_document(connection: Connection, owner: Owner, document: str) -> None:
    """Delete the document with its passages and their words, and tell the outbox."""
    place = owner.tenant, owner.user, document
    await connection.execute(QUERIES["follow_document"], *place)
    await connection.execute(QUERIES["delete_document_words"], *place)
    await connection.execute(QUERIES["delete_document"], *place)


def _found(row: Any) -> Document:
    if row is None:
        raise NotFound("no such document")
    return document_of(row)


def document_of(row: Any) -> Document:
    """Return the document of a row."""
    return Document(
        id=row["id"],
        owner=Owner(row["tenant"], row["user_id"]),
        title=row["title"],
        uri=row["uri"],
        media_type=row["media_type"],
        labels=row["labels"],
        sha256=row["sha256"],
        characters=row["characters"],
        passages=row["passages"],
        create_time=row["create_time"],
    )
