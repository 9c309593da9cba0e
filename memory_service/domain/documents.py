"""What callers may do with documents: ingest, read, list, search, delete.

A document is content from outside. It is kept as such, told with its source, and never becomes a fact.
"""

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from memory_service.domain.model import Document, Kind, Match, Passage, Place, only_user, owner_of
from memory_service.domain.ports import Clock, DocumentStore, Read, RequestKey, Wake
from memory_service.domain.positions import position_in_time, time_position
from memory_service.domain.search import Search
from memory_service.domain.splitting import split
from meshkit.context import CallContext
from meshkit.errors import InvalidArgument
from meshkit.ids import IdFactory
from meshkit.paging import Page, PageQuery

__all__ = ["DocumentDraft", "Documents"]

_MAX_TEXT = 3_145_728  # bytes: as much as the contract lets content have; what is packed may hold far more
_HEADING_CHARACTERS = 512
_WITH_HEADINGS = {"text/markdown", "text/html"}


@dataclass(frozen=True, slots=True)
class DocumentDraft:
    """A document as a caller sends it."""

    title: str
    uri: str
    media_type: str
    content: bytes
    labels: Mapping[str, str]


class Documents:
    """The verbs on documents."""

    def __init__(
        self, store: DocumentStore, search: Search, read: Read, *, wake: Wake, new_id: IdFactory, clock: Clock
    ) -> None:
        self._store, self._search, self._read = store, search, read
        self._wake, self._new_id, self._clock = wake, new_id, clock

    async def ingest(self, caller: CallContext, key: RequestKey, user: str, draft: DocumentDraft) -> Document:
        """Store a document of a user, the caller if empty, in place of the one with its uri.

        Raises PermissionDenied, InvalidArgument for content that cannot be read or holds no text, NotFound if the
        request comes again and what it stored is gone.
        """
        owner = owner_of(caller, user)
        text = await self._read(draft.media_type, draft.content)
        if len(text.encode()) > _MAX_TEXT:
            raise InvalidArgument(f"content holds more than {_MAX_TEXT} bytes of text", field="content")
        # Megabytes take a second: not in the loop that answers everybody else.
        slices = await asyncio.to_thread(split, text, markdown=draft.media_type in _WITH_HEADINGS)
        if not slices:
            raise InvalidArgument("content holds no text", field="content")
        document = Document(
            id=self._new_id("doc"),
            owner=owner,
            title=draft.title,
            uri=draft.uri,
            media_type=draft.media_type,
            labels=draft.labels,
            sha256=hashlib.sha256(draft.content).hexdigest(),
            characters=len(text),
            passages=len(slices),
            create_time=self._clock(),
        )
        passages = [
            Passage(
                document=document.id,
                owner=owner,
                title=draft.title,
                uri=draft.uri,
                number=number,
                heading=" > ".join(piece.headings)[-_HEADING_CHARACTERS:],
                text=text[piece.start : piece.end],
                start=piece.start,
                end=piece.end,
            )
            for number, piece in enumerate(slices, 1)
        ]
        stored = await self._store.add(key, document, passages)
        self._wake()
        return stored

    async def get(self, caller: CallContext, document: str) -> Document:
        """Return the document. Raises NotFound, also for a document of another tenant or user."""
        return await self._store.get(caller.tenant, only_user(caller), document)

    async def list(self, caller: CallContext, user: str, size: int, token: str) -> Page[Document]:
        """Return a page of a user's documents, newest first. Raises PermissionDenied."""
        owner = owner_of(caller, user)
        pages = PageQuery("ListDocuments", owner.tenant, {"user": owner.user})
        rows = await self._store.list(owner, position_in_time(pages.cursor(token, int, str)), size)
        last = rows.items[-1] if rows.more else None
        return Page(list(rows.items), pages.token(time_position(last.create_time, last.id)) if last else "")

    async def search(
        self, caller: CallContext, user: str, document: str, query: str, limit: int
    ) -> tuple[Sequence[Match[Passage]], bool]:
        """Return the passages that fit best, of one document if it is set, and whether only words were compared.

        Raises PermissionDenied, Unavailable.
        """
        owner = owner_of(caller, user)
        found = await self._search.find(query, Place(owner, Kind.DOCUMENT, document))
        best = found.places[0][:limit]
        passages = await self._store.load(owner, [source for source, _ in best])
        return [Match(passages[source], score) for source, score in best if source in passages], found.degraded

    async def delete(self, caller: CallContext, document: str) -> None:
        """Delete the document from rows and index. Raises NotFound as `get` does."""
        await self._store.delete(caller.tenant, only_user(caller), document)
        self._wake()
