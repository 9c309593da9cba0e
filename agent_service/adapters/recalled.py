"""What memory tells, as values of the domain."""

from datetime import UTC, datetime
from typing import Any

from agentmesh.memory.v1 import document_pb2, fact_pb2, interaction_pb2, origin_pb2

from agent_service.domain.task import RecalledFact, RecalledPassage, RecalledTurn
from meshkit.quoting import fact_said_by, turn_said_by

__all__ = ["recalled_fact", "recalled_passage", "recalled_turn"]


def recalled_fact(fact: fact_pb2.Fact) -> RecalledFact:
    """Return the fact, with who said it and from where."""
    said_by = fact_said_by(
        _name(fact_pb2.FactOrigin, fact.origin, "FACT_ORIGIN_"), fact.source, contested=fact.contested
    )
    return RecalledFact(_time(fact, "update_time"), fact.key, fact.value, said_by)


def recalled_turn(turn: interaction_pb2.Interaction) -> RecalledTurn:
    """Return the turn, with who said its input and from where."""
    origin = _name(origin_pb2.Origin, turn.origin, "ORIGIN_")
    said_by = turn_said_by(origin, turn.speaker, turn.source)
    return RecalledTurn(_time(turn, "create_time"), turn.input, turn.output, said_by)


def recalled_passage(passage: document_pb2.Passage) -> RecalledPassage:
    """Return the passage, with the citation of its place."""
    return RecalledPassage(passage.title, f"{passage.document}#{passage.number}", passage.text)


def _name(origins: Any, number: int, prefix: str) -> str:
    """Return the name without its prefix; empty for one that a newer memory service knows and we do not."""
    return origins.Name(number).removeprefix(prefix) if number in origins.values() else ""


def _time(message: Any, field: str) -> datetime | None:
    return getattr(message, field).ToDatetime(UTC) if message.HasField(field) else None
