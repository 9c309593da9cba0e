"""The texts of what was found, for a reranker."""

from collections.abc import Mapping, Sequence

from memory_service.domain.model import Indexed, Kind, Place
from memory_service.domain.passages import passages
from memory_service.stores.documents import PostgresDocuments
from memory_service.stores.facts import PostgresFacts
from memory_service.stores.interactions import PostgresInteractions

__all__ = ["PostgresTexts"]


class PostgresTexts:
    """`retrieval.search.Texts` on Postgres."""

    def __init__(self, interactions: PostgresInteractions, facts: PostgresFacts, documents: PostgresDocuments) -> None:
        self._interactions, self._facts, self._documents = interactions, facts, documents

    async def load(self, place: Place, ids: Sequence[str]) -> Mapping[str, str]:
        """Return the texts of those that exist and are the owner's, as a model reads them."""
        found: Mapping[str, Indexed]
        match place.kind:
            case Kind.INTERACTION:
                found = await self._interactions.load(place.owner, ids)
            case Kind.FACT:
                found = await self._facts.load(place.owner, ids)
            case Kind.DOCUMENT:
                found = await self._documents.load(place.owner, ids)
        return {source: "\n".join(passages(item)[:2]) for source, item in found.items()}
