"""The words of one kind of one owner's things, in the order in which they stand beside each other.

Owns that form: flat arrays over all of them, sorted by session (or document) and by the place in it, so that a thing's
neighbours are beside it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from memory_service.retrieval.lexicon import Lexicon, unpack

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


@dataclass(frozen=True, eq=False)
class WordShard:
    """Rows in the order of sessions and places. It never changes."""

    rows: Sequence[Row] = ()
    numbers: Mapping[str, int] = field(default_factory=dict)
    """The place of each source among the rows."""

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
        rows = sorted([*self.rows, *fresh], key=lambda row: (row.session, row.place, row.source))
        return WordShard(rows, {row.source: number for number, row in enumerate(rows)})

    @cached_property
    def size(self) -> int:
        """About how many bytes it takes. Every search asks, and adding up ten thousand rows takes milliseconds."""
        return sum(len(row.terms) for row in self.rows) + _ROW_BYTES * (1 + len(self.rows))

    @cached_property
    def lexicon(self) -> Lexicon:
        """The terms of all rows."""
        return unpack([row.terms for row in self.rows])

    @cached_property
    def speakers(self) -> frozenset[str]:
        """Who spoke, by name."""
        return frozenset(row.head for row in self.rows if row.head)

    @cached_property
    def sessions(self) -> NDArray[np.int64]:
        """The number of each row's session, in the order in which they come."""
        names = [row.session for row in self.rows]
        changes = [0, *(int(one != other) for one, other in pairwise(names))]
        return np.cumsum(np.array(changes[: len(names)], dtype=np.int64))
