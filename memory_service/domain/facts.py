"""What callers may do with facts. The credentials tell who said one; a request may only name somebody less trusted."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from memory_service.domain.decay import weight
from memory_service.domain.interactions import AGENT_SERVICE
from memory_service.domain.model import (
    Fact,
    FactCategory,
    FactChange,
    FactOrigin,
    FactVersion,
    Interaction,
    Kind,
    Match,
    Origin,
    Place,
    only_user,
    owner_of,
)
from memory_service.domain.ports import Clock, FactStore, InteractionStore, RequestKey, Wake
from memory_service.domain.positions import position_by_key, position_by_number
from memory_service.domain.search import Search
from memory_service.domain.versions import present, said
from meshkit.context import CallContext
from meshkit.errors import InvalidArgument
from meshkit.ids import IdFactory
from meshkit.paging import Page, PageQuery

__all__ = ["Explanation", "FactDraft", "Facts", "Provenance"]

_TOLD = 20  # versions of each kind that an explanation has
_ORIGINS = {
    Origin.USER: FactOrigin.CLIENT,
    Origin.AGENT: FactOrigin.AGENT,
    Origin.TOOL: FactOrigin.TOOL,
    Origin.DOCUMENT: FactOrigin.DOCUMENT,
}


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where a fact comes from and how long it is true, as a caller tells it."""

    run: str = ""
    step: str = ""
    source: str = ""
    interaction: str = ""
    quote: str = ""
    valid_from: datetime | None = None
    valid_to: datetime | None = None


