"""Facts and passages, each ranked for itself: words and meaning added, with numbers worked out by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory_service.retrieval.fusion import rank_alone
from memory_service.retrieval.lexicon import pack
from memory_service.retrieval.question import Question
from memory_service.retrieval.shard import Row, WordShard


def shard(**texts: str) -> WordShard:
    rows = [Row(source, "doc", 0, "", False, pack(text)) for source, text in texts.items()]
    made = WordShard().with_rows(rows)
    assert made is not None
    return made


def asked(text: str) -> Question:
    return Question.of(text, ())


def test_both_words_and_meaning_are_more_than_either() -> None:
    things = shard(both="harbour", words="harbour", meaning="kettle")
    ranked = rank_alone(asked("harbour"), things, {"both": 0.5, "meaning": 0.5}, "")
    assert [source for source, _ in ranked] == ["both", "words", "meaning"]
    scores = dict(ranked)
    assert scores["meaning"] == pytest.approx(0.15)
    assert scores["both"] == pytest.approx(scores["words"] + 0.15)


def test_without_meaning_words_decide_alone_and_rare_ones_more() -> None:
    things = shard(a="harbour common", b="common", c="common", d="kettle")
    ranked = rank_alone(asked("harbour common"), things, None, "")
    assert ranked[0][0] == "a"
    assert {source for source, _ in ranked} == {"a", "b", "c"}


def test_one_document_only() -> None:
    things = WordShard().with_rows(
        [Row("a#1", "a", 1, "", False, pack("harbour")), Row("b#1", "b", 1, "", False, pack("harbour"))]
    )
    assert things is not None
    assert [source for source, _ in rank_alone(asked("harbour"), things, {"a#1": 0.9}, "b")] == ["b#1"]


def test_of_equals_the_newer_id_is_first() -> None:
    ranked = rank_alone(asked("harbour"), shard(fact_1="harbour", fact_2="harbour"), None, "")
    assert [source for source, _ in ranked] == ["fact_2", "fact_1"]


@given(st.dictionaries(st.text("ab", min_size=1, max_size=3), st.text(max_size=30), max_size=8), st.text(max_size=30),
       st.dictionaries(st.text("ab", min_size=1, max_size=3), st.floats(-2, 2), max_size=8))  # fmt: skip
def test_scores_are_shares_in_order(texts: dict[str, str], query: str, cosines: dict[str, float]) -> None:
    scores = [score for _, score in rank_alone(asked(query), shard(**texts), cosines, "")]
    assert all(0 < score <= 1 for score in scores)
    assert scores == sorted(scores, reverse=True)
