# ruff: noqa: N802 - the contract names the methods
"""InteractionService."""

from typing import Any

from agentmesh.memory.v1 import interaction_pb2, interaction_service_pb2, interaction_service_pb2_grpc

from memory_service.convert.interactions import interaction_match_to_proto, interaction_to_proto, turn_draft
from memory_service.convert.requests import request_key, search_limit
from memory_service.domain.interactions import Interactions
from meshkit.context import current
from meshkit.paging import page_size

__all__ = ["InteractionServicer"]


class InteractionServicer(interaction_service_pb2_grpc.InteractionServiceServicer):
    """Serves turns."""

    def __init__(self, interactions: Interactions) -> None:
        self._interactions = interactions

    async def StoreInteraction(
        self, request: interaction_service_pb2.StoreInteractionRequest, context: Any
    ) -> interaction_pb2.Interaction:
        """Store a turn."""
        key = request_key("StoreInteraction", request.request_id, request)
        return interaction_to_proto(await self._interactions.store(current(), key, request.user, turn_draft(request)))

    async def ListInteractions(
        self, request: interaction_service_pb2.ListInteractionsRequest, context: Any
    ) -> interaction_service_pb2.ListInteractionsResponse:
        """List a user's turns, newest first."""
        size = page_size(request.page_size)
        page = await self._interactions.list(current(), request.user, request.session, size, request.page_token)
        turns = [interaction_to_proto(turn) for turn in page.items]
        return interaction_service_pb2.ListInteractionsResponse(
            interactions=turns, next_page_token=page.next_page_token
        )

    async def SearchInteractions(
        self, request: interaction_service_pb2.SearchInteractionsRequest, context: Any
    ) -> interaction_service_pb2.SearchInteractionsResponse:
        """Find the turns that fit a query best."""
        limit = search_limit(request.limit)
        found, degraded = await self._interactions.search(
            current(), request.user, request.session, request.query, limit
        )
        matches = [interaction_match_to_proto(match) for match in found]
        return interaction_service_pb2.SearchInteractionsResponse(matches=matches, degraded=degraded)
