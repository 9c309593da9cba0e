"""Scores and budgets, with numbers worked out by hand."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory_service.domain.model import Fact, FactCategory, FactOrigin, Interaction, Owner
from memory_service.domain.ranking import CANDIDATES, distinct, fit, fuse, tokens_of

NOW = datetime(2026, 1, 2, tzinfo=UTC)
ADA = Owner("acme", "ada")


def turn(said: str, answer: str = "", name: str = "int_1") -> Interaction:
    return Interaction(name, ADA, "", "", "", said, answer, {}, NOW)


def fact(key: str, value: str) -> Fact:
    return Fact("fact_1", ADA, key, value, FactCategory.GOAL, 0.5, FactOrigin.CLIENT, "", NOW, NOW, "etag_1")


def test_words_weigh_more_than_meaning_and_both_more_than_either() -> None:
    fused = fuse({"both": 0.5, "words": 0.5}, {"both": 0.5, "meaning": 0.5})
    assert [source for source, _ in fused] == ["both", "words", "meaning"]
    assert dict(fused) == {"both": pytest.approx(0.5), "words": pytest.approx(0.35), "meaning": pytest.approx(0.15)}


def test_without_meaning_words_decide_alone() -> None:
    assert fuse({"a": 0.2, "b": 0.9}, None) == [("b", 0.9), ("a", 0.2)]


def test_what_a_full_list_left_out_is_as_alike_as_its_last() -> None:
    full = {f"int_{number:03}": 0.8 - number / 1000 for number in range(CANDIDATES)}
    assert dict(fuse({"other": 0.0}, full))["other"] == pytest.approx(0.3 * min(full.values()))
    assert dict(fuse({"other": 0.0}, {"int_000": 0.8}))["other"] == 0.0


def test_of_equals_the_newer_id_is_first() -> None:
    assert [source for source, _ in fuse({"int_1": 0.5, "int_2": 0.5}, {})] == ["int_2", "int_1"]


Scores = st.dictionaries(st.text(max_size=3), st.floats(-2, 2), max_size=20)


@given(Scores, st.none() | Scores)
def test_scores_are_shares_in_order(by_words: dict[str, float], by_meaning: dict[str, float] | None) -> None:
    scores = [score for _, score in fuse(by_words, by_meaning)]
    assert all(0 <= score <= 1 for score in scores)
    assert scores == sorted(scores, reverse=True)
    assert len(scores) == len(by_words.keys() | (by_meaning or {}).keys())


def test_the_same_text_is_kept_once_and_not_if_seen() -> None:
    first, again, other = turn("Hi ", "Hello"), turn("hi", "hello", "int_2"), turn("hi", "bye", "int_3")
    assert distinct([first, again, other]) == [first, other]
    assert distinct([first, other], seen=[again]) == [other]


def test_tokens_are_a_quarter_of_the_bytes_rounded_up() -> None:
    assert tokens_of(turn("abcd")) == 1
    assert tokens_of(turn("abcd", "e")) == 2
    assert tokens_of(turn("日本")) == 2
    assert tokens_of(fact("city", "Paris")) == 3


def test_what_is_too_large_is_passed_over() -> None:
    small, large, last = turn("abcd"), turn("x" * 100), turn("abcdefgh")
    assert fit([small, large, last], 3) == ([small, last], 0)
    assert fit([small], 0) == ([], 0)
