from google.protobuf import descriptor_pb2 as _descriptor_pb2
from google.rpc import code_pb2 as _code_pb2
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from typing import ClassVar as _ClassVar

DESCRIPTOR: _descriptor.FileDescriptor

class ErrorReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ERROR_REASON_UNSPECIFIED: _ClassVar[ErrorReason]
    ERROR_REASON_FIELD_INVALID: _ClassVar[ErrorReason]
    ERROR_REASON_PAGE_TOKEN_INVALID: _ClassVar[ErrorReason]
    ERROR_REASON_REQUEST_ID_REUSED: _ClassVar[ErrorReason]
    ERROR_REASON_NOT_FOUND: _ClassVar[ErrorReason]
    ERROR_REASON_ALREADY_EXISTS: _ClassVar[ErrorReason]
    ERROR_REASON_ETAG_MISMATCH: _ClassVar[ErrorReason]
    ERROR_REASON_REQUEST_IN_PROGRESS: _ClassVar[ErrorReason]
    ERROR_REASON_SEQUENCE_IN_FUTURE: _ClassVar[ErrorReason]
    ERROR_REASON_STATE_CONFLICT: _ClassVar[ErrorReason]
    ERROR_REASON_RUNTIME_UNAVAILABLE: _ClassVar[ErrorReason]
    ERROR_REASON_UNAUTHENTICATED: _ClassVar[ErrorReason]
    ERROR_REASON_SCOPE_MISSING: _ClassVar[ErrorReason]
    ERROR_REASON_RATE_LIMITED: _ClassVar[ErrorReason]
    ERROR_REASON_OVERLOADED: _ClassVar[ErrorReason]
    ERROR_REASON_SUBSCRIBER_TOO_SLOW: _ClassVar[ErrorReason]
    ERROR_REASON_DEPENDENCY_UNAVAILABLE: _ClassVar[ErrorReason]
    ERROR_REASON_DRAINING: _ClassVar[ErrorReason]
    ERROR_REASON_DEADLINE_EXCEEDED: _ClassVar[ErrorReason]
    ERROR_REASON_CANCELLED: _ClassVar[ErrorReason]
    ERROR_REASON_UNIMPLEMENTED: _ClassVar[ErrorReason]
    ERROR_REASON_INTERNAL: _ClassVar[ErrorReason]
    ERROR_REASON_MODEL_FAILED: _ClassVar[ErrorReason]
    ERROR_REASON_MODEL_TIMEOUT: _ClassVar[ErrorReason]
    ERROR_REASON_LIMIT_REACHED: _ClassVar[ErrorReason]
    ERROR_REASON_AGENT_FAILED: _ClassVar[ErrorReason]
    ERROR_REASON_ATTEMPT_SUPERSEDED: _ClassVar[ErrorReason]
    ERROR_REASON_REQUEST_CLOSED: _ClassVar[ErrorReason]
    ERROR_REASON_CIRCUIT_OPEN: _ClassVar[ErrorReason]
    ERROR_REASON_TOO_MANY_RUNS: _ClassVar[ErrorReason]
    ERROR_REASON_OUTPUT_INVALID: _ClassVar[ErrorReason]
    ERROR_REASON_SESSION_FULL: _ClassVar[ErrorReason]
ERROR_REASON_UNSPECIFIED: ErrorReason
ERROR_REASON_FIELD_INVALID: ErrorReason
ERROR_REASON_PAGE_TOKEN_INVALID: ErrorReason
ERROR_REASON_REQUEST_ID_REUSED: ErrorReason
ERROR_REASON_NOT_FOUND: ErrorReason
ERROR_REASON_ALREADY_EXISTS: ErrorReason
ERROR_REASON_ETAG_MISMATCH: ErrorReason
ERROR_REASON_REQUEST_IN_PROGRESS: ErrorReason
ERROR_REASON_SEQUENCE_IN_FUTURE: ErrorReason
ERROR_REASON_STATE_CONFLICT: ErrorReason
ERROR_REASON_RUNTIME_UNAVAILABLE: ErrorReason
ERROR_REASON_UNAUTHENTICATED: ErrorReason
ERROR_REASON_SCOPE_MISSING: ErrorReason
ERROR_REASON_RATE_LIMITED: ErrorReason
ERROR_REASON_OVERLOADED: ErrorReason
ERROR_REASON_SUBSCRIBER_TOO_SLOW: ErrorReason
ERROR_REASON_DEPENDENCY_UNAVAILABLE: ErrorReason
ERROR_REASON_DRAINING: ErrorReason
ERROR_REASON_DEADLINE_EXCEEDED: ErrorReason
ERROR_REASON_CANCELLED: ErrorReason
ERROR_REASON_UNIMPLEMENTED: ErrorReason
ERROR_REASON_INTERNAL: ErrorReason
ERROR_REASON_MODEL_FAILED: ErrorReason
ERROR_REASON_MODEL_TIMEOUT: ErrorReason
ERROR_REASON_LIMIT_REACHED: ErrorReason
ERROR_REASON_AGENT_FAILED: ErrorReason
ERROR_REASON_ATTEMPT_SUPERSEDED: ErrorReason
ERROR_REASON_REQUEST_CLOSED: ErrorReason
ERROR_REASON_CIRCUIT_OPEN: ErrorReason
ERROR_REASON_TOO_MANY_RUNS: ErrorReason
ERROR_REASON_OUTPUT_INVALID: ErrorReason
ERROR_REASON_SESSION_FULL: ErrorReason
CODE_FIELD_NUMBER: _ClassVar[int]
code: _descriptor.FieldDescriptor
