"""How recalled memory is told to the model: one line for each thing said, with who said it and when.

Owns the lines; the block around them, which their content cannot close, is `meshkit.quoting`.
"""

from collections.abc import Iterator, Sequence

from agent_service.domain.task import RecalledFact, RecalledItem, RecalledPassage
from meshkit.quoting import memory_block, quoted

__all__ = ["render"]


def render(items: Sequence[RecalledItem]) -> str:
    """Return the block, one line for each thing said; empty if there are no items."""
    return memory_block(line for item in items for line in _lines(item))


def _lines(item: RecalledItem) -> Iterator[str]:
    if isinstance(item, RecalledPassage):
        yield f'document "{quoted(item.title)}" [{quoted(item.citation)}]: {quoted(item.text)}'
        return
    date = f"[{item.when:%Y-%m-%d}] " if item.when is not None else ""
    if isinstance(item, RecalledFact):
        yield f"{date}fact ({quoted(item.said_by)}): {quoted(item.key)}: {quoted(item.value)}"
        return
    yield f"{date}{quoted(item.said_by)}: {quoted(item.input)}"
    if item.output:
        yield f"{date}agent: {quoted(item.output)}"
