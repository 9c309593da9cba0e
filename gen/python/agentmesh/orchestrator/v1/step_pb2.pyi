from agentmesh.agent.v1 import activity_pb2 as _activity_pb2
from buf.validate import validate_pb2 as _validate_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class StepState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    STEP_STATE_UNSPECIFIED: _ClassVar[StepState]
    STEP_STATE_STARTED: _ClassVar[StepState]
    STEP_STATE_COMPLETED: _ClassVar[StepState]
    STEP_STATE_FAILED: _ClassVar[StepState]
    STEP_STATE_WAITING: _ClassVar[StepState]
STEP_STATE_UNSPECIFIED: StepState
STEP_STATE_STARTED: StepState
STEP_STATE_COMPLETED: StepState
STEP_STATE_FAILED: StepState
STEP_STATE_WAITING: StepState

class ToolOutcome(_message.Message):
    __slots__ = ("content", "is_error", "memory", "sources", "files")
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    IS_ERROR_FIELD_NUMBER: _ClassVar[int]
    MEMORY_FIELD_NUMBER: _ClassVar[int]
    SOURCES_FIELD_NUMBER: _ClassVar[int]
    FILES_FIELD_NUMBER: _ClassVar[int]
    content: str
    is_error: bool
    memory: str
    sources: _containers.RepeatedCompositeFieldContainer[_activity_pb2.Source]
    files: _containers.RepeatedCompositeFieldContainer[_activity_pb2.FileWritten]
    def __init__(self, content: _Optional[str] = ..., is_error: bool = ..., memory: _Optional[str] = ..., sources: _Optional[_Iterable[_Union[_activity_pb2.Source, _Mapping]]] = ..., files: _Optional[_Iterable[_Union[_activity_pb2.FileWritten, _Mapping]]] = ...) -> None: ...

class StepResult(_message.Message):
    __slots__ = ("completion", "tool")
    COMPLETION_FIELD_NUMBER: _ClassVar[int]
    TOOL_FIELD_NUMBER: _ClassVar[int]
    completion: str
    tool: ToolOutcome
    def __init__(self, completion: _Optional[str] = ..., tool: _Optional[_Union[ToolOutcome, _Mapping]] = ...) -> None: ...

class Step(_message.Message):
    __slots__ = ("id", "number", "kind", "name", "agent", "state", "attempt", "arguments", "result", "usage", "cached", "create_time", "finish_time")
    ID_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    AGENT_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    ARGUMENTS_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    USAGE_FIELD_NUMBER: _ClassVar[int]
    CACHED_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    FINISH_TIME_FIELD_NUMBER: _ClassVar[int]
    id: str
    number: int
    kind: _activity_pb2.StepKind
    name: str
    agent: str
    state: StepState
    attempt: int
    arguments: str
    result: StepResult
    usage: _activity_pb2.Usage
    cached: bool
    create_time: _timestamp_pb2.Timestamp
    finish_time: _timestamp_pb2.Timestamp
    def __init__(self, id: _Optional[str] = ..., number: _Optional[int] = ..., kind: _Optional[_Union[_activity_pb2.StepKind, str]] = ..., name: _Optional[str] = ..., agent: _Optional[str] = ..., state: _Optional[_Union[StepState, str]] = ..., attempt: _Optional[int] = ..., arguments: _Optional[str] = ..., result: _Optional[_Union[StepResult, _Mapping]] = ..., usage: _Optional[_Union[_activity_pb2.Usage, _Mapping]] = ..., cached: bool = ..., create_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., finish_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...
