# ruff: noqa: N802 - the contract names the methods
"""ContextService."""

from typing import Any

from agentmesh.memory.v1 import context_service_pb2, context_service_pb2_grpc

from memory_service.convert.context import context_to_proto, query_from_proto
from memory_service.domain.context import Contexts
from meshkit.context import current

__all__ = ["ContextServicer"]


class ContextServicer(context_service_pb2_grpc.ContextServiceServicer):
    """Serves contexts."""

    def __init__(self, contexts: Contexts) -> None:
        self._contexts = contexts

    async def GetContext(
        self, request: context_service_pb2.GetContextRequest, context: Any
    ) -> context_service_pb2.GetContextResponse:
        """Gather what is known."""
        return context_to_proto(await self._contexts.gather(current(), query_from_proto(request)))
