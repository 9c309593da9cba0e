"""Turns: between the contract's messages and the domain's values."""

from agentmesh.memory.v1 import interaction_pb2, interaction_service_pb2, origin_pb2

from memory_service.convert.requests import time_from_proto, timestamp
from memory_service.domain.interactions import TurnDraft
from memory_service.domain.model import Interaction, Match, Origin

__all__ = ["interaction_match_to_proto", "interaction_to_proto", "origin_from_proto", "origin_or_none", "turn_draft"]


def turn_draft(request: interaction_service_pb2.StoreInteractionRequest) -> TurnDraft:
    """Return the turn that a request tells. Raises InvalidArgument for a time that no calendar has."""
    return TurnDraft(
        session=request.session,
        run=request.run,
        agent=request.agent,
        input=request.input,
        output=request.output,
        labels=dict(request.labels),
        create_time=time_from_proto(request.create_time, "create_time") if request.HasField("create_time") else None,
        speaker=request.speaker,
        origin=origin_from_proto(request.origin),
        source=request.source,
    )


def origin_from_proto(origin: origin_pb2.Origin) -> Origin:
    """Return who said it; the user if nobody told."""
    return origin_or_none(origin) or Origin.USER


def origin_or_none(origin: origin_pb2.Origin) -> Origin | None:
    """Return who said it, None if nobody told."""
    if origin == origin_pb2.ORIGIN_UNSPECIFIED:
        return None
    return Origin(origin_pb2.Origin.Name(origin).removeprefix("ORIGIN_"))


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
        create_time=timestamp(turn.create_time),
        speaker=turn.speaker,
        origin=f"ORIGIN_{turn.origin}",
        source=turn.source,
    )


def interaction_match_to_proto(match: Match[Interaction]) -> interaction_pb2.InteractionMatch:
    """Return the match as a message."""
    return interaction_pb2.InteractionMatch(interaction=interaction_to_proto(match.item), score=match.score)
