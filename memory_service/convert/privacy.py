"""Export, erasure and purge: from the domain's values to the contract's messages."""

from agentmesh.memory.v1 import privacy_service_pb2

from memory_service.convert.documents import document_to_proto, passage_to_proto
from memory_service.convert.extraction import extraction_to_proto
from memory_service.convert.facts import version_to_proto
from memory_service.convert.interactions import interaction_to_proto
from memory_service.domain.extraction import Extraction
from memory_service.domain.model import Document, FactVersion, Interaction, Passage
from memory_service.domain.privacy import Erased, Purged, Record

__all__ = ["erased_to_proto", "purged_to_proto", "record_to_proto"]


def record_to_proto(record: Record) -> privacy_service_pb2.ExportUserResponse:
    """Return the record as a message."""
    match record:
        case Interaction():
            return privacy_service_pb2.ExportUserResponse(interaction=interaction_to_proto(record))
        case FactVersion():
            return privacy_service_pb2.ExportUserResponse(fact=version_to_proto(record))
        case Document():
            return privacy_service_pb2.ExportUserResponse(document=document_to_proto(record))
        case Passage():
            return privacy_service_pb2.ExportUserResponse(passage=passage_to_proto(record))
        case Extraction():
            return privacy_service_pb2.ExportUserResponse(extraction=extraction_to_proto(record))


def erased_to_proto(erased: Erased) -> privacy_service_pb2.EraseUserResponse:
    """Return the counts as a message."""
    return privacy_service_pb2.EraseUserResponse(
        interactions=erased.interactions,
        facts=erased.facts,
        documents=erased.documents,
        extractions=erased.extractions,
    )


def purged_to_proto(purged: Purged) -> privacy_service_pb2.PurgeBySourceResponse:
    """Return the counts as a message."""
    return privacy_service_pb2.PurgeBySourceResponse(
        interactions=purged.interactions, facts=purged.facts, documents=purged.documents
    )