@dataclass(frozen=True, slots=True)
class FactDraft:
    """A fact as a caller tells it. `etag` is the one it must still have; empty: whatever is there.

    `origin` None: the caller said it.
    """

    key: str
    value: str
    category: FactCategory
    importance: float
    etag: str
    origin: Origin | None
    provenance: Provenance


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a fact is believed: the turn that it was learnt from, what it replaced, and who said otherwise."""

    fact: Fact
    interaction: Interaction | None
    replaced: Sequence[FactVersion]
    contesting: Sequence[FactVersion]


class Facts:
    """The verbs on facts."""

    def __init__(
        self,
        store: FactStore,
        turns: InteractionStore,
        search: Search,
        *,
        wake: Wake,
        new_id: IdFactory,
        clock: Clock,
    ) -> None:
        self._store, self._turns, self._search = store, turns, search
        self._wake, self._new_id, self._clock = wake, new_id, clock

    async def put(self, caller: CallContext, key: RequestKey, user: str, draft: FactDraft) -> Fact:
        """Say something about the user; returns the fact, which is the old one if a less trusted caller contests it.

        Raises PermissionDenied, InvalidArgument, Aborted (ETAG_MISMATCH).
        """
        now = self._clock()
        claim = Fact(
            id=self._new_id("fact"),
            owner=owner_of(caller, user),
            key=draft.key,
            value=draft.value,
            category=draft.category,
            importance=draft.importance,
            origin=_origin(caller, draft.origin),
            run="",
            create_time=now,
            update_time=now,
            etag=self._new_id("etag"),
            change=FactChange.REPLACED,
        )
        stored = await self._store.tell(key, _from(claim, draft.provenance), draft.etag, said)
        self._wake()
        return stored

    async def supersede(
        self,
        caller: CallContext,
        key: RequestKey,
        fact: str,
        value: str,
        reason: str,
        importance: float | None,
        etag: str,
        provenance: Provenance,
    ) -> Fact:
        """Replace the value of a fact with a reason. Raises NotFound as `get` does, InvalidArgument, Aborted."""
        old = await self.get(caller, fact)
        now, new_etag = self._clock(), self._new_id("etag")

        def make(current: Fact) -> Fact:
            claim = Fact(
                id=current.id,
                owner=current.owner,
                key=current.key,
                value=value,
                category=current.category,
                importance=current.importance if importance is None else importance,
                origin=_origin(caller, None),
                run="",
                create_time=now,
                update_time=now,
                etag=new_etag,
                change=FactChange.SUPERSEDED,
                reason=reason,
            )
            return _from(claim, provenance)

        stored = await self._store.supersede(key, old, make, etag, said)
        self._wake()
        return stored

    async def get(self, caller: CallContext, fact: str) -> Fact:
        """Return the fact. Raises NotFound, also for a fact of another tenant or user."""
        return await self._store.get(caller.tenant, only_user(caller), fact)

    async def list(
        self,
        caller: CallContext,
        user: str,
        category: FactCategory | None,
        size: int,
        token: str,
        valid_at: datetime | None = None,
        known_at: datetime | None = None,
    ) -> Page[Fact]:
        """Return a page of a user's facts by key, as they were true and known at these times; None: now.

        Raises PermissionDenied.
        """
        owner = owner_of(caller, user)
        times = {name: time.isoformat() for name, time in (("valid", valid_at), ("known", known_at)) if time}
        pages = PageQuery("ListFacts", owner.tenant, {"user": owner.user, "category": category or "", **times})
        after = position_by_key(pages.cursor(token, str))
        true_at = valid_at or self._clock()
        rows = await self._store.list(owner, category, after, size, valid_at=true_at, known_at=known_at)
        return Page(list(rows.items), pages.token((rows.items[-1].key,)) if rows.more else "")

    async def versions(self, caller: CallContext, fact: str, size: int, token: str) -> Page[FactVersion]:
        """Return a page of a fact's versions, newest first, the present one among them. Raises NotFound."""
        known = await self.get(caller, fact)
        pages = PageQuery("ListFactVersions", caller.tenant, {"fact": fact})
        before = position_by_number(pages.cursor(token, int))
        rows = await self._store.versions(known, before, size)
        found = list(rows.items)
        # The present version stands elsewhere: it is put in its place, if that is on this page.
        if (before is None or known.version < before) and (not rows.more or found[-1].number < known.version):
            found = sorted([*found, present(known)], key=lambda version: -version.number)
        more = rows.more or len(found) > size
        found = found[:size]
        return Page(found, pages.token((found[-1].number,)) if more else "")

    async def explain(self, caller: CallContext, fact: str) -> Explanation:
        """Return why a fact is believed. Raises NotFound."""
        known = await self.get(caller, fact)
        replaced = await self._store.versions(known, None, _TOLD, contested=False)
        contesting = await self._store.versions(known, None, _TOLD, contested=True)
        turns = await self._turns.load(known.owner, [known.interaction]) if known.interaction else {}
        return Explanation(known, turns.get(known.interaction), replaced.items, contesting.items)

    async def search(
        self, caller: CallContext, user: str, query: str, limit: int
    ) -> tuple[Sequence[Match[Fact]], bool]:
        """Return the facts that fit best and whether only words were compared. Raises PermissionDenied, Unavailable."""
        owner = owner_of(caller, user)
        found = await self._search.find(query, Place(owner, Kind.FACT))
        # More than asked for: what matters more or is newer moves up, and what is no longer true is left out.
        best = found.places[0][: 2 * limit]
        facts, now = await self._store.load(owner, [source for source, _ in best]), self._clock()
        matches = [
            Match(facts[source], score * weight(facts[source], now)) for source, score in best if source in facts
        ]
        return sorted(matches, key=lambda match: -match.score)[:limit], found.degraded

    async def delete(self, caller: CallContext, fact: str, etag: str) -> None:
        """Delete the fact with its history. Raises NotFound as `get` does, Aborted (ETAG_MISMATCH)."""
        await self._store.delete(caller.tenant, only_user(caller), fact, etag)
        self._wake()


def _origin(caller: CallContext, named: Origin | None) -> FactOrigin:
    own = FactOrigin.AGENT if caller.service == AGENT_SERVICE else FactOrigin.CLIENT
    if named is None:
        return own
    origin = _ORIGINS[named]
    if origin.trust > own.trust:
        raise InvalidArgument("an agent cannot speak as the user", field="origin")
    return origin


def _from(claim: Fact, provenance: Provenance) -> Fact:
    begins, ends = provenance.valid_from, provenance.valid_to
    if begins is not None and ends is not None and ends <= begins:
        raise InvalidArgument("valid_to is not later than valid_from", field="valid_to")
    return replace(
        claim,
        run=provenance.run,
        step=provenance.step,
        source=provenance.source,
        interaction=provenance.interaction,
        quote=provenance.quote,
        valid_from=begins,
        valid_to=ends,
    )
