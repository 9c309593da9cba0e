"""How turns and facts are read by an embedding model: short pieces that say who said them, and when.

Owns the text form, which decides more about what is found than the model does. Pure functions.
"""

import textwrap
from collections.abc import Sequence
from datetime import datetime

from memory_service.domain.model import Fact, Interaction

__all__ = ["MAX_PIECES", "passages", "words"]

MAX_PIECES = 16
"""The most pieces of one side of a turn: beyond some 14,000 characters a text is found by its words only."""
_PIECE_CHARACTERS = 900  # about the 256 tokens that the offline model reads, with the head of the piece
_WORD_CHARACTERS = 32_768  # of each side: keeps the words of any text below what Postgres can store of one


def passages(item: Interaction | Fact) -> list[str]:
    """Return the pieces of a turn or fact, each to be embedded on its own."""
    if isinstance(item, Fact):
        return _pieces(f"{item.key}: ", item.value)
    who = item.agent or "assistant"
    day = _day(item.create_time)
    return _pieces(f"{day}, user: ", item.input) + _pieces(f"{day}, {who}: ", item.output)


def words(item: Interaction | Fact) -> str:
    """Return the text whose words a turn or fact is found by."""
    sides: Sequence[str] = (item.key, item.value) if isinstance(item, Fact) else (item.input, item.output)
    return "\n".join(side[:_WORD_CHARACTERS] for side in sides)


def _pieces(head: str, text: str) -> list[str]:
    # Cut first: a megabyte of text would be split for nothing.
    kept = text[: MAX_PIECES * _PIECE_CHARACTERS]
    pieces = textwrap.wrap(kept, _PIECE_CHARACTERS, break_on_hyphens=False)[:MAX_PIECES]
    return [head + piece for piece in pieces]


def _day(time: datetime) -> str:
    return f"{time.day} {time:%B} {time.year}"  # as people write it, and so questions ask for it
