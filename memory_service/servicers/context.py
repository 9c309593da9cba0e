# ruff: noqa: N802 - the contract names the methods
"""ContextService."""

from typing import Any

from agentmesh.memory.v1 import context_service_pb2, context_service_pb2_grpc

from memory_service.convert.context import context_to_proto, query_from_proto
from memory_service.domain.context import Contexts
from memory_service.domain.rendering import render
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

    async def RenderPrompt(
        self, request: context_service_pb2.RenderPromptRequest, context: Any
    ) -> context_service_pb2.RenderPromptResponse:
        """Gather what is known and write it as one text."""
        gathered = await self._contexts.gather(current(), query_from_proto(request.context))
        return context_service_pb2.RenderPromptResponse(text=render(gathered), context=context_to_proto(gathered))
