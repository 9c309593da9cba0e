"""The one table between errors and gRPC statuses, read both ways from the proto enum `ErrorReason`.

A server turns a `MeshError` into a `google.rpc.Status` with typed details; a client turns the status back into the same
class. Nothing else in the mesh knows how an error looks on the wire.
"""

from collections.abc import Mapping
from typing import TypeVar

import grpc
from agentmesh.errors.v1 import reason_pb2
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import DecodeError, Message
from google.rpc import code_pb2, error_details_pb2, status_pb2  # type: ignore[import-untyped]

from meshkit.errors import FieldViolation, MeshError, Unavailable, family

__all__ = ["DOMAIN", "REASON_CODES", "error_of", "from_rpc_error", "from_status", "to_status"]

DOMAIN = "agentmesh"
"""The `ErrorInfo.domain` of every error that the mesh makes."""

Detail = TypeVar("Detail", bound=Message)

_PREFIX = "ERROR_REASON_"
_MAX_MESSAGE = 1024
_MAX_VIOLATIONS = 25
_RETRY_SECONDS = 1.0  # about what a restarted process needs to listen again
_STATUS_KEY = "grpc-status-details-bin"

REASON_CODES: Mapping[str, str] = {
    value.name.removeprefix(_PREFIX): code_pb2.Code.Name(value.GetOptions().Extensions[reason_pb2.code])  # type: ignore[index]
    for value in reason_pb2.ErrorReason.DESCRIPTOR.values
    if value.number != reason_pb2.ERROR_REASON_UNSPECIFIED
}
"""Each reason without its prefix, and the name of the status code that always goes with it."""


def error_of(reason: str, message: str) -> MeshError:
    """Return the error of a reason, in the class that the reason's status code asks for."""
    return family(REASON_CODES.get(reason, "INTERNAL"))(message, reason=reason)


def to_status(error: MeshError, *, trace_id: str = "") -> status_pb2.Status:
    """Return the error as it travels, with the details that apply: ErrorInfo, BadRequest, RetryInfo, QuotaFailure.

    `trace_id` joins the error to the logs of the call; it becomes a fact in the ErrorInfo's metadata.
    """
    # Cut to bounds, since all of it must fit into the trailing headers.
    metadata = {**error.metadata, "trace_id": trace_id} if trace_id else dict(error.metadata)
    details: list[Message] = [error_details_pb2.ErrorInfo(reason=error.reason, domain=DOMAIN, metadata=metadata)]
    if error.field_violations:
        violations = [
            error_details_pb2.BadRequest.FieldViolation(
                field=violation.field[:128], description=violation.description[:256]
            )
            for violation in error.field_violations[:_MAX_VIOLATIONS]
        ]
        details.append(error_details_pb2.BadRequest(field_violations=violations))
    if error.retry_after is not None:
        delay = Duration()
        delay.FromNanoseconds(round(error.retry_after * 1e9))
        details.append(error_details_pb2.RetryInfo(retry_delay=delay))
    if error.code == "RESOURCE_EXHAUSTED":
        quota = error_details_pb2.QuotaFailure.Violation(
            subject=error.metadata.get("subject", ""), description=error.message[:256]
        )
        details.append(error_details_pb2.QuotaFailure(violations=[quota]))
    status = status_pb2.Status(code=code_pb2.Code.Value(error.code), message=error.message[:_MAX_MESSAGE])
    for detail in details:
        status.details.add().Pack(detail)
    return status


def from_status(status: status_pb2.Status) -> MeshError:
    """Return the error that a status tells; details of a kind that this client does not know are left out."""
    info = _detail(status, error_details_pb2.ErrorInfo) or error_details_pb2.ErrorInfo()
    bad_request = _detail(status, error_details_pb2.BadRequest) or error_details_pb2.BadRequest()
    retry = _detail(status, error_details_pb2.RetryInfo)
    try:
        code = code_pb2.Code.Name(status.code)
    except ValueError:
        code = "UNKNOWN"
    return family(code)(
        status.message,
        reason=info.reason if info.domain == DOMAIN else None,
        metadata=dict(info.metadata),
        field_violations=[FieldViolation(each.field, each.description) for each in bad_request.field_violations],
        retry_after=None if retry is None else retry.retry_delay.ToNanoseconds() / 1e9,
    )


def from_rpc_error(error: grpc.aio.AioRpcError) -> MeshError:
    """Return the error that a failed call tells. A peer without our details is judged by its status code alone."""
    for key, value in error.trailing_metadata() or ():
        if key == _STATUS_KEY and isinstance(value, bytes):
            try:
                return from_status(status_pb2.Status.FromString(value))
            except DecodeError:
                break  # a proxy's garbage; the code below is still right
    code = error.code().name
    # What gRPC itself says of a lost peer names addresses, which are nothing for the next caller up.
    if code == "UNAVAILABLE":
        return Unavailable("the peer cannot be reached, or went away", retry_after=_RETRY_SECONDS)
    said = None if code in ("UNKNOWN", "INTERNAL") else error.details()
    return family(code)(said or f"a peer answered {code}")


def _detail(status: status_pb2.Status, kind: type[Detail]) -> Detail | None:
    detail = kind()
    for packed in status.details:
        if packed.Is(kind.DESCRIPTOR):
            try:
                packed.Unpack(detail)
            except DecodeError:
                return None
            return detail
    return None
