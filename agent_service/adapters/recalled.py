"""What memory tells, as values of the domain: who said it in words that a model understands."""

from datetime import UTC, datetime
from typing import Any

from agentmesh.memory.v1 import document_pb2, fact_pb2, interaction_pb2, origin_pb2

from agent_service.domain.task import RecalledFact, RecalledPassage, RecalledTurn

__all__ = ["recalled_fact", "recalled_passage", "recalled_turn"]

_FACT_SAID_BY = {
    fact_pb2.FACT_ORIGIN_AGENT: "noted by an agent",
    fact_pb2.FACT_ORIGIN_TOOL: "from a tool",
    fact_pb2.FACT_ORIGIN_DOCUMENT: "from a document",
}
_INPUT_SAID_BY = {
    origin_pb2.ORIGIN_AGENT: "another agent",
    origin_pb2.ORIGIN_TOOL: "a tool",
    origin_pb2.ORIGIN_DOCUMENT: "a document",
}


def recalled_fact(fact: fact_pb2.Fact) -> RecalledFact:
    """Return the fact, with who said it and from where."""
    said_by = _FACT_SAID_BY.get(fact.origin, "told by the user") + (f", {fact.source}" if fact.source else "")
    return RecalledFact(_time(fact, "update_time"), fact.key, fact.value, said_by)


def recalled_turn(turn: interaction_pb2.Interaction) -> RecalledTurn:
    """Return the turn, with who said its input and from where."""
    said_by = _INPUT_SAID_BY.get(turn.origin) or turn.speaker or "user"
    said_by += f", {turn.source}" if turn.source else ""
    return RecalledTurn(_time(turn, "create_time"), turn.input, turn.output, said_by)


def recalled_passage(passage: document_pb2.Passage) -> RecalledPassage:
    """Return the passage, with the citation of its place."""
    return RecalledPassage(passage.title, f"{passage.document}#{passage.number}", passage.text)


def _time(message: Any, field: str) -> datetime | None:
    return getattr(message, field).ToDatetime(UTC) if message.HasField(field) else None
