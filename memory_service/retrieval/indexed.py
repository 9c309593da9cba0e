"""What is indexed of a thing by words: its terms, where it stands, who spoke, and what its text shows."""

from datetime import UTC, datetime, timedelta

from memory_service.domain.model import Fact, Indexed, Interaction, Passage, session_of
from memory_service.domain.passages import words
from memory_service.retrieval.lexicon import pack
from memory_service.retrieval.shard import Row

__all__ = ["row_of"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def row_of(item: Indexed) -> Row:
    """Return what a search by words compares of the item."""
    text = words(item)
    return Row(
        source=item.id,
        session=session_of(item),
        place=_place(item),
        head=item.speaker if isinstance(item, Interaction) else "",
        asks="?" in text,
        terms=pack(text),
    )


def _place(item: Indexed) -> int:
    match item:
        case Interaction():
            return (item.create_time - _EPOCH) // timedelta(microseconds=1)
        case Passage():
            return item.number
        case Fact():
            return 0
