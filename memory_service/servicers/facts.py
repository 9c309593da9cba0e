# ruff: noqa: N802 - the contract names the methods
"""MemoryService."""

from typing import Any

from agentmesh.memory.v1 import fact_pb2, memory_service_pb2, memory_service_pb2_grpc
from google.protobuf import empty_pb2

from memory_service.convert.facts import (
    category_from_proto,
    explanation_to_proto,
    fact_draft,
    fact_match_to_proto,
    fact_to_proto,
    provenance_of,
    time_of,
    version_to_proto,
)
from memory_service.convert.requests import request_key, search_limit
from memory_service.domain.facts import Facts
from meshkit.context import current
from meshkit.paging import page_size

__all__ = ["FactServicer"]


class FactServicer(memory_service_pb2_grpc.MemoryServiceServicer):
    """Serves facts."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts

    async def PutFact(self, request: memory_service_pb2.PutFactRequest, context: Any) -> fact_pb2.Fact:
        """Store or replace a fact."""
        key = request_key("PutFact", request.request_id, request)
        return fact_to_proto(await self._facts.put(current(), key, request.user, fact_draft(request)))

    async def GetFact(self, request: memory_service_pb2.GetFactRequest, context: Any) -> fact_pb2.Fact:
        """Read a fact."""
        return fact_to_proto(await self._facts.get(current(), request.fact))

    async def ListFacts(
        self, request: memory_service_pb2.ListFactsRequest, context: Any
    ) -> memory_service_pb2.ListFactsResponse:
        """List a user's facts by key."""
        size, category = page_size(request.page_size), category_from_proto(request.category)
        times = time_of(request, "valid_at"), time_of(request, "known_at")
        page = await self._facts.list(current(), request.user, category, size, request.page_token, *times)
        facts = [fact_to_proto(fact) for fact in page.items]
        return memory_service_pb2.ListFactsResponse(facts=facts, next_page_token=page.next_page_token)

    async def SearchFacts(
        self, request: memory_service_pb2.SearchFactsRequest, context: Any
    ) -> memory_service_pb2.SearchFactsResponse:
        """Find the facts that fit a query best."""
        limit = search_limit(request.limit)
        found, degraded = await self._facts.search(current(), request.user, request.query, limit)
        matches = [fact_match_to_proto(match) for match in found]
        return memory_service_pb2.SearchFactsResponse(matches=matches, degraded=degraded)

    async def SupersedeFact(self, request: memory_service_pb2.SupersedeFactRequest, context: Any) -> fact_pb2.Fact:
        """Replace the value of a fact with a reason."""
        fact = await self._facts.supersede(
            current(),
            request_key("SupersedeFact", request.request_id, request),
            request.fact,
            request.value,
            request.reason,
            request.importance if request.HasField("importance") else None,
            request.etag,
            provenance_of(request),
        )
        return fact_to_proto(fact)

    async def ListFactVersions(
        self, request: memory_service_pb2.ListFactVersionsRequest, context: Any
    ) -> memory_service_pb2.ListFactVersionsResponse:
        """List the versions of a fact, newest first."""
        size = page_size(request.page_size)
        page = await self._facts.versions(current(), request.fact, size, request.page_token)
        versions = [version_to_proto(version) for version in page.items]
        return memory_service_pb2.ListFactVersionsResponse(versions=versions, next_page_token=page.next_page_token)

    async def ExplainFact(
        self, request: memory_service_pb2.ExplainFactRequest, context: Any
    ) -> memory_service_pb2.ExplainFactResponse:
        """Tell why a fact is believed."""
        return explanation_to_proto(await self._facts.explain(current(), request.fact))

    async def DeleteFact(self, request: memory_service_pb2.DeleteFactRequest, context: Any) -> empty_pb2.Empty:
        """Delete a fact."""
        await self._facts.delete(current(), request.fact, request.etag)
        return empty_pb2.Empty()
