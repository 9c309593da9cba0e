"""Repetitions and budgets, with numbers worked out by hand."""

from datetime import UTC, datetime

from memory_service.domain.model import Fact, FactCategory, FactOrigin, Interaction, Owner
from memory_service.domain.ranking import distinct, fit, tokens_of

NOW = datetime(2026, 1, 2, tzinfo=UTC)
ADA = Owner("acme", "ada")


def turn(said: str, answer: str = "", name: str = "int_1") -> Interaction:
    return Interaction(name, ADA, "", "", "", said, answer, {}, NOW)


def fact(key: str, value: str) -> Fact:
    return Fact("fact_1", ADA, key, value, FactCategory.GOAL, 0.5, FactOrigin.CLIENT, "", NOW, NOW, "etag_1")


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
