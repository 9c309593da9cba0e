"""What is kept of an owner's rows: brought in pieces, in any order, it is the same as brought at once."""

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from memory_service.retrieval.lexicon import pack
from memory_service.retrieval.shard import Row, WordShard
from memory_service.stores.vectors.kept import KEPT_ROWS, VectorShard

ROWS = st.lists(
    st.builds(
        Row,
        source=st.text("abcdef", min_size=1, max_size=3),
        session=st.sampled_from(["", "s", "t"]),
        place=st.integers(0, 9),
        head=st.sampled_from(["", "Ada", "Bob"]),
        asks=st.booleans(),
        terms=st.text("harbour kettle ", max_size=30).map(pack),
    ),
    unique_by=lambda row: row.source,
    max_size=20,
)


def words(*pieces: list[Row]) -> WordShard:
    shard = WordShard()
    for piece in pieces:
        grown = shard.with_rows(piece)
        assert grown is not None
        shard = grown
    return shard


def held(shard: WordShard) -> list[Any]:
    terms = shard.lexicon.terms.tolist(), shard.lexicon.counts.tolist(), shard.lexicon.offsets.tolist()
    return [shard.rows, shard.numbers, *terms, shard.lexicon.lengths.tolist(), shard.speakers, shard.size]


@given(ROWS, st.lists(st.integers(0, 20), max_size=4))
def test_words_stand_in_the_same_order_however_they_came(rows: list[Row], cuts: list[int]) -> None:
    bounds = [0, *sorted(cuts), len(rows)]
    whole, grown = words(rows), words(*(rows[start:end] for start, end in pairwise(bounds)))
    assert held(grown) == held(whole)
    assert [row.source for row in whole.rows] == [
        row.source for row in sorted(rows, key=lambda row: (row.session, row.place, row.source))
    ]
    for shard in (whole, grown):
        names = [row.session for row in shard.rows]
        together = [[one == other for other in names] for one in names]
        assert (shard.sessions[:, None] == shard.sessions[None]).tolist() == together


@given(ROWS)
def test_a_row_that_is_not_as_it_was_is_told(rows: list[Row]) -> None:
    shard = words(rows)
    assert shard.with_rows(rows) is shard
    for row in rows:
        assert shard.with_rows([replace(row, place=row.place + 1)]) is None


def found(*pieces: tuple[str, int, list[float]], count: int | None = None) -> dict[str, Any]:
    """As Postgres sends them: four bytes before the numbers of each vector."""
    sent = b"".join(b"\0\0\0\0" + np.array(vector, dtype=">f2").tobytes() for _, _, vector in pieces)
    sources, numbers = [source for source, _, _ in pieces], [number for _, number, _ in pieces]
    return {
        "count": len(pieces) if count is None else count,
        "sources": sources, "sessions": ["s" for _ in pieces], "pieces": numbers, "vectors": sent,
    }  # fmt: skip


def test_vectors_that_come_later_leave_an_older_shard_as_it_was() -> None:
    first = VectorShard.empty(2).plus(found(("a", 0, [1, 0]), ("b", 0, [0, 1])))
    assert first is not None
    shards = [first]
    for number in range(40):
        grown = shards[-1].plus(found((f"c{number}", 0, [number, 1])))
        assert grown is not None
        shards.append(grown)
    for number, shard in enumerate(shards):
        assert shard.vectors[:2].tolist() == [[1, 0], [0, 1]]
        assert shard.vectors[2:].tolist() == [[each, 1] for each in range(number)]
    other = shards[3].plus(found(("other", 0, [7, 7])))
    assert other is not None
    assert other.vectors[-1].tolist() == [7, 7]
    assert shards[4].vectors[-1].tolist() == [3, 1], "two that follow the same one do not write over each other"


def test_a_vector_that_is_not_as_it_was_is_told_and_too_many_are_not_kept() -> None:
    shard = VectorShard.empty(2).plus(found(("a", 0, [1, 0])))
    assert shard is not None
    assert shard.plus(found(("a", 0, [1, 0]))) is shard
    assert shard.plus(found(("a", 0, [0, 1]))) is None
    full = shard.plus(found(("b", 0, [1, 0]), count=KEPT_ROWS))
    assert full is not None
    assert full.overflown
    assert full.size < shard.size
