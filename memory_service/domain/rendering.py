"""A context as one text for a prompt. How each thing is told is `meshkit.quoting`."""

from memory_service.domain.context import Context
from memory_service.domain.model import Fact, Interaction, Passage
from memory_service.domain.ranking import Recalled
from meshkit.quoting import fact_line, fact_said_by, memory_block, passage_line, turn_lines, turn_said_by

__all__ = ["render"]


def render(context: Context) -> str:
    """Return the text; empty if nothing is known."""
    return memory_block(line for item in context.items for line in _lines(item.source))


def _lines(item: Recalled) -> list[str]:
    match item:
        case Passage():
            return [passage_line(item.title, item.id, item.text)]
        case Fact():
            said_by = fact_said_by(item.origin, item.source, contested=item.contested)
            return [fact_line(item.update_time, said_by, item.key, item.value)]
        case Interaction():
            said_by = turn_said_by(item.origin, item.speaker, item.source)
            return turn_lines(item.create_time, said_by, item.input, item.agent, item.output)
