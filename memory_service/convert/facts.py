"""Facts: between the contract's messages and the domain's values."""

from datetime import datetime

from agentmesh.memory.v1 import fact_pb2, memory_service_pb2
from google.protobuf.timestamp_pb2 import Timestamp

from memory_service.convert.interactions import interaction_to_proto, origin_or_none
from memory_service.convert.requests import time_from_proto, timestamp
from memory_service.domain.facts import Explanation, FactDraft, Provenance
from memory_service.domain.model import Fact, FactCategory, FactVersion, Match

__all__ = [
    "category_from_proto",
    "explanation_to_proto",
    "fact_draft",
    "fact_match_to_proto",
    "fact_to_proto",
    "provenance_of",
    "time_of",
    "version_to_proto",
]

_DEFAULT_IMPORTANCE = 0.5


def fact_draft(request: memory_service_pb2.PutFactRequest) -> FactDraft:
    """Return the fact that a request tells. Raises InvalidArgument for a time that no calendar has."""
    return FactDraft(
        key=request.key,
        value=request.value,
        category=category_from_proto(request.category) or FactCategory.KNOWLEDGE,
        importance=request.importance if request.HasField("importance") else _DEFAULT_IMPORTANCE,
        etag=request.etag,
        origin=origin_or_none(request.origin),
        provenance=provenance_of(request),
    )


def provenance_of(
    request: memory_service_pb2.PutFactRequest | memory_service_pb2.SupersedeFactRequest,
) -> Provenance:
    """Return where the fact of a request comes from. Raises InvalidArgument as `fact_draft` does."""
    return Provenance(
        run=request.run,
        step=request.step,
        source=request.source,
        interaction=request.interaction,
        quote=request.quote,
        valid_from=time_of(request, "valid_from"),
        valid_to=time_of(request, "valid_to"),
    )


def time_of(
    request: memory_service_pb2.PutFactRequest
    | memory_service_pb2.SupersedeFactRequest
    | memory_service_pb2.ListFactsRequest,
    field: str,
) -> datetime | None:
    """Return the time of a request's field, None if it is not set. Raises InvalidArgument as `fact_draft` does."""
    return time_from_proto(getattr(request, field), field) if request.HasField(field) else None


def category_from_proto(category: fact_pb2.FactCategory) -> FactCategory | None:
    """Return the category, None if it is unspecified."""
    if category == fact_pb2.FACT_CATEGORY_UNSPECIFIED:
        return None
    return FactCategory(fact_pb2.FactCategory.Name(category).removeprefix("FACT_CATEGORY_"))


def fact_to_proto(fact: Fact) -> fact_pb2.Fact:
    """Return the fact as a message."""
    return fact_pb2.Fact(
        id=fact.id,
        user=fact.owner.user,
        key=fact.key,
        value=fact.value,
        category=f"FACT_CATEGORY_{fact.category}",
        importance=fact.importance,
        origin=f"FACT_ORIGIN_{fact.origin}",
        run=fact.run,
        create_time=timestamp(fact.create_time),
        update_time=timestamp(fact.update_time),
        etag=fact.etag,
        source=fact.source,
        step=fact.step,
        interaction=fact.interaction,
        quote=fact.quote,
        valid_from=_timestamp(fact.valid_from),
        valid_to=_timestamp(fact.valid_to),
        confirm_time=_timestamp(fact.confirm_time or fact.update_time),
        version=fact.version,
        contested=fact.contested,
    )


def fact_match_to_proto(match: Match[Fact]) -> fact_pb2.FactMatch:
    """Return the match as a message."""
    return fact_pb2.FactMatch(fact=fact_to_proto(match.item), score=match.score)


def version_to_proto(version: FactVersion) -> fact_pb2.FactVersion:
    """Return the version as a message."""
    return fact_pb2.FactVersion(
        number=version.number,
        change=f"FACT_CHANGE_{version.change}",
        reason=version.reason,
        fact=fact_to_proto(version.fact),
        record_time=timestamp(version.record_time),
        replace_time=_timestamp(version.replace_time),
    )


def explanation_to_proto(explanation: Explanation) -> memory_service_pb2.ExplainFactResponse:
    """Return the explanation as a message."""
    return memory_service_pb2.ExplainFactResponse(
        fact=fact_to_proto(explanation.fact),
        interaction=interaction_to_proto(explanation.interaction) if explanation.interaction else None,
        replaced=[version_to_proto(version) for version in explanation.replaced],
        contesting=[version_to_proto(version) for version in explanation.contesting],
    )


def _timestamp(time: datetime | None) -> Timestamp | None:
    return timestamp(time) if time is not None else None
