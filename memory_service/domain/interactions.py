"""What callers may do with turns: store, list, search."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from memory_service.domain.model import Interaction, Kind, Match, Origin, Place, owner_of
from memory_service.domain.ports import Clock, InteractionStore, RequestKey, Wake
from memory_service.domain.positions import position_in_time, time_position
from memory_service.domain.search import Search
from meshkit.context import CallContext
from meshkit.ids import IdFactory
from meshkit.paging import Page, PageQuery

__all__ = ["AGENT_SERVICE", "Interactions", "TurnDraft"]

AGENT_SERVICE = "agent"


@dataclass(frozen=True, slots=True)
class TurnDraft:
    """A turn as a caller tells it. Without a time it took place now."""

    session: str
    run: str
    agent: str
    input: str
    output: str
    labels: Mapping[str, str]
    create_time: datetime | None
    speaker: str
    origin: Origin
    source: str


class Interactions:
    """The verbs on turns."""

    def __init__(self, store: InteractionStore, search: Search, *, wake: Wake, new_id: IdFactory, clock: Clock) -> None:
        self._store, self._search = store, search
        self._wake, self._new_id, self._clock = wake, new_id, clock

    async def store(self, caller: CallContext, key: RequestKey, user: str, draft: TurnDraft) -> Interaction:
        """Store a turn of a user, the caller if empty. Raises PermissionDenied, and what a reused request id raises."""
        turn = Interaction(
            id=self._new_id("int"),
            owner=owner_of(caller, user),
            session=draft.session,
            run=draft.run,
            agent=draft.agent,
            input=draft.input,
            output=draft.output,
            labels=draft.labels,
            create_time=draft.create_time or self._clock(),
            speaker=draft.speaker,
            # An agent never speaks as the user.
            origin=Origin.AGENT if caller.service == AGENT_SERVICE and draft.origin is Origin.USER else draft.origin,
            source=draft.source,
        )
        stored = await self._store.add(key, turn)
        self._wake()
        return stored

    async def list(self, caller: CallContext, user: str, session: str, size: int, token: str) -> Page[Interaction]:
        """Return a page of a user's turns, newest first; of one session if it is set. Raises PermissionDenied."""
        owner = owner_of(caller, user)
        pages = PageQuery("ListInteractions", owner.tenant, {"user": owner.user, "session": session})
        before = position_in_time(pages.cursor(token, int, str))
        rows = await self._store.list(owner, session, before, size)
        last = rows.items[-1] if rows.more else None
        return Page(list(rows.items), pages.token(time_position(last.create_time, last.id)) if last else "")

    async def search(
        self, caller: CallContext, user: str, session: str, query: str, limit: int
    ) -> tuple[Sequence[Match[Interaction]], bool]:
        """Return the turns that fit best and whether only words were compared. Raises PermissionDenied, Unavailable."""
        owner = owner_of(caller, user)
        found = await self._search.find(query, Place(owner, Kind.INTERACTION, session))
        best = found.places[0][:limit]
        turns = await self._store.load(owner, [source for source, _ in best])
        return [Match(turns[source], score) for source, score in best if source in turns], found.degraded
