"""A context as one text for a prompt: a line for each thing said, with who said it, when, and where it stands.

Owns the lines; the block around them, which their content cannot close, is `meshkit.quoting`.
"""

from collections.abc import Iterator
from datetime import datetime

from memory_service.domain.context import Context
from memory_service.domain.model import Fact, FactOrigin, Interaction, Origin, Passage
from memory_service.domain.ranking import Recalled
from meshkit.quoting import memory_block, quoted

__all__ = ["render"]

_SAID_BY = {
    FactOrigin.CLIENT: "told by the user",
    FactOrigin.EXTRACTION: "told by the user",
    FactOrigin.AGENT: "noted by an agent",
    FactOrigin.TOOL: "from a tool",
    FactOrigin.DOCUMENT: "from a document",
}
_SPEAKERS = {Origin.AGENT: "another agent", Origin.TOOL: "a tool", Origin.DOCUMENT: "a document"}


def render(context: Context) -> str:
    """Return the text; empty if nothing is known."""
    return memory_block(line for item in context.items for line in _lines(item.source))


def _lines(item: Recalled) -> Iterator[str]:
    match item:
        case Passage():
            yield f'document "{quoted(item.title)}" [{quoted(item.id)}]: {quoted(item.text)}'
        case Fact():
            said = f"{_SAID_BY[item.origin]}{_from(item.source)}{', contested' if item.contested else ''}"
            yield f"{_date(item.update_time)}fact ({said}): {quoted(item.key)}: {quoted(item.value)}"
        case Interaction():
            speaker = _SPEAKERS.get(item.origin) or quoted(item.speaker) or "user"
            yield f"{_date(item.create_time)}{speaker}{_from(item.source)}: {quoted(item.input)}"
            if item.output:
                yield f"{_date(item.create_time)}{quoted(item.agent) or 'agent'}: {quoted(item.output)}"


def _from(source: str) -> str:
    return f", {quoted(source)}" if source else ""


def _date(time: datetime) -> str:
    return f"[{time:%Y-%m-%d}] "
