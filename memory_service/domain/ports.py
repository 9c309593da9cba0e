"""What the domain needs of the world beside vectors and models, in its own words; `stores/` provides it."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, Protocol, TypeVar

from memory_service.domain.model import (
    Document,
    Fact,
    FactCategory,
    FactVersion,
    Indexed,
    Interaction,
    Owner,
    Passage,
    Place,
    Source,
)
from memory_service.domain.versions import Outcome

__all__ = [
    "MAX_ANSWER_BYTES",
    "Clock",
    "Decide",
    "DocumentStore",
    "FactStore",
    "InteractionStore",
    "Keywords",
    "Read",
    "Recent",
    "RequestKey",
    "Rows",
    "Sources",
    "Wake",
]

Clock = Callable[[], datetime]
"""Tells the time, in UTC; injected so that tests may set it."""

Wake = Callable[[], None]
"""Tells the workers of the outbox that something was committed."""

Decide = Callable[[Fact | None, Fact], Outcome]
"""What becomes of a fact when something is said about it: `domain.versions.said`."""

Read = Callable[[str, bytes], Awaitable[str]]
"""Returns the text of a file of a media type; headings as Markdown has them. Raises InvalidArgument, Unavailable."""


@dataclass(frozen=True, slots=True)
class RequestKey:
    """Makes a write safe to repeat: the same id with the same digest of parameters gets the first answer again."""

    method: str
    request_id: str
    digest: bytes


MAX_ANSWER_BYTES = 2_500_000
"""How much text is read for one answer, give or take one item: a message of gRPC holds 4 MiB."""

Item_co = TypeVar("Item_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Rows(Generic[Item_co]):
    """The rows of a page, and whether there are more behind them."""

    items: Sequence[Item_co]
    more: bool


class InteractionStore(Protocol):
    """Turns. Every read is bound to its owner."""

    async def add(self, key: RequestKey, turn: Interaction) -> Interaction:
        """Store the turn with its words and what must follow, once for the key. Returns the turn stored first."""
        ...

    async def list(
        self, owner: Owner, session: str, before: tuple[datetime, str] | None, limit: int
    ) -> Rows[Interaction]:
        """Return the owner's turns older than the (time, id) given, newest first; of one session if it is set."""
        ...

    async def version(self, owner: Owner, session: str) -> str:
        """Return what changes with every change of the session's turns; empty while there is none to go by."""
        ...

    async def load(
        self, owner: Owner, ids: Sequence[str], *, largest: int = MAX_ANSWER_BYTES
    ) -> Mapping[str, Interaction]:
        """Return those of the turns that exist, are the owner's and have at most `largest` bytes.

        The first ones, as far as they fit into one answer.
        """
        ...


class FactStore(Protocol):
    """Facts. Every read is bound to its tenant, and to a user unless the caller may act for all of them."""

    async def tell(self, key: RequestKey, claim: Fact, expected_etag: str, decide: Decide) -> Fact:
        """Store what `decide` makes of the claim and the fact with its key, once for the request; returns the fact.

        What was said against the fact before is not kept again. Raises Aborted for another etag, and what `decide`
        raises.
        """
        ...

    async def supersede(
        self, key: RequestKey, old: Fact, make: Callable[[Fact], Fact], expected_etag: str, decide: Decide
    ) -> Fact:
        """Do the same with the claim that `make` returns for the fact as it is now. Raises NotFound, Aborted."""
        ...

    async def get(self, tenant: str, user: str | None, fact: str) -> Fact:
        """Return the fact. Raises NotFound."""
        ...

    async def list(
        self,
        owner: Owner,
        category: FactCategory | None,
        after: str,
        limit: int,
        *,
        valid_at: datetime,
        known_at: datetime | None,
    ) -> Rows[Fact]:
        """Return the owner's facts with keys beyond `after`, by key: what was true at one time, as known at another.

        `known_at` None is now, whatever the clocks of the processes say that wrote them.
        """
        ...

    async def versions(
        self, fact: Fact, before: int | None, limit: int, *, contested: bool | None = None
    ) -> Rows[FactVersion]:
        """Return versions of a fact with numbers below `before`, newest first, without the present one.

        `contested` asks for those that were never believed, or for the others, only.
        """
        ...

    async def load(self, owner: Owner, ids: Sequence[str]) -> Mapping[str, Fact]:
        """Return those of the facts that exist, are the owner's and are true now."""
        ...

    async def standing(self, owner: Owner, limit: int) -> Sequence[Fact]:
        """Return the owner's profile and preferences in their own words, the most important and newest first."""
        ...

    async def delete(self, tenant: str, user: str | None, fact: str, expected_etag: str) -> None:
        """Delete the fact with its versions and its words. Raises NotFound, Aborted for another etag."""
        ...


class DocumentStore(Protocol):
    """Documents. Every read is bound to its tenant, and to a user unless the caller may act for all of them."""

    async def add(self, key: RequestKey, document: Document, passages: Sequence[Passage]) -> Document:
        """Store the document in place of the owner's with its uri, once for the key. Returns the one stored first.

        Raises NotFound if that one is gone.
        """
        ...

    async def get(self, tenant: str, user: str | None, document: str) -> Document:
        """Return the document. Raises NotFound."""
        ...

    async def list(self, owner: Owner, before: tuple[datetime, str] | None, limit: int) -> Rows[Document]:
        """Return the owner's documents older than the (time, id) given, newest first."""
        ...

    async def load(self, owner: Owner, ids: Sequence[str]) -> Mapping[str, Passage]:
        """Return those of the passages that exist and are the owner's."""
        ...

    async def delete(self, tenant: str, user: str | None, document: str) -> None:
        """Delete the document with its passages and their words. Raises NotFound."""
        ...


class Keywords(Protocol):
    """Search by words."""

    async def search(self, place: Place, query: str, limit: int) -> dict[str, float]:
        """Return the ids of sources in the place with words of the query, best first.

        A score is the share of the query's words that the source has, rare words counting more: 0 to 1.
        """
        ...


class Recent(Protocol):
    """The latest turns of a session."""

    async def latest(self, owner: Owner, session: str, limit: int) -> Sequence[Interaction]:
        """Return the session's latest turns, newest first. A cache that is down costs time, not turns."""
        ...


class Sources(Protocol):
    """What is indexed, for the mesh's own work, whoever owns it."""

    async def current(self, sources: Collection[Source]) -> Mapping[Source, Indexed]:
        """Return those of the sources that exist, as they are now."""
        ...
