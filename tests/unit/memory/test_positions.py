"""Cursors go around unchanged, and what no row could have is refused."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory_service.domain.positions import position_by_key, position_in_time, time_position
from meshkit.errors import InvalidArgument
from meshkit.paging import Cursor


@given(st.datetimes(timezones=st.just(UTC)), st.text("abc_", max_size=5))
def test_a_time_goes_around_to_the_microsecond(time: datetime, row: str) -> None:
    assert position_in_time(time_position(time, row)) == (time, row)


def test_no_cursor_is_the_start() -> None:
    assert position_in_time(None) is None
    assert position_by_key(None) == ""
    assert position_by_key(("key",)) == "key"


@pytest.mark.parametrize(
    "cursor", [(), ("a",), ("a", "b"), (1, 2), (1, "a", "b"), (10**30, "a"), (-(10**17), "a"), (1, "\0"), (1, "\ud800")]
)
def test_a_made_up_place_in_time_is_refused(cursor: Cursor) -> None:
    with pytest.raises(InvalidArgument) as caught:
        position_in_time(cursor)
    assert caught.value.reason == "PAGE_TOKEN_INVALID"


@pytest.mark.parametrize("cursor", [(), (1,), ("a", "b"), ("\0",), ("\udfff",)])
def test_a_made_up_key_is_refused(cursor: Cursor) -> None:
    with pytest.raises(InvalidArgument):
        position_by_key(cursor)
