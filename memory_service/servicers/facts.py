# ruff: noqa: N802 - the contract names the methods
"""MemoryService."""

from typing import Any

from agentmesh.memory.v1 import fact_pb2, memory_service_pb2, memory_service_pb2_grpc
from google.protobuf import empty_pb2

from memory_service.convert.facts import category_from_proto, fact_draft, fact_match_to_proto, fact_to_proto
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
        page = await self._facts.list(current(), request.user, category, size, request.page_token)
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

    async def DeleteFact(self, request: memory_service_pb2.DeleteFactRequest, context: Any) -> empty_pb2.Empty:
        """Delete a fact."""
        await self._facts.delete(current(), request.fact, request.etag)
        return empty_pb2.Empty()
