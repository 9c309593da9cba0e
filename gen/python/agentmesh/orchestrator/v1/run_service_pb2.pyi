from agentmesh.agent.v1 import agent_spec_pb2 as _agent_spec_pb2
from agentmesh.errors.v1 import failure_pb2 as _failure_pb2
from agentmesh.orchestrator.v1 import run_pb2 as _run_pb2
from agentmesh.orchestrator.v1 import run_control_pb2 as _run_control_pb2
from agentmesh.orchestrator.v1 import run_event_pb2 as _run_event_pb2
from agentmesh.policy.v1 import method_pb2 as _method_pb2
from buf.validate import validate_pb2 as _validate_pb2
from google.api import annotations_pb2 as _annotations_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import struct_pb2 as _struct_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class OnDisconnect(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ON_DISCONNECT_UNSPECIFIED: _ClassVar[OnDisconnect]
    ON_DISCONNECT_CONTINUE: _ClassVar[OnDisconnect]
    ON_DISCONNECT_CANCEL: _ClassVar[OnDisconnect]

class OnBusy(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ON_BUSY_UNSPECIFIED: _ClassVar[OnBusy]
    ON_BUSY_REJECT: _ClassVar[OnBusy]
    ON_BUSY_ENQUEUE: _ClassVar[OnBusy]
    ON_BUSY_INTERRUPT: _ClassVar[OnBusy]
    ON_BUSY_ROLLBACK: _ClassVar[OnBusy]
ON_DISCONNECT_UNSPECIFIED: OnDisconnect
ON_DISCONNECT_CONTINUE: OnDisconnect
ON_DISCONNECT_CANCEL: OnDisconnect
ON_BUSY_UNSPECIFIED: OnBusy
ON_BUSY_REJECT: OnBusy
ON_BUSY_ENQUEUE: OnBusy
ON_BUSY_INTERRUPT: OnBusy
ON_BUSY_ROLLBACK: OnBusy

class CreateRunRequest(_message.Message):
    __slots__ = ("request_id", "session", "agent", "input", "user", "limits", "on_busy", "output_schema")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    SESSION_FIELD_NUMBER: _ClassVar[int]
    AGENT_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    USER_FIELD_NUMBER: _ClassVar[int]
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    ON_BUSY_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_SCHEMA_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    session: str
    agent: str
    input: str
    user: str
    limits: _agent_spec_pb2.RunLimits
    on_busy: OnBusy
    output_schema: _struct_pb2.Struct
    def __init__(self, request_id: _Optional[str] = ..., session: _Optional[str] = ..., agent: _Optional[str] = ..., input: _Optional[str] = ..., user: _Optional[str] = ..., limits: _Optional[_Union[_agent_spec_pb2.RunLimits, _Mapping]] = ..., on_busy: _Optional[_Union[OnBusy, str]] = ..., output_schema: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ...) -> None: ...

class StreamRunRequest(_message.Message):
    __slots__ = ("run", "on_disconnect")
    RUN_FIELD_NUMBER: _ClassVar[int]
    ON_DISCONNECT_FIELD_NUMBER: _ClassVar[int]
    run: CreateRunRequest
    on_disconnect: OnDisconnect
    def __init__(self, run: _Optional[_Union[CreateRunRequest, _Mapping]] = ..., on_disconnect: _Optional[_Union[OnDisconnect, str]] = ...) -> None: ...

class GetRunRequest(_message.Message):
    __slots__ = ("run", "view")
    RUN_FIELD_NUMBER: _ClassVar[int]
    VIEW_FIELD_NUMBER: _ClassVar[int]
    run: str
    view: _run_pb2.RunView
    def __init__(self, run: _Optional[str] = ..., view: _Optional[_Union[_run_pb2.RunView, str]] = ...) -> None: ...

class ListRunsRequest(_message.Message):
    __slots__ = ("session", "agent", "state", "view", "page_size", "page_token", "parent")
    SESSION_FIELD_NUMBER: _ClassVar[int]
    AGENT_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    VIEW_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    PARENT_FIELD_NUMBER: _ClassVar[int]
    session: str
    agent: str
    state: _run_pb2.RunState
    view: _run_pb2.RunView
    page_size: int
    page_token: str
    parent: str
    def __init__(self, session: _Optional[str] = ..., agent: _Optional[str] = ..., state: _Optional[_Union[_run_pb2.RunState, str]] = ..., view: _Optional[_Union[_run_pb2.RunView, str]] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., parent: _Optional[str] = ...) -> None: ...

class ListRunsResponse(_message.Message):
    __slots__ = ("runs", "next_page_token")
    RUNS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    runs: _containers.RepeatedCompositeFieldContainer[_run_pb2.Run]
    next_page_token: str
    def __init__(self, runs: _Optional[_Iterable[_Union[_run_pb2.Run, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class WaitRunRequest(_message.Message):
    __slots__ = ("run", "max_wait", "view")
    RUN_FIELD_NUMBER: _ClassVar[int]
    MAX_WAIT_FIELD_NUMBER: _ClassVar[int]
    VIEW_FIELD_NUMBER: _ClassVar[int]
    run: str
    max_wait: _duration_pb2.Duration
    view: _run_pb2.RunView
    def __init__(self, run: _Optional[str] = ..., max_wait: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., view: _Optional[_Union[_run_pb2.RunView, str]] = ...) -> None: ...

class SubscribeRunRequest(_message.Message):
    __slots__ = ("run", "after_sequence")
    RUN_FIELD_NUMBER: _ClassVar[int]
    AFTER_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    run: str
    after_sequence: int
    def __init__(self, run: _Optional[str] = ..., after_sequence: _Optional[int] = ...) -> None: ...

class CancelRunRequest(_message.Message):
    __slots__ = ("run",)
    RUN_FIELD_NUMBER: _ClassVar[int]
    run: str
    def __init__(self, run: _Optional[str] = ...) -> None: ...

class BatchCreateRunsRequest(_message.Message):
    __slots__ = ("requests",)
    REQUESTS_FIELD_NUMBER: _ClassVar[int]
    requests: _containers.RepeatedCompositeFieldContainer[CreateRunRequest]
    def __init__(self, requests: _Optional[_Iterable[_Union[CreateRunRequest, _Mapping]]] = ...) -> None: ...

class BatchCreateRunsResult(_message.Message):
    __slots__ = ("run", "failure")
    RUN_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    run: _run_pb2.Run
    failure: _failure_pb2.Failure
    def __init__(self, run: _Optional[_Union[_run_pb2.Run, _Mapping]] = ..., failure: _Optional[_Union[_failure_pb2.Failure, _Mapping]] = ...) -> None: ...

class BatchCreateRunsResponse(_message.Message):
    __slots__ = ("results",)
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[BatchCreateRunsResult]
    def __init__(self, results: _Optional[_Iterable[_Union[BatchCreateRunsResult, _Mapping]]] = ...) -> None: ...
