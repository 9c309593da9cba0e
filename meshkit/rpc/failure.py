"""A failed run is data: errors as `agentmesh.errors.v1.Failure`, and back.

Owns that conversion. Texts are redacted and cut here, because a failure is stored and shown.
"""

from typing import cast

from agentmesh.errors.v1 import failure_pb2, reason_pb2

from meshkit.errors import MeshError
from meshkit.redaction import redact
from meshkit.rpc.status import REASON_CODES, error_of

__all__ = ["from_failure", "to_failure"]

_PREFIX = "ERROR_REASON_"
_MAX_DEPTH = 4
_MAX_MESSAGE = 2048


def to_failure(error: BaseException, source: str) -> failure_pb2.Failure:
    """Return the error and its causes, at most four deep, as data.

    `source` is the part that failed: `orchestrator`, `memory`, `agent` or `model`.
    An exception that is no MeshError is a defect: only its class is told, its text may hold anything.
    """
    failure = top = failure_pb2.Failure()
    cause: BaseException | None = error
    for depth in range(_MAX_DEPTH):
        if cause is None:
            break
        if depth:
            failure = failure.cause
        if isinstance(cause, MeshError):
            failure.reason = _reason(cause.reason)
            failure.message = redact(cause.message)[:_MAX_MESSAGE]
        else:
            failure.reason = reason_pb2.ERROR_REASON_INTERNAL
            failure.message = type(cause).__name__
        failure.source = source
        cause = cause.__cause__
    return top


def from_failure(failure: failure_pb2.Failure) -> MeshError:
    """Return the error that a failure tells, its causes chained as `__cause__`."""
    name = reason_pb2.ErrorReason.Name(failure.reason) if failure.reason in reason_pb2.ErrorReason.values() else ""
    error = error_of(name.removeprefix(_PREFIX) or "INTERNAL", failure.message)
    if failure.HasField("cause"):
        error.__cause__ = from_failure(failure.cause)
    return error


def _reason(name: str) -> reason_pb2.ErrorReason:
    number = reason_pb2.ErrorReason.Value(f"{_PREFIX}{name}" if name in REASON_CODES else f"{_PREFIX}INTERNAL")
    return cast("reason_pb2.ErrorReason", number)
