"""What memory holds: turns and facts of a user, and what a search or a context says of them. Frozen values."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Generic, TypeVar

from meshkit.context import CallContext
from meshkit.errors import InvalidArgument

__all__ = [
    "Fact",
    "FactCategory",
    "FactOrigin",
    "Interaction",
    "Kind",
    "Layer",
    "Match",
    "Owner",
    "Place",
    "Source",
    "owner_of",
]


class Kind(StrEnum):
    """What can be searched."""

    INTERACTION = "interaction"
    FACT = "fact"


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


@dataclass(frozen=True, slots=True)
class Source:
    """Names one turn or fact."""

    owner: Owner
    kind: Kind
    id: str


@dataclass(frozen=True, slots=True)
class Place:
    """Where a search looks: at one kind of one owner's memory, in one session if it is set."""

    owner: Owner
    kind: Kind
    session: str = ""


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


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing known about a user. `etag` changes with every change."""

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


class Layer(StrEnum):
    """Which part of memory an item of a context came from."""

    RECENT = "RECENT"
    SEMANTIC = "SEMANTIC"
    FACTS = "FACTS"


Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Match(Generic[Item]):
    """Something found, and how well it fits the query: 0 to 1."""

    item: Item
    score: float
