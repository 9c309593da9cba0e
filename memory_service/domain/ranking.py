"""What of the findings is told, and how much of it fits a budget. Pure functions."""

from collections.abc import Hashable, Iterable
from typing import TypeVar

from memory_service.domain.model import Fact, Interaction

__all__ = ["distinct", "fit", "tokens_of"]

Item = TypeVar("Item", Interaction, Fact, Interaction | Fact)


def distinct(items: Iterable[Item], seen: Iterable[Item] = ()) -> list[Item]:
    """Return the items whose text is new, in order: of things said twice, the first is enough."""
    known = {_text(item) for item in seen}
    fresh = []
    for item in items:
        text = _text(item)
        if text not in known:
            known.add(text)
            fresh.append(item)
    return fresh


def fit(items: Iterable[Item], budget: int) -> tuple[list[Item], int]:
    """Return the items that fit into the tokens, tried in order, and the tokens left. One too large is passed over."""
    kept = []
    for item in items:
        if (tokens := tokens_of(item)) <= budget:
            kept.append(item)
            budget -= tokens
    return kept, budget


def tokens_of(item: Interaction | Fact) -> int:
    """Return about how many tokens a turn or fact takes: a quarter of its UTF-8 bytes, rounded up."""
    size = sum(len(part.encode()) for part in _parts(item))
    return -(-size // 4)


def _text(item: Interaction | Fact) -> Hashable:
    return tuple(part.strip().casefold() for part in _parts(item))


def _parts(item: Interaction | Fact) -> tuple[str, str]:
    return (item.key, item.value) if isinstance(item, Fact) else (item.input, item.output)
