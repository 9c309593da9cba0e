"""What of the findings is told: no text twice, and no more than a budget takes. Pure."""

from collections.abc import Iterable
from itertools import islice
from typing import TypeVar

from memory_service.domain.model import USERS_OWN, Fact, Interaction, Origin, Passage

__all__ = ["Recalled", "Telling", "distinct", "tokens_of"]

Recalled = Interaction | Fact | Passage

Item = TypeVar("Item", Interaction, Fact, Passage, Recalled)


class Telling:
    """What is told. It is filled with what matters most first, and knows the very objects that it was given."""

    def __init__(self) -> None:
        self._told: set[int] = set()
        self._texts = _Texts()

    def add(self, items: Iterable[Recalled], budget: int) -> int:
        """Tell what is new of the items and fits into the tokens, in order; returns the tokens left.

        One too large is passed over, so it may be offered again when there is more room.
        """
        for item in items:
            if id(item) in self._told:
                continue
            if (tokens := tokens_of(item)) <= budget and self._texts.add(item):
                self._told.add(id(item))
                budget -= tokens
        return budget

    def of(self, items: Iterable[Item]) -> list[Item]:
        """Return those of the items that are told, in order."""
        return [item for item in items if id(item) in self._told]


def distinct(items: Iterable[Item], seen: Iterable[Recalled] = (), *, most: int | None = None) -> list[Item]:
    """Return the first items whose text is new, in order: of things said twice, the first is enough."""
    texts = _Texts()
    for item in seen:
        texts.add(item)
    return list(islice(filter(texts.add, items), most))


class _Texts:
    """The texts of some items, told apart by their words alone: case and white space do not count."""

    def __init__(self) -> None:
        self._known: set[tuple[tuple[str, ...], bool]] = set()

    def add(self, item: Recalled) -> bool:
        """Add the item's texts; returns whether they were new: one item has not told all of them.

        What the user said is new though somebody else said it too: nobody takes away the user's word by repeating it.
        """
        texts, own = tuple(" ".join(part.split()).casefold() for part in _said(item) if part.strip()), _is_own(item)
        if self._known & {(texts, own), (texts, True)}:
            return False
        self._known.add((texts, own))
        self._known.update(((text,), own) for text in texts)  # whatever says no more than a part of it is no news
        return True


def tokens_of(item: Recalled) -> int:
    """Return about how many tokens an item takes: a quarter of its UTF-8 bytes, rounded up."""
    size = sum(len(part.encode()) for part in _parts(item))
    return -(-size // 4)


def _said(item: Recalled) -> tuple[str, ...]:
    return (f"{item.key}: {item.value}",) if isinstance(item, Fact) else _parts(item)


def _is_own(item: Recalled) -> bool:
    match item:
        case Fact():
            return item.origin in USERS_OWN
        case Passage():
            return False
        case Interaction():
            return item.origin is Origin.USER


def _parts(item: Recalled) -> tuple[str, ...]:
    match item:
        case Fact():
            return (item.key, item.value)
        case Passage():
            return (item.text,)
        case Interaction():
            return (item.input, item.output)
