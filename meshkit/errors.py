# ruff: noqa: N818 - the families bear the names of the gRPC status codes
"""The errors of the mesh: one class per gRPC status code, raised by a service and raised again by its client.

Owns the exception classes and nothing else: it imports only the standard library, so that `domain/` may raise them.
How they become a status, and how a status becomes one of them again, is `meshkit.rpc.status`.

Raise the class that names the status code, with a message for a developer. The message reaches the caller: it holds no
secret, no text of a conversation and no detail of another tenant.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

__all__ = [
    "Aborted",
    "AlreadyExists",
    "Cancelled",
    "DeadlineExceeded",
    "FailedPrecondition",
    "FieldViolation",
    "Internal",
    "InvalidArgument",
    "MeshError",
    "NotFound",
    "OutOfRange",
    "PermissionDenied",
    "ResourceExhausted",
    "Unauthenticated",
    "Unavailable",
    "Unimplemented",
    "family",
]


@dataclass(frozen=True, slots=True)
class FieldViolation:
    """One field of a request that breaks its rule: its path (`limits.max_steps`) and what is wrong with it."""

    field: str
    description: str


class MeshError(Exception):
    """A failed call, with everything that travels to the caller. Never raised itself: raise one of its families.

    `reason` is a value of the proto enum `ErrorReason` without its prefix; the family's own reason is the default.
    `field` names the one field of the request that the message is about; `field_violations` name several.
    `metadata` are short facts for programs (`{"scope": "runs.write"}`).
    `retry_after` is in seconds: when the caller may try again.
    `transient` says whether the very same call may succeed later; an answer that is not transient may be stored.
    """

    code: ClassVar[str]
    default_reason: ClassVar[str]
    transient: ClassVar[bool] = False

    def __init__(
        self,
        message: str,
        *,
        field: str | None = None,
        reason: str | None = None,
        metadata: Mapping[str, str] | None = None,
        field_violations: Sequence[FieldViolation] = (),
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason or self.default_reason
        self.metadata: Mapping[str, str] = dict(metadata or {})
        self.field_violations = tuple(field_violations) + ((FieldViolation(field, message),) if field else ())
        self.retry_after = retry_after


class InvalidArgument(MeshError):
    """The request is wrong whatever the state of the mesh. Name the field: `InvalidArgument("...", field="input")`."""

    code = "INVALID_ARGUMENT"
    default_reason = "FIELD_INVALID"


class NotFound(MeshError):
    """The resource does not exist, or belongs to another tenant: the two are told in the same words."""

    code = "NOT_FOUND"
    default_reason = "NOT_FOUND"


class AlreadyExists(MeshError):
    """A resource with that id exists already."""

    code = "ALREADY_EXISTS"
    default_reason = "ALREADY_EXISTS"


class Aborted(MeshError):
    """Another call came in between: read again, then try again. Reasons: ETAG_MISMATCH, REQUEST_IN_PROGRESS."""

    code = "ABORTED"
    default_reason = "ETAG_MISMATCH"
    transient = True


class OutOfRange(MeshError):
    """The position asked for does not exist yet."""

    code = "OUT_OF_RANGE"
    default_reason = "SEQUENCE_IN_FUTURE"


class FailedPrecondition(MeshError):
    """The resource is in a state that forbids the call. Reasons: STATE_CONFLICT, RUNTIME_UNAVAILABLE."""

    code = "FAILED_PRECONDITION"
    default_reason = "STATE_CONFLICT"


class Unauthenticated(MeshError):
    """The credentials prove nobody. The text never says why."""

    code = "UNAUTHENTICATED"
    default_reason = "UNAUTHENTICATED"


class PermissionDenied(MeshError):
    """The caller is known and may not do this."""

    code = "PERMISSION_DENIED"
    default_reason = "SCOPE_MISSING"


class ResourceExhausted(MeshError):
    """A limit is reached. Reasons: RATE_LIMITED, OVERLOADED, SUBSCRIBER_TOO_SLOW, LIMIT_REACHED."""

    code = "RESOURCE_EXHAUSTED"
    default_reason = "OVERLOADED"
    transient = True


class Unavailable(MeshError):
    """A store or peer does not answer, or this process is going. Reasons: DEPENDENCY_UNAVAILABLE, DRAINING, ..."""

    code = "UNAVAILABLE"
    default_reason = "DEPENDENCY_UNAVAILABLE"
    transient = True


class DeadlineExceeded(MeshError):
    """The time allowed for the call is over. Reasons: DEADLINE_EXCEEDED, MODEL_TIMEOUT."""

    code = "DEADLINE_EXCEEDED"
    default_reason = "DEADLINE_EXCEEDED"
    transient = True


class Cancelled(MeshError):
    """The caller cancelled the call. Not `asyncio.CancelledError`, which a handler never raises by itself."""

    code = "CANCELLED"
    default_reason = "CANCELLED"
    transient = True


class Unimplemented(MeshError):
    """The service does not know the method, or a value that the request asks for."""

    code = "UNIMPLEMENTED"
    default_reason = "UNIMPLEMENTED"


class Internal(MeshError):
    """A defect of the mesh. Its message leaves the process only as a trace id; see `meshkit.rpc.status`."""

    code = "INTERNAL"
    default_reason = "INTERNAL"
    transient = True


_FAMILIES: Mapping[str, type[MeshError]] = {cls.code: cls for cls in MeshError.__subclasses__()}


def family(code: str) -> type[MeshError]:
    """Return the class of a gRPC status code's name; a code that no family has (UNKNOWN, DATA_LOSS) is Internal."""
    return _FAMILIES.get(code, Internal)
