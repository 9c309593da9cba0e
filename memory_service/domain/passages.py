"""How memory is read by an embedding model: short pieces that say who said them and when, or where they stand.

Owns the text form, which decides more about what is found than the model does. Pure functions.
"""

import textwrap
from collections.abc import Sequence
from datetime import datetime

from memory_service.domain.model import Fact, Indexed, Interaction, Passage

__all__ = ["MAX_PIECES", "head", "passages", "words"]

MAX_PIECES = 16
"""The most pieces of one side of a turn: beyond some 14,000 characters a text is found by its words only."""
_PIECE_CHARACTERS = 900  # about the 256 tokens that the offline model reads, with the head of the piece
_HEAD_CHARACTERS = 80
_WORD_CHARACTERS = 32_768  # of each side: keeps the words of any text below what Postgres can store of one


def passages(item: Indexed) -> list[str]:
    """Return the pieces of an item, each to be embedded on its own; a passage of a document is one."""
    if isinstance(item, Passage):
        return [f"{_place(item)}: {item.text}"]
    if isinstance(item, Fact):
        return _pieces(f"{item.key}: ", item.value)
    return _pieces(head(item), item.input) + _pieces(
        f"{_day(item.create_time)}, {item.agent or 'assistant'}: ", item.output
    )


def head(turn: Interaction) -> str:
    """Return what precedes the input where it is read by a model: the day and who spoke."""
    return f"{_day(turn.create_time)}, {turn.speaker or 'user'}: "


def words(item: Indexed) -> str:
    """Return the text whose words an item is found by."""
    sides: Sequence[str]
    match item:
        case Fact():
            sides = (item.key, item.value)
        case Passage():
            sides = (_place(item), item.text)
        case Interaction():
            # Questions name the month and the year more often than what was said then does.
            sides = (f"{item.create_time:%B %Y}", item.input, item.output)
    return "\n".join(side[:_WORD_CHARACTERS] for side in sides)


def _pieces(head: str, text: str) -> list[str]:
    # Cut first: a megabyte of text would be split for nothing.
    kept = text[: MAX_PIECES * _PIECE_CHARACTERS]
    pieces = textwrap.wrap(kept, _PIECE_CHARACTERS, break_on_hyphens=False)[:MAX_PIECES]
    return [head + piece for piece in pieces]


def _place(passage: Passage) -> str:
    # Cut, so that a long head leaves room for the text in what the model reads.
    return f"{passage.title[:_HEAD_CHARACTERS]} > {passage.heading[-_HEAD_CHARACTERS:]}".removesuffix(" > ")


def _day(time: datetime) -> str:
    return f"{time.day} {time:%B} {time.year}"  # as people write it, and so questions ask for it
