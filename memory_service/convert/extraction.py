"""What was found in turns: from the domain's values to the contract's messages."""

from agentmesh.memory.v1 import extraction_pb2

from memory_service.convert.requests import timestamp
from memory_service.domain.extraction import Extraction, Judged

__all__ = ["extraction_to_proto"]


def extraction_to_proto(extraction: Extraction) -> extraction_pb2.Extraction:
    """Return the report as a message."""
    return extraction_pb2.Extraction(
        interaction=extraction.interaction,
        user=extraction.owner.user,
        extractor=extraction.extractor,
        dry_run=extraction.dry_run,
        candidates=[_candidate_to_proto(each) for each in extraction.candidates],
        create_time=timestamp(extraction.create_time),
    )


def _candidate_to_proto(judged: Judged) -> extraction_pb2.ExtractionCandidate:
    candidate = judged.candidate
    return extraction_pb2.ExtractionCandidate(
        key=candidate.key,
        value=candidate.value,
        category=f"FACT_CATEGORY_{candidate.category}",
        importance=candidate.importance,
        quote=candidate.quote,
        verdict=f"EXTRACTION_VERDICT_{judged.verdict}",
        fact=judged.fact,
    )
