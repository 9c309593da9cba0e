"""Where a list goes on: between the sort key of a row and the cursor of a page token.

A token that a caller made up may hold anything; what no row could have is refused here, before a store sees it.
"""

from datetime import UTC, datetime, timedelta

from meshkit.errors import InvalidArgument
from meshkit.paging import Cursor, storable

__all__ = ["position_by_key", "position_by_number", "position_in_time", "time_position"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LARGEST = 2**31  # what a column of numbers holds
_MICROSECOND = timedelta(microseconds=1)


def time_position(time: datetime, row: str) -> Cursor:
    """Return the cursor of a row in a list by time: microseconds since 1970 and its id."""
    return ((time - _EPOCH) // _MICROSECOND, row)


def position_in_time(cursor: Cursor | None) -> tuple[datetime, str] | None:
    """Return the time and id that a cursor tells, None at the start. Raises InvalidArgument (PAGE_TOKEN_INVALID)."""
    match cursor:
        case None:
            return None
        case (int(micros), str(row)) if storable(row):
            try:
                return _EPOCH + timedelta(microseconds=micros), row
            except OverflowError:
                raise _refusal() from None
        case _:
            raise _refusal()


def position_by_key(cursor: Cursor | None) -> str:
    """Return the key that a cursor tells, empty at the start. Raises InvalidArgument (PAGE_TOKEN_INVALID)."""
    match cursor:
        case None:
            return ""
        case (str(key),) if storable(key):
            return key
        case _:
            raise _refusal()


def position_by_number(cursor: Cursor | None) -> int | None:
    """Return the number that a cursor tells, None at the start. Raises InvalidArgument (PAGE_TOKEN_INVALID)."""
    match cursor:
        case None:
            return None
        case (int(number),) if 0 < number < _LARGEST:
            return number
        case _:
            raise _refusal()


def _refusal() -> InvalidArgument:
    return InvalidArgument("page_token was not made by this query", field="page_token", reason="PAGE_TOKEN_INVALID")
