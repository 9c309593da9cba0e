# ruff: noqa: N802 - the contract names the methods
"""ExtractionService."""

from typing import Any

from agentmesh.memory.v1 import extraction_pb2, extraction_service_pb2, extraction_service_pb2_grpc

from memory_service.convert.extraction import extraction_to_proto
from memory_service.domain.extracting import Extractions
from meshkit.context import current
from meshkit.paging import page_size

__all__ = ["ExtractionServicer"]


class ExtractionServicer(extraction_service_pb2_grpc.ExtractionServiceServicer):
    """Serves what is found in turns."""

    def __init__(self, extractions: Extractions) -> None:
        self._extractions = extractions

    async def ExtractFacts(
        self, request: extraction_service_pb2.ExtractFactsRequest, context: Any
    ) -> extraction_pb2.Extraction:
        """Look through a turn."""
        found = await self._extractions.extract(current(), request.interaction, request.user, dry_run=request.dry_run)
        return extraction_to_proto(found)

    async def ListExtractions(
        self, request: extraction_service_pb2.ListExtractionsRequest, context: Any
    ) -> extraction_service_pb2.ListExtractionsResponse:
        """List what was found in a user's turns, newest first."""
        page = await self._extractions.list(current(), request.user, page_size(request.page_size), request.page_token)
        extractions = [extraction_to_proto(extraction) for extraction in page.items]
        return extraction_service_pb2.ListExtractionsResponse(
            extractions=extractions, next_page_token=page.next_page_token
        )
