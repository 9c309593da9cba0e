"""How the door's own refusals look: the same typed errors as the services', on every protocol.

Owns the table from Envoy's HTTP statuses to the mesh's errors, and its form as Envoy's local-reply mappers. A client
thus has one way to read an error, whether a service or the door in front of it says no.
"""

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any

from google.protobuf.json_format import MessageToDict

from meshkit.auth.tokens import refusal
from meshkit.errors import DeadlineExceeded, InvalidArgument, MeshError, ResourceExhausted, Unavailable, Unimplemented
from meshkit.rpc.status import to_status

__all__ = ["refusals"]

_TOO_LARGE = InvalidArgument("the request is larger than 4 MiB, or its headers are larger than 16 KiB")
_TOO_LATE = DeadlineExceeded("the call took longer than its deadline, or than the door allows")
_NOT_THERE = Unavailable("the service does not answer", retry_after=1.0)

_ERRORS: Mapping[int, MeshError] = {
    400: InvalidArgument("the request cannot be read"),
    401: refusal(),
    403: refusal(),  # a token for another audience, which is nobody's business to learn
    404: Unimplemented("there is no such method"),
    408: _TOO_LATE,
    413: _TOO_LARGE,
    429: ResourceExhausted("too many calls from this address", reason="RATE_LIMITED", retry_after=1.0),
    431: _TOO_LARGE,
    500: _NOT_THERE,
    502: _NOT_THERE,
    503: _NOT_THERE,
    504: _TOO_LATE,
}
"""What each status that Envoy itself answers with means to a client."""

_HTTP_STATUS = {403: 401}
"""Statuses that JSON clients see as another one."""

# A gRPC or gRPC-Web call that has not been made from a JSON one: the transcoder notes the path it came with.
_IS_GRPC: Sequence[Mapping[str, Any]] = (
    {"header_filter": {"header": {"name": "content-type", "string_match": {"prefix": "application/grpc"}}}},
    {"header_filter": {"header": {"name": "x-envoy-original-path", "present_match": False}}},
)


def refusals() -> list[dict[str, Any]]:
    """Return the mappers, the first that fits wins: for each status one for gRPC in both forms, then one for JSON."""
    return [mapper for status, error in _ERRORS.items() for mapper in (_grpc(status, error), _json(status, error))]


def _grpc(status: int, error: MeshError) -> dict[str, Any]:
    """Answer with trailers alone; the gRPC-Web filter makes of it what a browser expects."""
    told = to_status(error)
    headers = {
        "content-type": "application/grpc",
        "grpc-status": str(told.code),
        "grpc-message": told.message,
        "grpc-status-details-bin": base64.b64encode(told.SerializeToString()).decode(),
    }
    return {
        "filter": {"and_filter": {"filters": [_has_status(status), *_IS_GRPC]}},
        "status_code": 200,
        "body": {"inline_string": ""},
        "headers_to_add": [
            {"header": {"key": key, "value": value.replace("%", "%%")}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
            for key, value in headers.items()
        ],
    }


def _json(status: int, error: MeshError) -> dict[str, Any]:
    body = json.dumps(MessageToDict(to_status(error)), separators=(",", ":"))
    return {
        "filter": _has_status(status),
        "status_code": _HTTP_STATUS.get(status, status),
        "body_format_override": {
            "text_format_source": {"inline_string": body.replace("%", "%%")},
            "content_type": "application/json",
        },
    }


def _has_status(status: int) -> dict[str, Any]:
    value = {"default_value": status, "runtime_key": "door.refusal"}
    return {"status_code_filter": {"comparison": {"op": "EQ", "value": value}}}
