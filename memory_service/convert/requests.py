"""What the requests of all services share: keys that make a write safe to repeat, limits, times."""

from datetime import UTC, datetime

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from memory_service.domain.ports import RequestKey
from meshkit.errors import InvalidArgument
from meshkit.sql.idempotency import digest_of

__all__ = ["request_key", "search_limit", "time_from_proto", "timestamp"]

_DEFAULT_MATCHES = 10


def request_key(method: str, request_id: str, request: Message) -> RequestKey:
    """Return what makes the request safe to repeat."""
    return RequestKey(method, request_id, digest_of(request))


def search_limit(requested: int) -> int:
    """Return how many matches to send: 10 when 0 is asked for."""
    return requested or _DEFAULT_MATCHES


def time_from_proto(message: Timestamp, field: str) -> datetime:
    """Return the time. Raises InvalidArgument for one that no calendar has."""
    try:
        return message.ToDatetime(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise InvalidArgument(f"{field} is no time between the years 1 and 9999", field=field) from None


def timestamp(time: datetime) -> Timestamp:
    """Return the time as a message."""
    message = Timestamp()
    message.FromDatetime(time.astimezone(UTC))
    return message
