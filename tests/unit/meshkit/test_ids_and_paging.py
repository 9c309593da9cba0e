"""Ids sort by time; page tokens belong to one query."""

import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshkit import ids
from meshkit.errors import InvalidArgument
from meshkit.paging import Cursor, Page, PageQuery, page_size

QUERY = PageQuery("/m/List", "acme", {"state": "done", "order_by": "time"})


def test_ids_are_typed_unique_and_in_order() -> None:
    made = [ids.new_id("run") for _ in range(10_000)]
    assert made == sorted(made)
    assert len(set(made)) == len(made)
    assert all(re.fullmatch(ids.ID_PATTERN, each) for each in made[:100])
    assert ids.is_id(made[0], "run")
    assert not ids.is_id(made[0], "ses")
    assert not ids.is_id(made[0].lower(), "run")
    assert not ids.is_id(made[0] + "\n", "run")


def test_ids_of_many_threads_are_unique() -> None:
    with ThreadPoolExecutor(8) as threads:
        made = list(threads.map(lambda _: ids.new_id("run"), range(5_000)))
    assert len(set(made)) == 5_000


def test_ids_stay_in_order_when_the_clock_is_set_back(monkeypatch: pytest.MonkeyPatch) -> None:
    before = ids.new_id("run")
    monkeypatch.setattr("time.time_ns", lambda: 1_000_000_000_000_000_000)
    assert ids.new_id("run") > before


@given(
    st.lists(
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)
        | st.integers(-(2**63), 2**63 - 1),
        max_size=3,
    ).map(tuple)
)
def test_a_token_gives_back_its_cursor(cursor: Cursor) -> None:
    assert QUERY.cursor(QUERY.token(cursor)) == cursor


def test_an_empty_token_is_the_first_page() -> None:
    assert QUERY.cursor("") is None


@pytest.mark.parametrize(
    "other",
    [
        PageQuery("/m/Other", "acme", QUERY.filters),
        PageQuery("/m/List", "zeta", QUERY.filters),
        PageQuery("/m/List", "acme", {"state": "failed", "order_by": "time"}),
        PageQuery("/m/List", "acme"),
    ],
)
def test_a_token_of_another_query_is_refused(other: PageQuery) -> None:
    with pytest.raises(InvalidArgument) as caught:
        QUERY.cursor(other.token((1, "x")))
    assert caught.value.reason == "PAGE_TOKEN_INVALID"
    assert caught.value.field_violations[0].field == "page_token"


@given(st.one_of(st.text(min_size=1, max_size=2000), st.binary(min_size=1).map(lambda raw: raw.decode("latin-1"))))
def test_no_made_up_token_is_taken(token: str) -> None:
    with pytest.raises(InvalidArgument):
        QUERY.cursor(token)


def test_a_flipped_character_is_refused() -> None:
    token = QUERY.token((12345, "run_x"))
    for position in range(0, len(token), 3):
        flipped = token[:position] + ("A" if token[position] != "A" else "B") + token[position + 1 :]
        with pytest.raises(InvalidArgument):
            QUERY.cursor(flipped)


@pytest.mark.parametrize(("asked", "given"), [(0, 50), (1, 1), (500, 500)])
def test_the_page_size_has_a_default(asked: int, given: int) -> None:
    assert page_size(asked) == given


@pytest.mark.parametrize("asked", [-1, 501])
def test_a_page_size_out_of_bounds_is_refused(asked: int) -> None:
    with pytest.raises(InvalidArgument):
        page_size(asked)


def test_pages_cover_all_rows_once() -> None:
    rows = list(range(1, 8))
    got: list[int] = []
    token, pages = "", 0
    while True:
        cursor: Any = QUERY.cursor(token)
        after = cursor[0] if cursor else 0
        page: Page[int] = QUERY.page([row for row in rows if row > after][: 3 + 1], 3, lambda row: (row,))
        got += page.items
        pages += 1
        if not (token := page.next_page_token):
            break
    assert (got, pages) == (rows, 3)
    assert QUERY.page([], 3, lambda row: (row,)) == Page([], "")


@pytest.mark.parametrize(
    "cursor",
    [("a\0",), ("\ud800",), (10**30,), (1,), ("a", "b"), ()],
    ids=["NUL", "half a pair", "too large", "another type", "too many", "none"],
)
def test_a_forged_position_that_no_row_could_have_is_refused(cursor: tuple[str | int, ...]) -> None:
    """The digest binds a token to its query but keeps nobody from making one."""
    query = PageQuery("ListRuns", "acme")
    with pytest.raises(InvalidArgument) as caught:
        query.cursor(query.token(cursor), str)
    assert caught.value.reason == "PAGE_TOKEN_INVALID"
    assert query.cursor(query.token(("run_1",)), str) == ("run_1",)
