"""The text form that an embedding model reads."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from memory_service.domain.model import Fact, FactCategory, FactOrigin, Interaction, Owner
from memory_service.domain.passages import MAX_PIECES, passages, words

ADA = Owner("acme", "ada")
NOW = datetime(2026, 1, 2, tzinfo=UTC)


def turn(said: str, answer: str = "", agent: str = "") -> Interaction:
    return Interaction("int_1", ADA, "s", "", agent, said, answer, {}, NOW)


def test_each_side_says_who_spoke_and_when() -> None:
    assert passages(turn("Hi", "Hello", "coding")) == ["2 January 2026, user: Hi", "2 January 2026, coding: Hello"]
    assert passages(turn("Hi", "Hello"))[1] == "2 January 2026, assistant: Hello"
    assert passages(turn("Hi")) == ["2 January 2026, user: Hi"]


def test_a_fact_is_its_key_and_value() -> None:
    fact = Fact("fact_1", ADA, "city", "Paris", FactCategory.PROFILE, 0.5, FactOrigin.CLIENT, "", NOW, NOW, "e")
    assert passages(fact) == ["city: Paris"]
    assert words(fact) == "city\nParis"


def test_a_long_text_is_cut_between_words_and_nothing_of_it_is_lost() -> None:
    said = " ".join(f"word{number}" for number in range(600))
    pieces = passages(turn(said))
    assert len(pieces) > 1
    assert " ".join(piece.removeprefix("2 January 2026, user: ") for piece in pieces) == said


@given(st.text(max_size=40_000), st.text(max_size=500))
def test_any_text_gives_few_short_pieces(said: str, answer: str) -> None:
    pieces = passages(turn(said, answer))
    assert len(pieces) <= 2 * MAX_PIECES
    assert all(len(piece) < 950 for piece in pieces)
    assert len(words(turn(said, answer))) <= 65_537
