"""What memory recalled, as one text for the model. How each thing is told is `meshkit.quoting`."""

from collections.abc import Sequence

from agent_service.domain.task import RecalledFact, RecalledItem, RecalledPassage, RecalledTurn
from meshkit.quoting import fact_line, memory_block, passage_line, turn_lines

__all__ = ["render"]


def render(items: Sequence[RecalledItem]) -> str:
    """Return the block, one line for each thing said; empty if there are no items."""
    return memory_block(line for item in items for line in _lines(item))


def _lines(item: RecalledItem) -> list[str]:
    match item:
        case RecalledPassage():
            return [passage_line(item.title, item.citation, item.text)]
        case RecalledFact():
            return [fact_line(item.when, item.said_by, item.key, item.value)]
        case RecalledTurn():
            return turn_lines(item.when, item.said_by, item.input, "", item.output)
