"""How much a fact counts, with numbers worked out by hand."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory_service.domain.decay import weight
from memory_service.domain.model import Fact, FactCategory, FactOrigin, Owner

THEN = datetime(2026, 1, 2, tzinfo=UTC)


def fact(category: FactCategory, importance: float = 1.0, confirmed: datetime | None = None) -> Fact:
    return Fact(
        "fact_1", Owner("acme", "ada"), "key", "value", category, importance, FactOrigin.CLIENT, "", THEN, THEN, "e1",
        confirm_time=confirmed,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("category", "days", "expected"),
    [
        (FactCategory.PROFILE, 0, 1.0),
        (FactCategory.PROFILE, 36_500, 1.0),
        (FactCategory.GOAL, 0, 1.0),
        (FactCategory.GOAL, 90, 0.65),
        (FactCategory.KNOWLEDGE, 180, 0.65),
        (FactCategory.PREFERENCE, 365, 0.65),
        (FactCategory.PREFERENCE, 730, 0.475),
        (FactCategory.GOAL, 36_500, 0.3),
    ],
)
def test_what_nobody_says_again_counts_for_less_but_who_somebody_is(
    category: FactCategory, days: int, expected: float
) -> None:
    assert weight(fact(category), THEN + timedelta(days=days)) == pytest.approx(expected)


def test_who_confirms_a_fact_makes_it_young_again() -> None:
    now = THEN + timedelta(days=180)
    assert weight(fact(FactCategory.KNOWLEDGE, confirmed=now), now) == pytest.approx(1.0)
    assert weight(fact(FactCategory.KNOWLEDGE, confirmed=now + timedelta(days=1)), now) == pytest.approx(1.0)


def test_what_matters_more_counts_for_more() -> None:
    assert [weight(fact(FactCategory.PROFILE, value), THEN) for value in (0.0, 0.5, 1.0)] == pytest.approx(
        [0.6, 0.8, 1]
    )


@given(st.sampled_from(FactCategory), st.floats(0, 1), st.integers(-4000, 4000))
def test_a_weight_stays_between_nothing_and_one(category: FactCategory, importance: float, days: int) -> None:
    assert 0 < weight(fact(category, importance), THEN + timedelta(days=days)) <= 1
