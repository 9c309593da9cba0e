"""The words of one kind of one owner's things, in the order in which they stand beside each other.

Owns that form: flat arrays over all of them, sorted by session (or document) and by the place in it, so that a thing's
neighbours are beside it.
"""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from memory_service.retrieval.lexicon import Lexicon

__all__ = ["Row", "WordShard"]

_ROW_BYTES = 600  # of a row's strings and of the places they are listed in


@dataclass(frozen=True, slots=True)
class Row:
    """What is indexed of one thing."""

    source: str
    session: str
    place: int
    """Where it stands in its session: of a turn the microseconds since 1970, of a passage its number."""
    head: str
    """Who spoke, by name; empty for the user."""
    asks: bool
    """It holds a question."""
    terms: bytes
    """From `lexicon.pack`."""


@dataclass(frozen=True, slots=True, eq=False)
class WordShard:
    """Rows in the order of sessions and places. It never changes: more rows make another one, in a millisecond or two.

    That matters because every turn that is stored makes one.
    """

    rows: Sequence[Row] = ()
    numbers: Mapping[str, int] = field(default_factory=dict)
    """The place of each source among the rows."""
    lexicon: Lexicon = field(default_factory=Lexicon.empty)
    """The terms of all rows."""
    sessions: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    """The number of each row's session."""
    session_numbers: Mapping[str, int] = field(default_factory=dict)
    speakers: frozenset[str] = frozenset()
    """Who spoke, by name."""
    size: int = _ROW_BYTES
    """About how many bytes it takes."""

    def with_rows(self, new: Sequence[Row]) -> "WordShard | None":
        """Return the shard with the rows in it. Rows that it has come again; None if one of them is not as it was."""
        fresh = []
        for row in new:
            there = self.numbers.get(row.source)
            if there is None:
                fresh.append(row)
            elif self.rows[there] != row:
                return None
        if not fresh:
            return self
        fresh.sort(key=_standing)
        spots = [bisect_left(self.rows, _standing(row), key=_standing) for row in fresh]
        rows = list(self.rows)
        for before, (spot, row) in enumerate(zip(spots, fresh, strict=True)):
            rows.insert(spot + before, row)
        session_numbers = dict(self.session_numbers)
        sessions = [session_numbers.setdefault(row.session, len(session_numbers)) for row in fresh]
        return WordShard(
            rows,
            {row.source: number for number, row in enumerate(rows)},
            self.lexicon.plus(spots, [row.terms for row in fresh]),
            np.insert(self.sessions, spots, sessions),
            session_numbers,
            self.speakers | {row.head for row in fresh if row.head},
            self.size + sum(_ROW_BYTES + len(row.terms) for row in fresh),
        )


def _standing(row: Row) -> tuple[str, int, str]:
    return row.session, row.place, row.source
