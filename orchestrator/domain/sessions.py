"""What callers may do with sessions."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from meshkit.context import CallContext
from meshkit.ids import IdFactory
from meshkit.paging import Page, PageQuery
from orchestrator.domain.catalog import Catalog, known_agent
from orchestrator.domain.model import Message, Session
from orchestrator.domain.ports import Clock
from orchestrator.domain.storage import FindAgent, RequestKey, SessionStore
from orchestrator.domain.viewing import Viewer

__all__ = ["SessionDraft", "Sessions"]


@dataclass(frozen=True, slots=True)
class SessionDraft:
    """What a caller may choose of a session. An empty agent is the mesh's default."""

    title: str
    agent: str
    labels: Mapping[str, str]


class Sessions:
    """The verbs on sessions. One that the caller does not see is NotFound, like one that never was."""

    def __init__(self, store: SessionStore, catalog: Catalog, *, new_id: IdFactory, clock: Clock) -> None:
        self._store, self._catalog, self._new_id, self._clock = store, catalog, new_id, clock

    async def create(self, caller: CallContext, key: RequestKey, user: str, draft: SessionDraft) -> Session:
        """Make a session for a user, the caller if empty. Raises PermissionDenied, NotFound for the agent."""
        owner = caller.acting_user(user)

        async def make(find_agent: FindAgent) -> Session:
            if draft.agent:
                await known_agent(draft.agent, find_agent)
            now = self._clock()
            return Session(
                self._new_id("ses"), caller.tenant, owner, draft.title, draft.agent, draft.labels, now, now,
                self._new_id("etag"),
            )  # fmt: skip

        return await self._store.create(key, make)

    async def get(self, caller: CallContext, session: str) -> Session:
        """Return the session. Raises NotFound."""
        return await self._store.get(Viewer.of(caller), session)

    async def list(self, caller: CallContext, user: str, size: int, token: str) -> Page[Session]:
        """Return a page of a user's sessions, newest first. Raises PermissionDenied."""
        owner = caller.acting_user(user)
        pages = PageQuery("ListSessions", caller.tenant, {"user": owner})
        cursor = pages.cursor(token, str)
        rows = await self._store.list(caller.tenant, owner, str(cursor[0]) if cursor else None, size + 1)
        return pages.page(rows, size, lambda session: (session.id,))

    async def update(self, caller: CallContext, session: str, etag: str, draft: SessionDraft) -> Session:
        """Replace title, agent and labels. Raises NotFound (also for the agent), Aborted (ETAG_MISMATCH)."""
        old = await self._store.get(Viewer.of(caller), session)
        if draft.agent:
            await self._catalog.get(caller, draft.agent)
        new = replace(
            old,
            title=draft.title,
            agent=draft.agent,
            labels=draft.labels,
            update_time=self._clock(),
            etag=self._new_id("etag"),
        )
        return await self._store.update(new, etag)

    async def delete(self, caller: CallContext, session: str) -> None:
        """Delete it with its runs and events. Raises NotFound, FailedPrecondition while a run is not done."""
        await self._store.delete(Viewer.of(caller), session)

    async def messages(self, caller: CallContext, session: str, size: int, token: str) -> Page[Message]:
        """Return a page of what was said, oldest first. Raises NotFound."""
        await self._store.get(Viewer.of(caller), session)
        pages = PageQuery("ListMessages", caller.tenant, {"session": session})
        cursor = pages.cursor(token, str, int)
        after = (str(cursor[0]), int(cursor[1])) if cursor else None
        rows = await self._store.messages(session, after, size + 1)
        page = pages.page(rows, size, lambda row: (row[1].run, row[0]))
        return Page([message for _, message in page.items], page.next_page_token)
