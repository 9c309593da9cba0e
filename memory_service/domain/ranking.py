"""What of the findings is told, and how much of it fits a budget. Pure functions."""

from collections.abc import Hashable, Iterable
from typing import TypeVar

from memory_service.domain.model import Fact, Interaction, Passage

__all__ = ["Recalled", "distinct", "fit", "tokens_of"]

Recalled = Interaction | Fact | Passage

Item = TypeVar("Item", Interaction, Fact, Passage, Recalled)


def distinct(items: Iterable[Item], seen: Iterable[Recalled] = ()) -> list[Item]:
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


def tokens_of(item: Recalled) -> int:
    """Return about how many tokens an item takes: a quarter of its UTF-8 bytes, rounded up."""
    size = sum(len(part.encode()) for part in _parts(item))
    return -(-size // 4)


def _text(item: Recalled) -> Hashable:
    return tuple(" ".join(part.split()).casefold() for part in _parts(item) if part.strip())


def _parts(item: Recalled) -> tuple[str, ...]:
    match item:
        case Fact():
            return (item.key, item.value)
        case Passage():
            return (item.text,)
        case Interaction():
            return (item.input, item.output)
