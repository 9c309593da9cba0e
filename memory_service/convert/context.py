"""Contexts: between the contract's messages and the domain's values."""

from agentmesh.memory.v1 import context_pb2, context_service_pb2

from memory_service.convert.documents import passage_to_proto
from memory_service.convert.facts import fact_to_proto
from memory_service.convert.interactions import interaction_to_proto
from memory_service.domain.context import Context, ContextItem, ContextQuery
from memory_service.domain.model import Fact, Interaction, Passage

__all__ = ["context_to_proto", "query_from_proto"]

_DEFAULT_BUDGET = 2000
_DEFAULT_RECENT, _DEFAULT_SEMANTIC, _DEFAULT_FACTS, _DEFAULT_DOCUMENTS = 10, 8, 16, 4


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
        documents=request.document_limit if request.HasField("document_limit") else _DEFAULT_DOCUMENTS,
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
    match item.source:
        case Fact():
            message.fact.CopyFrom(fact_to_proto(item.source))
        case Passage():
            message.passage.CopyFrom(passage_to_proto(item.source))
        case Interaction():
            message.interaction.CopyFrom(interaction_to_proto(item.source))
    return message
