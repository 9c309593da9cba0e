"""Facts: between the contract's messages and the domain's values."""

from agentmesh.memory.v1 import fact_pb2, memory_service_pb2

from memory_service.convert.requests import timestamp
from memory_service.domain.facts import FactDraft
from memory_service.domain.model import Fact, FactCategory, Match

__all__ = ["category_from_proto", "fact_draft", "fact_match_to_proto", "fact_to_proto"]

_DEFAULT_IMPORTANCE = 0.5


def fact_draft(request: memory_service_pb2.PutFactRequest) -> FactDraft:
    """Return the fact that a request tells."""
    return FactDraft(
        key=request.key,
        value=request.value,
        category=category_from_proto(request.category) or FactCategory.KNOWLEDGE,
        importance=request.importance if request.HasField("importance") else _DEFAULT_IMPORTANCE,
        run=request.run,
        etag=request.etag,
    )


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
    )


def fact_match_to_proto(match: Match[Fact]) -> fact_pb2.FactMatch:
    """Return the match as a message."""
    return fact_pb2.FactMatch(fact=fact_to_proto(match.item), score=match.score)
