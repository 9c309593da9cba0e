"""What memory holds: turns, facts and documents of a user, and what is said of them. Frozen values."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Generic, TypeVar

from meshkit.context import ACT_AS_SCOPE, CallContext
from meshkit.errors import InvalidArgument

__all__ = [
    "USERS_OWN",
    "Document",
    "Fact",
    "FactCategory",
    "FactChange",
    "FactOrigin",
    "FactVersion",
    "Indexed",
    "Interaction",
    "Kind",
    "Layer",
    "Match",
    "Origin",
    "Owner",
    "Passage",
    "Place",
    "Source",
    "only_user",
    "owner_of",
    "session_of",
    "source_of",
]


class Kind(StrEnum):
    """What can be searched."""

    INTERACTION = "interaction"
    FACT = "fact"
    DOCUMENT = "document"


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose memory: nothing is ever read or written without both."""

    tenant: str
    user: str


def owner_of(caller: CallContext, requested_user: str) -> Owner:
    """Return whose memory a request is about: the caller's own, or `requested_user`'s if it may act for them.

    Raises PermissionDenied, and InvalidArgument for a caller whose name cannot be stored.
    """
    owner = Owner(caller.tenant, caller.acting_user(requested_user))
    # The contract checks what requests name; these two may also come from a token, which anybody's issuer makes.
    if "\0" in owner.tenant + owner.user or len(owner.user) > 256:
        raise InvalidArgument("the credentials name a tenant or user that cannot be stored")
    return owner


def only_user(caller: CallContext) -> str | None:
    """Return the one user whose things the caller may name by id; None for a caller that may act for all.

    Raises InvalidArgument as `owner_of` does.
    """
    return None if ACT_AS_SCOPE in caller.scopes else owner_of(caller, "").user


@dataclass(frozen=True, slots=True)
class Source:
    """Names one turn, fact or passage of a document."""

    owner: Owner
    kind: Kind
    id: str


@dataclass(frozen=True, slots=True)
class Place:
    """Where a search looks: at one kind of one owner's memory, in one session if it is set.

    The session of a passage is its document.
    """

    owner: Owner
    kind: Kind
    session: str = ""


class Origin(StrEnum):
    """Who said a text."""

    USER = "USER"
    AGENT = "AGENT"
    TOOL = "TOOL"
    DOCUMENT = "DOCUMENT"


@dataclass(frozen=True, slots=True)
class Interaction:
    """One turn: what the user said and what the agent answered. It never changes."""

    id: str
    owner: Owner
    session: str
    run: str
    agent: str
    input: str
    output: str
    labels: Mapping[str, str]
    create_time: datetime
    speaker: str = ""
    """Who spoke for the user, by name, where several people talk."""
    origin: Origin = Origin.USER
    """Who said the input."""
    source: str = ""
    """Where the input came from if the user did not say it."""


class FactCategory(StrEnum):
    """What a fact is about."""

    PROFILE = "PROFILE"
    PREFERENCE = "PREFERENCE"
    GOAL = "GOAL"
    KNOWLEDGE = "KNOWLEDGE"


class FactOrigin(StrEnum):
    """Who wrote a fact, as the credentials told."""

    CLIENT = "CLIENT"
    AGENT = "AGENT"
    EXTRACTION = "EXTRACTION"
    TOOL = "TOOL"
    DOCUMENT = "DOCUMENT"

    @property
    def trust(self) -> int:
        """How much it is believed: the user's own words most, then an agent, then a tool or a document."""
        return _TRUST[self]


_TRUST = {
    FactOrigin.CLIENT: 3,
    FactOrigin.EXTRACTION: 3,
    FactOrigin.AGENT: 2,
    FactOrigin.TOOL: 1,
    FactOrigin.DOCUMENT: 1,
}


USERS_OWN = frozenset({FactOrigin.CLIENT, FactOrigin.EXTRACTION})
"""Who speaks in the user's own words."""


class FactChange(StrEnum):
    """How a version of a fact came to be. What is contested was never believed."""

    STATED = "STATED"
    REPLACED = "REPLACED"
    SUPERSEDED = "SUPERSEDED"
    CONTESTED = "CONTESTED"


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing known about a user, in one version. `etag` changes with every change."""

    id: str
    owner: Owner
    key: str
    value: str
    category: FactCategory
    importance: float
    origin: FactOrigin
    run: str
    create_time: datetime
    update_time: datetime
    etag: str
    source: str = ""
    step: str = ""
    interaction: str = ""
    quote: str = ""
    valid_from: datetime | None = None
    valid_to: datetime | None = None
    confirm_time: datetime | None = None
    """When it was last said again; None: not since its last change."""
    change: FactChange = FactChange.STATED
    reason: str = ""
    version: int = 1
    latest: int = 1
    """The highest number that any version of it has."""
    contested: bool = False


@dataclass(frozen=True, slots=True)
class FactVersion:
    """A fact as it was known for a while; `replace_time` is None of the present version and of what was contested."""

    number: int
    change: FactChange
    reason: str
    fact: Fact
    record_time: datetime
    replace_time: datetime | None


@dataclass(frozen=True, slots=True)
class Document:
    """A text from outside. It never changes: its next version is another one. Without a uri it replaces nothing."""

    id: str
    owner: Owner
    title: str
    uri: str
    media_type: str
    labels: Mapping[str, str]
    sha256: str
    characters: int
    passages: int
    create_time: datetime


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of a document: its characters from `start` to before `end`, under a heading if there is one."""

    document: str
    owner: Owner
    title: str
    uri: str
    number: int
    heading: str
    text: str
    start: int
    end: int

    @property
    def id(self) -> str:
        """How it is cited."""
        return f"{self.document}#{self.number}"


Indexed = Interaction | Fact | Passage
"""What is found by its words and its meaning."""


def source_of(item: Indexed) -> Source:
    """Return the name of an item."""
    match item:
        case Interaction():
            kind = Kind.INTERACTION
        case Fact():
            kind = Kind.FACT
        case Passage():
            kind = Kind.DOCUMENT
    return Source(item.owner, kind, item.id)


def session_of(item: Indexed) -> str:
    """Return what a search may keep to: the session of a turn, the document of a passage; empty for a fact."""
    match item:
        case Interaction():
            return item.session
        case Passage():
            return item.document
        case Fact():
            return ""


class Layer(StrEnum):
    """Which part of memory an item of a context came from."""

    RECENT = "RECENT"
    SEMANTIC = "SEMANTIC"
    FACTS = "FACTS"
    DOCUMENTS = "DOCUMENTS"


Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Match(Generic[Item]):
    """Something found, and how well it fits the query: 0 to 1."""

    item: Item
    score: float
