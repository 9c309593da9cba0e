"""Documents: between the contract's messages and the domain's values."""

from agentmesh.memory.v1 import document_pb2, document_service_pb2

from memory_service.convert.requests import timestamp
from memory_service.domain.documents import DocumentDraft
from memory_service.domain.model import Document, Match, Passage

__all__ = ["document_draft", "document_to_proto", "passage_match_to_proto", "passage_to_proto"]


def document_draft(request: document_service_pb2.IngestDocumentRequest) -> DocumentDraft:
    """Return the document that a request brings."""
    return DocumentDraft(
        title=request.title,
        uri=request.uri,
        media_type=request.media_type,
        content=request.content,
        labels=dict(request.labels),
    )


def document_to_proto(document: Document) -> document_pb2.Document:
    """Return what is known of the document as a message."""
    return document_pb2.Document(
        id=document.id,
        user=document.owner.user,
        title=document.title,
        uri=document.uri,
        media_type=document.media_type,
        labels=document.labels,
        sha256=document.sha256,
        characters=document.characters,
        passages=document.passages,
        create_time=timestamp(document.create_time),
    )


def passage_to_proto(passage: Passage) -> document_pb2.Passage:
    """Return the passage as a message."""
    return document_pb2.Passage(
        document=passage.document,
        number=passage.number,
        title=passage.title,
        uri=passage.uri,
        heading=passage.heading,
        text=passage.text,
        start=passage.start,
        end=passage.end,
    )


def passage_match_to_proto(match: Match[Passage]) -> document_pb2.PassageMatch:
    """Return the match as a message."""
    return document_pb2.PassageMatch(passage=passage_to_proto(match.item), score=match.score)
