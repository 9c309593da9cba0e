"""Words as numbers: what counts as one, what is stored of them, and BM25 against its formula."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory_service.retrieval.lexicon import TermCounts, bm25, hash_terms, pack, terms, unpack


def test_words_are_stems_without_stop_words() -> None:
    assert terms("The cats were RUNNING to the harbours") == ["cat", "run", "harbour"]
    assert terms("東京に") == ["東京", "京に"]
    assert terms("ミ") == ["ミ"]
    assert terms("naïve café") == ["naïv", "café"]
    assert terms("...") == []
    assert terms("ERR_CONN_RESET in user-1_000197") == ["err", "conn", "reset", "user", "1", "000197"], (
        "names are found by their parts, as the model reads them"
    )


def test_bm25_is_its_formula_over_every_turn() -> None:
    texts = ["harbour harbour kettle", "kettle", "violin winter harbour", ""]
    found = TermCounts.of(unpack([pack(text) for text in texts]), hash_terms(["harbour"]))
    lengths = np.array([3, 1, 3, 0])
    rarity = math.log1p((4 - 2 + 0.5) / (2 + 0.5))
    for score, count, length in zip(bm25(found), [2, 0, 1, 0], lengths, strict=True):
        norm = 1.2 * (0.25 + 0.75 * length / lengths.mean())
        assert score == pytest.approx(rarity * count * 2.2 / (count + norm) if count else 0.0, rel=1e-4)


def test_neighbours_lend_their_words_within_a_session() -> None:
    lexicon = unpack([pack(text) for text in ("harbour", "kettle", "violin", "winter")])
    found = TermCounts.of(lexicon, hash_terms(["harbour"]))
    session = np.array([0, 0, 0, 1])
    assert found.windows(session, (0.5, 0.25)).counts[0].tolist() == [1.0, 0.5, 0.25, 0.0]
    assert found.sessions(session).counts[0].tolist() == [1.0, 0.0]
    assert found.sessions(session).lengths.tolist() == [3.0, 1.0]


@given(st.lists(st.text(max_size=60), max_size=6))
def test_what_is_packed_is_what_was_said(texts: list[str]) -> None:
    lexicon = unpack([pack(text) for text in texts])
    assert lexicon.lengths.tolist() == [len(terms(text)) for text in texts]
    for number, text in enumerate(texts):
        held = set(lexicon.terms[lexicon.offsets[number] : lexicon.offsets[number + 1]].tolist())
        assert held == set(hash_terms(terms(text)))


def test_terms_that_are_cut_short_are_refused() -> None:
    with pytest.raises(ValueError, match="cut short"):
        unpack([b"12345"])
