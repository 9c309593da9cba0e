"""The vector index on Qdrant, for more vectors than one Postgres should carry.

Owns the collection, one per model, and the client: nothing else imports it. The tenant is a payload index that Qdrant
places data by; what keeps tenants and users apart is the filter here.
"""

import hashlib
import re
import uuid
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

import grpc
from qdrant_client import AsyncQdrantClient, models
from qdrant_client.common.client_exceptions import QdrantException
from qdrant_client.http.exceptions import ApiException

from memory_service.domain.model import Owner, Place, Source
from memory_service.domain.vectors import Nearest, Point
from meshkit.errors import Unavailable

__all__ = ["QdrantVectors", "connect_qdrant"]

_SECONDS = 5  # no call takes longer; a search has less time anyway


def connect_qdrant(url: str, api_key: str | None) -> AsyncQdrantClient:
    """Return a client; nothing is connected until it is used."""
    return AsyncQdrantClient(url=url, api_key=api_key, prefer_grpc=True, timeout=_SECONDS, check_compatibility=False)


class QdrantVectors:
    """`domain.vectors.VectorStore` on Qdrant."""

    def __init__(self, client: AsyncQdrantClient, prefix: str, model: str, dimension: int) -> None:
        """Use the collection of this model whose name begins with `prefix`: meshes that share a server differ in it."""
        self.name = f"qdrant/{model}/{dimension}"
        self._client, self._dimension = client, dimension
        readable = re.sub("[^a-z0-9]+", "-", model.lower())[:64]
        self._collection = f"{prefix}-{readable}-{dimension}-{hashlib.sha256(self.name.encode()).hexdigest()[:8]}"

    async def exists(self) -> bool:
        """Tell whether the collection is there."""
        with _driver_errors():
            return await self._client.collection_exists(self._collection)

    async def reset(self) -> None:
        """Make the collection, empty, with its payload indexes."""
        with _driver_errors():
            await self._client.delete_collection(self._collection)
            await self._client.create_collection(
                self._collection,
                vectors_config=models.VectorParams(size=self._dimension, distance=models.Distance.COSINE),
                # No graph over all owners: a search compares with every vector of one of them, and misses none.
                hnsw_config=models.HnswConfigDiff(m=0, payload_m=0),
            )
            for field in ("tenant", "user", "kind", "session", "source"):
                schema = models.KeywordIndexParams(
                    type=models.KeywordIndexType.KEYWORD, is_tenant=True if field == "tenant" else None
                )
                await self._client.create_payload_index(self._collection, field, schema)

    async def drop(self) -> None:
        """Delete the collection."""
        with _driver_errors():
            await self._client.delete_collection(self._collection)

    async def replace(self, sources: Collection[Source], points: Sequence[Point]) -> None:
        """Let the sources have these points and no others."""
        new = [_struct(point) for point in points]
        by_owner = defaultdict(list)
        for source in sources:
            by_owner[source.owner, source.kind].append(source.id)
        ids = models.Filter(
            should=[
                models.Filter(must=[*_within(Place(owner, kind)), _equal("source", names)])
                for (owner, kind), names in by_owner.items()
            ],
            must_not=[models.HasIdCondition(has_id=[point.id for point in new])],
        )
        with _driver_errors():
            # New ones first: a source that changes is never missing in between.
            if new:
                await self._client.upsert(self._collection, new, wait=True)
            await self._client.delete(self._collection, models.FilterSelector(filter=ids), wait=True)

    async def at(self, place: Place) -> Nearest:
        """Return what asks the engine."""
        return partial(self._nearest, place)

    async def _nearest(self, place: Place, vector: Sequence[float], limit: int) -> dict[str, float]:
        with _driver_errors():
            found = await self._client.query_points_groups(
                self._collection,
                group_by="source",
                query=list(vector),
                query_filter=models.Filter(must=_within(place)),
                limit=limit,
                group_size=1,
                with_payload=False,
                timeout=_SECONDS,
            )
        return {str(group.id): group.hits[0].score for group in found.groups}

    async def forget(self, owner: Owner) -> None:
        """Let everything of the owner be gone."""
        theirs = models.FilterSelector(filter=models.Filter(must=_of(owner)))
        with _driver_errors():
            await self._client.delete(self._collection, theirs, wait=True)

    async def count(self, owner: Owner) -> int:
        """Return how many points the owner has."""
        theirs = models.Filter(must=_of(owner))
        with _driver_errors():
            return (await self._client.count(self._collection, count_filter=theirs, exact=True)).count

    async def ping(self) -> object:
        """Return if the server answers."""
        with _driver_errors():
            return await self._client.get_collections()


def _within(place: Place) -> list[models.Condition]:
    """Return the conditions, all of them, that keep a search within its place."""
    wanted = {"kind": str(place.kind)} | ({"session": place.session} if place.session else {})
    return [*_of(place.owner), *(_equal(field, [value]) for field, value in wanted.items())]


def _of(owner: Owner) -> list[models.Condition]:
    """Return the conditions, all of them, that keep to what an owner has: the one place where that is said."""
    return [_equal("tenant", [owner.tenant]), _equal("user", [owner.user])]


def _equal(field: str, values: list[str]) -> models.FieldCondition:
    return models.FieldCondition(key=field, match=models.MatchAny(any=values))


def _struct(point: Point) -> models.PointStruct:
    source = point.source
    name = "\n".join((source.owner.tenant, source.owner.user, source.kind, source.id, str(point.piece)))
    return models.PointStruct(
        id=str(uuid.uuid5(uuid.NAMESPACE_OID, name)),
        vector=list(point.vector),
        payload={
            "tenant": source.owner.tenant,
            "user": source.owner.user,
            "kind": str(source.kind),
            "source": source.id,
            "session": point.session,
        },
    )


@contextmanager
def _driver_errors() -> Iterator[None]:
    # A collection that is not there is a ValueError in the client's local mode.
    try:
        yield
    except (ApiException, QdrantException, grpc.RpcError, OSError, ValueError) as error:
        raise Unavailable("the vector index does not answer") from error
