"""What callers may do with facts. Who wrote one is told by the credentials, never by the request."""

from collections.abc import Sequence
from dataclasses import dataclass

from memory_service.domain.model import Fact, FactCategory, FactOrigin, Kind, Match, Place, only_user, owner_of
from memory_service.domain.ports import Clock, FactStore, RequestKey, Wake
from memory_service.domain.positions import position_by_key
from memory_service.domain.search import Search
from meshkit.context import CallContext
from meshkit.ids import IdFactory
from meshkit.paging import Page, PageQuery

__all__ = ["FactDraft", "Facts"]

_AGENT = "agent"


@dataclass(frozen=True, slots=True)
class FactDraft:
    """A fact as a caller tells it. `etag` is the one it must still have; empty: whatever is there."""

    key: str
    value: str
    category: FactCategory
    importance: float
    run: str
    etag: str


class Facts:
    """The verbs on facts."""

    def __init__(self, store: FactStore, search: Search, *, wake: Wake, new_id: IdFactory, clock: Clock) -> None:
        self._store, self._search = store, search
        self._wake, self._new_id, self._clock = wake, new_id, clock

    async def put(self, caller: CallContext, key: RequestKey, user: str, draft: FactDraft) -> Fact:
        """Store or replace the user's fact with that key. Raises PermissionDenied, Aborted (ETAG_MISMATCH)."""
        now = self._clock()
        fact = Fact(
            id=self._new_id("fact"),
            owner=owner_of(caller, user),
            key=draft.key,
            value=draft.value,
            category=draft.category,
            importance=draft.importance,
            origin=FactOrigin.AGENT if caller.service == _AGENT else FactOrigin.CLIENT,
            run=draft.run,
            create_time=now,
            update_time=now,
            etag=self._new_id("etag"),
        )
        stored = await self._store.put(key, fact, draft.etag)
        self._wake()
        return stored

    async def get(self, caller: CallContext, fact: str) -> Fact:
        """Return the fact. Raises NotFound, also for a fact of another tenant or user."""
        return await self._store.get(caller.tenant, only_user(caller), fact)

    async def list(
        self, caller: CallContext, user: str, category: FactCategory | None, size: int, token: str
    ) -> Page[Fact]:
        """Return a page of a user's facts by key. Raises PermissionDenied."""
        owner = owner_of(caller, user)
        pages = PageQuery("ListFacts", owner.tenant, {"user": owner.user, "category": category or ""})
        after = position_by_key(pages.cursor(token, str))
        rows = await self._store.list(owner, category, after, size)
        return Page(list(rows.items), pages.token((rows.items[-1].key,)) if rows.more else "")

    async def search(
        self, caller: CallContext, user: str, query: str, limit: int
    ) -> tuple[Sequence[Match[Fact]], bool]:
        """Return the facts that fit best and whether only words were compared. Raises PermissionDenied, Unavailable."""
        owner = owner_of(caller, user)
        found = await self._search.find(query, Place(owner, Kind.FACT))
        best = found.places[0][:limit]
        facts = await self._store.load(owner, [source for source, _ in best])
        return [Match(facts[source], score) for source, score in best if source in facts], found.degraded

    async def delete(self, caller: CallContext, fact: str, etag: str) -> None:
        """Delete the fact from rows and index. Raises NotFound as `get` does, Aborted (ETAG_MISMATCH)."""
        await self._store.delete(caller.tenant, only_user(caller), fact, etag)
        self._wake()
