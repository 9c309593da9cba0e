"""What people may ask of a memory that is about them: all of it, none of it, or without what came from one source."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Protocol

from memory_service.domain.extraction import Extraction
from memory_service.domain.model import Document, FactVersion, Interaction, Owner, Passage, owner_of
from memory_service.domain.ports import Wake
from meshkit.context import ACT_AS_SCOPE, CallContext
from meshkit.errors import InvalidArgument

__all__ = ["Erased", "Erasure", "Exporting", "Privacy", "Purged", "Purging", "Record"]

Record = Interaction | FactVersion | Document | Passage | Extraction
"""One thing that memory holds of somebody. The passages of a document follow it."""


@dataclass(frozen=True, slots=True)
class Erased:
    """How much was erased. It was read back, and nothing was found."""

    interactions: int
    facts: int
    documents: int
    extractions: int


@dataclass(frozen=True, slots=True)
class Purged:
    """How much was deleted; a fact that was set back to what it was before counts."""

    interactions: int
    facts: int
    documents: int


class Exporting(Protocol):
    """Reads everything of an owner."""

    def records(self, owner: Owner) -> AsyncGenerator[Record, None]:
        """Yield every record, never all in memory at once. Raises Unavailable."""
        ...


class Erasure(Protocol):
    """Erases an owner."""

    async def erase(self, owner: Owner) -> Erased:
        """Erase everything, and read back that nothing is left. Raises Unavailable: a repetition erases the rest."""
        ...


class Purging(Protocol):
    """Deletes by source."""

    async def purge(self, tenant: str, user: str | None, source: str) -> Purged:
        """Delete what came from the source, of one user or, without one, of all of the tenant."""
        ...


class Privacy:
    """The verbs."""

    def __init__(self, exporting: Exporting, erasure: Erasure, purging: Purging, *, wake: Wake) -> None:
        self._exporting, self._erasure, self._purging, self._wake = exporting, erasure, purging, wake

    def export(self, caller: CallContext, user: str) -> AsyncGenerator[Record, None]:
        """Yield everything that memory holds of a user. Raises PermissionDenied, Unavailable."""
        return self._exporting.records(owner_of(caller, user))

    async def erase(self, caller: CallContext, user: str) -> Erased:
        """Erase a user from everywhere. Raises PermissionDenied, Unavailable."""
        return await self._erasure.erase(owner_of(caller, user))

    async def purge(self, caller: CallContext, user: str, source: str, *, all_users: bool) -> Purged:
        """Delete what came from a source, of a user or of all of them. Raises PermissionDenied, InvalidArgument."""
        if all_users:
            if user:
                raise InvalidArgument("one user, or all of them", field="user")
            caller.require_scope(ACT_AS_SCOPE)
        owner = owner_of(caller, user)
        purged = await self._purging.purge(owner.tenant, None if all_users else owner.user, source)
        self._wake()
        return purged
