"""Repetitions and budgets, with numbers worked out by hand."""

from datetime import UTC, datetime

import pytest

from memory_service.domain.model import Fact, FactCategory, FactOrigin, Interaction, Origin, Owner, Passage
from memory_service.domain.ranking import Recalled, Telling, distinct, tokens_of

NOW = datetime(2026, 1, 2, tzinfo=UTC)
ADA = Owner("acme", "ada")


def turn(said: str, answer: str = "", name: str = "int_1", origin: Origin = Origin.USER) -> Interaction:
    return Interaction(name, ADA, "", "", "", said, answer, {}, NOW, origin=origin)


def fact(key: str, value: str, origin: FactOrigin = FactOrigin.CLIENT) -> Fact:
    return Fact("fact_1", ADA, key, value, FactCategory.GOAL, 0.5, origin, "", NOW, NOW, "etag_1")


def passage(text: str) -> Passage:
    return Passage("doc_1", ADA, "Handbook", "", 1, "", text, 0, len(text))


def test_the_same_text_is_kept_once_and_not_if_seen() -> None:
    first, again, other = turn("Hi ", "Hello"), turn("hi", "hello", "int_2"), turn("hi", "bye", "int_3")
    assert distinct([first, again, other]) == [first, other]
    assert distinct([first, other], seen=[again]) == [other]


@pytest.mark.parametrize(
    ("told", "then", "is_news"),
    [
        (turn("Ovens are hot", "Yes"), passage("ovens\nare hot "), False),  # a turn says it, and more
        (passage("Ovens are hot"), turn("Ovens are hot", "Yes"), True),  # there is an answer too
        (passage("Ovens are hot"), passage("Ovens are HOT"), False),
        (passage("Ovens are hot"), turn("Ovens are hot"), True),  # it is the user's word now
        (passage("Ovens are hot"), turn("Ovens are hot", origin=Origin.TOOL), False),
        (turn("city: Paris"), fact("city", "Paris"), False),
        (turn("city: Paris", origin=Origin.TOOL), fact("city", "Paris"), True),  # whoever said it, the user did too
        (turn("city: Paris"), fact("city", "Paris", FactOrigin.DOCUMENT), False),
        (turn("Paris"), fact("city", "Paris"), True),  # only exactly the same is a repetition
        (fact("city", "Paris"), turn("city: paris"), False),
        (turn("a", "b"), turn("b", "a"), True),
        (turn("a", "b"), turn("b"), False),
    ],
)
def test_what_is_news_is_told_by_text_and_by_whose_word_it_is(told: Recalled, then: Recalled, is_news: bool) -> None:
    assert distinct([told, then]) == ([told, then] if is_news else [told])
    telling = Telling()
    left = telling.add([told], 100)
    assert (telling.add([then], left) < left) == is_news


def test_tokens_are_a_quarter_of_the_bytes_rounded_up() -> None:
    assert tokens_of(turn("abcd")) == 1
    assert tokens_of(turn("abcd", "e")) == 2
    assert tokens_of(turn("日本")) == 2
    assert tokens_of(fact("city", "Paris")) == 3
    assert tokens_of(passage("abcdefgh")) == 2


def test_what_is_too_large_is_passed_over_and_may_come_again() -> None:
    small, large, last = turn("abcd"), turn("x" * 100), turn("abcdefgh")
    telling = Telling()
    assert telling.add([small, large, last], 3) == 0
    assert telling.of([small, large, last]) == [small, last]
    assert telling.add([small, large, last], 24) == 24
    assert telling.add([small, large, last], 25) == 0
    assert telling.of([last, large, small]) == [last, large, small]
    assert Telling().add([small], 0) == 0
