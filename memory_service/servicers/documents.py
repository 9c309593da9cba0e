# ruff: noqa: N802 - the contract names the methods
"""DocumentService."""

from typing import Any

from agentmesh.memory.v1 import document_pb2, document_service_pb2, document_service_pb2_grpc
from google.protobuf import empty_pb2

from memory_service.convert.documents import document_draft, document_to_proto, passage_match_to_proto
from memory_service.convert.requests import request_key, search_limit
from memory_service.domain.documents import Documents
from meshkit.context import current
from meshkit.paging import page_size

__all__ = ["DocumentServicer"]


class DocumentServicer(document_service_pb2_grpc.DocumentServiceServicer):
    """Serves documents."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents

    async def IngestDocument(
        self, request: document_service_pb2.IngestDocumentRequest, context: Any
    ) -> document_pb2.Document:
        """Store a document."""
        key = request_key("IngestDocument", request.request_id, request)
        return document_to_proto(await self._documents.ingest(current(), key, request.user, document_draft(request)))

    async def GetDocument(
        self, request: document_service_pb2.GetDocumentRequest, context: Any
    ) -> document_pb2.Document:
        """Read what is known of a document."""
        return document_to_proto(await self._documents.get(current(), request.document))

    async def ListDocuments(
        self, request: document_service_pb2.ListDocumentsRequest, context: Any
    ) -> document_service_pb2.ListDocumentsResponse:
        """List a user's documents, newest first."""
        page = await self._documents.list(current(), request.user, page_size(request.page_size), request.page_token)
        documents = [document_to_proto(document) for document in page.items]
        return document_service_pb2.ListDocumentsResponse(documents=documents, next_page_token=page.next_page_token)

    async def SearchDocuments(
        self, request: document_service_pb2.SearchDocumentsRequest, context: Any
    ) -> document_service_pb2.SearchDocumentsResponse:
        """Find the passages that fit a query best."""
        limit = search_limit(request.limit)
        found, degraded = await self._documents.search(current(), request.user, request.document, request.query, limit)
        matches = [passage_match_to_proto(match) for match in found]
        return document_service_pb2.SearchDocumentsResponse(matches=matches, degraded=degraded)

    async def DeleteDocument(
        self, request: document_service_pb2.DeleteDocumentRequest, context: Any
    ) -> empty_pb2.Empty:
        """Delete a document."""
        await self._documents.delete(current(), request.document)
        return empty_pb2.Empty()
