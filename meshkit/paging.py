"""Pages of a list: their size, and the opaque token that leads to the next one.

Owns the token's encoding; nothing else reads or makes one. A token holds the keyset cursor (the sort key of the last
row sent) and a digest that binds it to the method, the tenant and the query. It is proof of nothing: the store filters
by tenant whatever the cursor says, so a token made up by a caller moves that caller within its own rows at most.
Standard library only.
"""

import base64
import binascii
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from meshkit.errors import InvalidArgument

__all__ = ["DEFAULT_PAGE_SIZE", "MAX_PAGE_SIZE", "Cursor", "Page", "PageQuery", "page_size", "storable"]

DEFAULT_PAGE_SIZE = 50
MAX_PAGE_SIZE = 500
_MAX_TOKEN_LENGTH = 1024
_DIGEST_BYTES = 16

Item = TypeVar("Item")

Cursor = tuple[str | int, ...]
"""The sort key of a page's last row, e.g. `(created_micros, id)`."""


def page_size(requested: int) -> int:
    """Return the number of items to send: 50 when 0 is asked for. Raises InvalidArgument below 0 and above 500."""
    if not 0 <= requested <= MAX_PAGE_SIZE:
        raise InvalidArgument(f"page_size must be between 0 and {MAX_PAGE_SIZE}", field="page_size")
    return requested or DEFAULT_PAGE_SIZE


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """One page: its items in order and the token of the next page, empty at the end."""

    items: list[Item]
    next_page_token: str


@dataclass(frozen=True, slots=True)
class PageQuery:
    """What a token is bound to: a token of another method, tenant or query is refused.

    `filters` are the request's fields that choose or order rows; `page_size` is not one of them, it may change.
    """

    method: str
    tenant: str
    filters: Mapping[str, str] = field(default_factory=dict)

    def token(self, cursor: Cursor) -> str:
        """Return the token that continues after the row with this sort key."""
        payload = json.dumps(cursor, separators=(",", ":")).encode()
        return base64.urlsafe_b64encode(self._digest(payload) + payload).decode().rstrip("=")

    def cursor(self, token: str, *shape: type[str] | type[int]) -> Cursor | None:
        """Return the sort key to continue after, None for the first page (an empty token).

        `shape` are the types of the key's parts. Raises InvalidArgument with the reason PAGE_TOKEN_INVALID for a token
        that this query did not make, or whose key no row could have.
        """
        if not token:
            return None
        refusal = InvalidArgument(
            "page_token was not made by this query", field="page_token", reason="PAGE_TOKEN_INVALID"
        )
        if len(token) > _MAX_TOKEN_LENGTH:
            raise refusal
        try:
            raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
            digest, payload = raw[:_DIGEST_BYTES], raw[_DIGEST_BYTES:]
            if digest != self._digest(payload):
                raise refusal
            values = json.loads(payload)
        except (binascii.Error, ValueError, RecursionError) as error:
            raise refusal from error
        if not isinstance(values, list) or not all(map(storable, values)):
            raise refusal
        if shape and tuple(map(type, values)) != shape:
            raise refusal
        return tuple(values)

    def page(self, rows: Sequence[Item], size: int, sort_key: Callable[[Item], Cursor]) -> Page[Item]:
        """Cut rows to a page. Read `size + 1` rows: the one too many only tells that there is a next page."""
        items = list(rows[:size])
        more = len(rows) > size
        return Page(items, self.token(sort_key(items[-1])) if more else "")

    def _digest(self, payload: bytes) -> bytes:
        bound = json.dumps([self.method, self.tenant, sorted(self.filters.items())]).encode()
        return hashlib.sha256(hashlib.sha256(bound).digest() + payload).digest()[:_DIGEST_BYTES]


def storable(value: object) -> bool:
    """Tell whether a row's sort key could hold it: text without NUL and half surrogate pairs, an integer of 64 bits."""
    if type(value) is int:
        return -(2**63) <= value < 2**63
    if type(value) is not str or "\0" in value:
        return False
    return not any("\ud800" <= character <= "\udfff" for character in value)
