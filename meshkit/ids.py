"""Ids of resources: a typed prefix and a ULID, `run_01JA...`, so that an id tells its kind and sorts by time.

Owns the format. Ids are opaque to everybody else: nobody takes them apart.
"""

import re
import time
from collections.abc import Callable

from ulid import ULIDGenerator

__all__ = ["ID_PATTERN", "IdFactory", "is_id", "new_id"]

ID_PATTERN = "^[a-z]{2,8}_[0-7][0-9A-HJKMNP-TV-Z]{25}$"
"""What every id looks like: lower-case prefix, `_`, 26 characters of Crockford's base 32 in upper case."""

_ID = re.compile(ID_PATTERN)

IdFactory = Callable[[str], str]
"""Makes an id from a prefix: `new_id` in production, a counting one in tests."""


class _ForwardClock:
    """Milliseconds since 1970 that never run backwards, so that ids keep their order when the clock is set back."""

    def __init__(self) -> None:
        self._latest = 0

    def __call__(self) -> int:
        self._latest = max(self._latest, time.time_ns() // 1_000_000)
        return self._latest


_generator = ULIDGenerator(clock=_ForwardClock())


def new_id(prefix: str) -> str:
    """Return a new id with the prefix (`run`, `ses`, `mem`), greater than every earlier one of this process."""
    return f"{prefix}_{_generator.generate()}"


def is_id(value: str, prefix: str) -> bool:
    """Tell whether the value has the form of an id with this prefix; it says nothing about existence."""
    return value.startswith(f"{prefix}_") and _ID.fullmatch(value) is not None
