"""Between the contract's messages and the domain's values. Pure; the contract's defaults are filled in here."""

from datetime import UTC, datetime

from agentmesh.memory.v1 import (
    context_pb2,
    context_service_pb2,
    document_pb2,
    document_service_pb2,
    fact_pb2,
    interaction_pb2,
    interaction_service_pb2,
    memory_service_pb2,
)
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from memory_service.domain.context import Context, ContextItem, ContextQuery
from memory_service.domain.documents import DocumentDraft
from memory_service.domain.facts import FactDraft
from memory_service.domain.interactions import TurnDraft
from memory_service.domain.model import Document, Fact, FactCategory, Interaction, Match, Passage
from memory_service.domain.ports import RequestKey
from meshkit.errors import InvalidArgument
from meshkit.sql.idempotency import digest_of

__all__ = [
    "category_from_proto",
    "context_to_proto",
    "document_draft",
    "document_to_proto",
    "fact_draft",
    "fact_match_to_proto",
    "fact_to_proto",
    "interaction_match_to_proto",
    "interaction_to_proto",
    "passage_match_to_proto",
    "query_from_proto",
    "request_key",
    "search_limit",
    "turn_draft",
]

_DEFAULT_IMPORTANCE = 0.5
_DEFAULT_BUDGET = 2000
_DEFAULT_MATCHES = 10
_DEFAULT_RECENT, _DEFAULT_SEMANTIC, _DEFAULT_FACTS = 10, 8, 16


def request_key(method: str, request_id: str, request: Message) -> RequestKey:
    """Return what makes the request safe to repeat."""
    return RequestKey(method, request_id, digest_of(request))


def search_limit(requested: int) -> int:
    """Return how many matches to send: 10 when 0 is asked for."""
    return requested or _DEFAULT_MATCHES


def turn_draft(request: interaction_service_pb2.StoreInteractionRequest) -> TurnDraft:
    """Return the turn that a request tells. Raises InvalidArgument for a time that no calendar has."""
    return TurnDraft(
        session=request.session,
        run=request.run,
        agent=request.agent,
        input=request.input,
        output=request.output,
        labels=dict(request.labels),
        create_time=_time(request.create_time) if request.HasField("create_time") else None,
    )


def interaction_to_proto(turn: Interaction) -> interaction_pb2.Interaction:
    """Return the turn as a message."""
    return interaction_pb2.Interaction(
        id=turn.id,
        user=turn.owner.user,
        session=turn.session,
        run=turn.run,
        agent=turn.agent,
        input=turn.input,
        output=turn.output,
        labels=turn.labels,
        create_time=_timestamp(turn.create_time),
    )


def interaction_match_to_proto(match: Match[Interaction]) -> interaction_pb2.InteractionMatch:
    """Return the match as a message."""
    return interaction_pb2.InteractionMatch(interaction=interaction_to_proto(match.item), score=match.score)


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
        create_time=_timestamp(fact.create_time),
        update_time=_timestamp(fact.update_time),
        etag=fact.etag,
    )


def fact_match_to_proto(match: Match[Fact]) -> fact_pb2.FactMatch:
    """Return the match as a message."""
    return fact_pb2.FactMatch(fact=fact_to_proto(match.item), score=match.score)


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
        create_time=_timestamp(document.create_time),
    )


def passage_match_to_proto(match: Match[Passage]) -> document_pb2.PassageMatch:
    """Return the match as a message."""
    passage = document_pb2.Passage(
        document=match.item.document,
        number=match.item.number,
        title=match.item.title,
        uri=match.item.uri,
        heading=match.item.heading,
        text=match.item.text,
        start=match.item.start,
        end=match.item.end,
    )
    return document_pb2.PassageMatch(passage=passage, score=match.score)


def query_from_proto(request: context_service_pb2.GetContextRequest) -> ContextQuery:
    """Return what is asked for, with the contract's defaults."""
    return ContextQuery(
        user=request.user,
        session=request.session,
        query=request.query,
        budget=request.token_budget or _DEFAULT_BUDGET,
        recent=request.recent_limit if request.HasField("recent_limit") else _DEFAULT_RECENT,
        semantic=request.semantic_limit if request.HasField("semantic_limit") else _DEFAULT_SEMANTIC,
        facts=request.fact_limit if request.HasField("fact_limit") else _DEFAULT_FACTS,
    )


def context_to_proto(context: Context) -> context_service_pb2.GetContextResponse:
    """Return the context as a message."""
    return context_service_pb2.GetContextResponse(
        items=[_item_to_proto(item) for item in context.items],
        tokens=context.tokens,
        degraded=[f"MEMORY_LAYER_{layer}" for layer in context.degraded],
    )


def _item_to_proto(item: ContextItem) -> context_pb2.ContextItem:
    message = context_pb2.ContextItem(layer=f"MEMORY_LAYER_{item.layer}", score=item.score, tokens=item.tokens)
    if isinstance(item.source, Fact):
        message.fact.CopyFrom(fact_to_proto(item.source))
    else:
        message.interaction.CopyFrom(interaction_to_proto(item.source))
    return message


def _time(timestamp: Timestamp) -> datetime:
    try:
        return timestamp.ToDatetime(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise InvalidArgument("create_time is no time between the years 1 and 9999", field="create_time") from None


def _timestamp(time: datetime) -> Timestamp:
    message = Timestamp()
    message.FromDatetime(time.astimezone(UTC))
    return message
