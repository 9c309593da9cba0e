"""What becomes of a fact when something is said about it."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory_service.domain.model import Fact, FactCategory, FactChange, FactOrigin, FactVersion, Owner
from memory_service.domain.versions import said
from meshkit.errors import InvalidArgument

NOW = datetime(2026, 1, 2, tzinfo=UTC)
USERS = {FactOrigin.CLIENT, FactOrigin.EXTRACTION}


def year(number: int) -> datetime:
    return datetime(number, 1, 1, tzinfo=UTC)


def claim(value: str, origin: FactOrigin = FactOrigin.CLIENT, *, second: int = 0, **fields: Any) -> Fact:
    now = NOW + timedelta(seconds=second)
    made = Fact(
        f"fact_{second}", Owner("acme", "ada"), "city", value, FactCategory.KNOWLEDGE, 0.5, origin, "", now, now,
        f"etag_{second}", change=FactChange.REPLACED,
    )  # fmt: skip
    return replace(made, **fields)


def stated(value: str, origin: FactOrigin = FactOrigin.CLIENT, **fields: Any) -> Fact:
    return said(None, claim(value, origin, **fields)).fact


def test_a_repetition_changes_nothing_but_when_it_was_said_last() -> None:
    old = stated("Lyon", quote="I live in Lyon", interaction="int_1")
    for origin in USERS:
        outcome = said(old, claim("Lyon", origin, second=9, quote="Lyon, as I said", interaction="int_2"))
        assert outcome.fact == replace(old, confirm_time=NOW + timedelta(seconds=9))
        assert outcome.beside is None
    matters = said(old, claim("Lyon", second=9, importance=0.9)).fact
    assert (matters.importance, matters.etag, matters.version) == (0.9, "etag_9", 1)
    assert matters.quote == "I live in Lyon", "who says nothing of where it comes from does not hide it"


def test_who_says_it_first_is_named_but_for_the_users_own_word() -> None:
    old = stated("Lyon", FactOrigin.TOOL, source="tool:web_fetch")
    by_agent = said(old, claim("Lyon", FactOrigin.AGENT, second=1, run="run_1", step="step_1")).fact
    assert (by_agent.origin, by_agent.source, by_agent.run) == (FactOrigin.TOOL, "tool:web_fetch", "")
    by_user = said(by_agent, claim("Lyon", second=2, quote="in Lyon")).fact
    assert (by_user.origin, by_user.source, by_user.quote) == (FactOrigin.CLIENT, "", "in Lyon")
    bare = stated("Lyon")
    assert said(bare, claim("Lyon", FactOrigin.EXTRACTION, second=1, quote="in Lyon")).fact.quote == "in Lyon"


def test_the_times_of_the_same_value_are_another_version() -> None:
    old = stated("Lyon", valid_from=year(2010), quote="since 2010")
    ended = said(old, claim("Lyon", second=5, valid_to=year(2020)))
    assert (ended.fact.valid_from, ended.fact.valid_to, ended.fact.version) == (year(2010), year(2020), 2)
    assert ended.beside == FactVersion(1, FactChange.STATED, "", old, NOW, NOW + timedelta(seconds=5))
    assert ended.ended_at is None, "the old one was an error"
    again = said(ended.fact, claim("Lyon", second=6))
    assert (again.fact.valid_from, again.fact.valid_to, again.fact.version) == (None, None, 3)
    assert again.ended_at == year(2020), "it was true until then, and is once more"
    same = said(old, claim("Lyon", second=5, valid_from=year(2010)))
    assert same.beside is None


def test_times_that_do_not_fit_those_that_are_known_are_refused() -> None:
    old = stated("Lyon", valid_from=year(2010), valid_to=year(2030))
    for field, time in (("valid_to", year(2009)), ("valid_from", year(2030))):
        with pytest.raises(InvalidArgument) as caught:
            said(old, claim("Lyon", second=1, **{field: time}))
        assert [violation.field for violation in caught.value.field_violations] == [field]


@pytest.mark.parametrize(
    ("begins", "next_begins", "ended_at"),
    [(None, None, None), (None, 2020, 2020), (2010, 2020, 2020), (2020, 2010, None), (2020, 2020, None)],
)
def test_what_followed_tells_until_when_the_old_value_was_true(
    begins: int | None, next_begins: int | None, ended_at: int | None
) -> None:
    old = stated("Lyon", valid_from=begins and year(begins))
    outcome = said(old, claim("Paris", second=1, valid_from=next_begins and year(next_begins)))
    assert outcome.ended_at == (year(ended_at) if ended_at else None)


def test_a_clock_that_is_behind_turns_no_history_around() -> None:
    old = stated("Lyon", second=10)
    outcome = said(old, claim("Paris", second=3))
    assert outcome.beside is not None
    assert outcome.beside.record_time == outcome.beside.replace_time == outcome.fact.update_time == old.update_time


claims = st.lists(
    st.builds(
        lambda value, origin, category, begins: {
            "value": value, "origin": origin, "category": category, "valid_from": begins and year(begins),
        },
        st.sampled_from("abc"),
        st.sampled_from(FactOrigin),
        st.sampled_from(FactCategory),
        st.sampled_from([None, 2010, 2020]),
    ),
    min_size=1,
    max_size=12,
)  # fmt: skip


@given(claims)
def test_whatever_is_said_no_version_is_lost_and_nobody_is_overruled_by_the_less_trusted(
    told: Sequence[dict[str, Any]],
) -> None:
    fact: Fact | None = None
    kept: list[FactVersion] = []
    for second, fields in enumerate(told):
        old, new = fact, claim(**fields, second=second)
        outcome = said(old, new)
        fact, kept = outcome.fact, kept + [version for version in [outcome.beside] if version]
        if old is not None:
            assert fact.origin.trust >= old.origin.trust
            assert fact.value == (new.value if new.origin.trust >= old.origin.trust else old.value)
            assert fact.id == old.id
            assert (fact.etag == old.etag) == (fact == replace(old, confirm_time=fact.confirm_time))
        assert fact.origin in USERS or fact.category is not FactCategory.PROFILE
        assert sorted([fact.version, *(version.number for version in kept)]) == list(range(1, fact.latest + 1))
        for version in kept:
            assert (version.replace_time is None) == (version.change is FactChange.CONTESTED)
            assert version.fact.origin in USERS or version.fact.category is not FactCategory.PROFILE
