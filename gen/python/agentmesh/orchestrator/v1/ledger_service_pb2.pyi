from agentmesh.agent.v1 import activity_pb2 as _activity_pb2
from agentmesh.orchestrator.v1 import file_pb2 as _file_pb2
from agentmesh.orchestrator.v1 import step_pb2 as _step_pb2
from agentmesh.policy.v1 import method_pb2 as _method_pb2
from buf.validate import validate_pb2 as _validate_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class BeginStepRequest(_message.Message):
    __slots__ = ("kind", "name", "agent", "digest", "occurrence", "arguments", "repeatable")
    KIND_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    AGENT_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    OCCURRENCE_FIELD_NUMBER: _ClassVar[int]
    ARGUMENTS_FIELD_NUMBER: _ClassVar[int]
    REPEATABLE_FIELD_NUMBER: _ClassVar[int]
    kind: _activity_pb2.StepKind
    name: str
    agent: str
    digest: bytes
    occurrence: int
    arguments: str
    repeatable: bool
    def __init__(self, kind: _Optional[_Union[_activity_pb2.StepKind, str]] = ..., name: _Optional[str] = ..., agent: _Optional[str] = ..., digest: _Optional[bytes] = ..., occurrence: _Optional[int] = ..., arguments: _Optional[str] = ..., repeatable: bool = ...) -> None: ...

class Steering(_message.Message):
    __slots__ = ("number", "text")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    number: int
    text: str
    def __init__(self, number: _Optional[int] = ..., text: _Optional[str] = ...) -> None: ...

class Execute(_message.Message):
    __slots__ = ("idempotency_key", "arguments")
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    ARGUMENTS_FIELD_NUMBER: _ClassVar[int]
    idempotency_key: str
    arguments: str
    def __init__(self, idempotency_key: _Optional[str] = ..., arguments: _Optional[str] = ...) -> None: ...

class Replay(_message.Message):
    __slots__ = ("result", "cached")
    RESULT_FIELD_NUMBER: _ClassVar[int]
    CACHED_FIELD_NUMBER: _ClassVar[int]
    result: _step_pb2.StepResult
    cached: bool
    def __init__(self, result: _Optional[_Union[_step_pb2.StepResult, _Mapping]] = ..., cached: bool = ...) -> None: ...

class Suspend(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class BeginStepResponse(_message.Message):
    __slots__ = ("step", "execute", "replay", "suspend", "steering")
    STEP_FIELD_NUMBER: _ClassVar[int]
    EXECUTE_FIELD_NUMBER: _ClassVar[int]
    REPLAY_FIELD_NUMBER: _ClassVar[int]
    SUSPEND_FIELD_NUMBER: _ClassVar[int]
    STEERING_FIELD_NUMBER: _ClassVar[int]
    step: str
    execute: Execute
    replay: Replay
    suspend: Suspend
    steering: _containers.RepeatedCompositeFieldContainer[Steering]
    def __init__(self, step: _Optional[str] = ..., execute: _Optional[_Union[Execute, _Mapping]] = ..., replay: _Optional[_Union[Replay, _Mapping]] = ..., suspend: _Optional[_Union[Suspend, _Mapping]] = ..., steering: _Optional[_Iterable[_Union[Steering, _Mapping]]] = ...) -> None: ...

class ReplayStepsRequest(_message.Message):
    __slots__ = ("after",)
    AFTER_FIELD_NUMBER: _ClassVar[int]
    after: str
    def __init__(self, after: _Optional[str] = ...) -> None: ...

class RecordedStep(_message.Message):
    __slots__ = ("step", "kind", "digest", "occurrence", "replay", "steering")
    STEP_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    OCCURRENCE_FIELD_NUMBER: _ClassVar[int]
    REPLAY_FIELD_NUMBER: _ClassVar[int]
    STEERING_FIELD_NUMBER: _ClassVar[int]
    step: str
    kind: _activity_pb2.StepKind
    digest: bytes
    occurrence: int
    replay: Replay
    steering: _containers.RepeatedCompositeFieldContainer[Steering]
    def __init__(self, step: _Optional[str] = ..., kind: _Optional[_Union[_activity_pb2.StepKind, str]] = ..., digest: _Optional[bytes] = ..., occurrence: _Optional[int] = ..., replay: _Optional[_Union[Replay, _Mapping]] = ..., steering: _Optional[_Iterable[_Union[Steering, _Mapping]]] = ...) -> None: ...

class ReplayStepsResponse(_message.Message):
    __slots__ = ("steps",)
    STEPS_FIELD_NUMBER: _ClassVar[int]
    steps: _containers.RepeatedCompositeFieldContainer[RecordedStep]
    def __init__(self, steps: _Optional[_Iterable[_Union[RecordedStep, _Mapping]]] = ...) -> None: ...

class CompleteStepRequest(_message.Message):
    __slots__ = ("step", "result", "usage")
    STEP_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    USAGE_FIELD_NUMBER: _ClassVar[int]
    step: str
    result: _step_pb2.StepResult
    usage: _activity_pb2.Usage
    def __init__(self, step: _Optional[str] = ..., result: _Optional[_Union[_step_pb2.StepResult, _Mapping]] = ..., usage: _Optional[_Union[_activity_pb2.Usage, _Mapping]] = ...) -> None: ...

class CompleteStepResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class PutFileRequest(_message.Message):
    __slots__ = ("step", "name", "media_type", "content")
    STEP_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    MEDIA_TYPE_FIELD_NUMBER: _ClassVar[int]
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    step: str
    name: str
    media_type: str
    content: bytes
    def __init__(self, step: _Optional[str] = ..., name: _Optional[str] = ..., media_type: _Optional[str] = ..., content: _Optional[bytes] = ...) -> None: ...

class PutFileResponse(_message.Message):
    __slots__ = ("file",)
    FILE_FIELD_NUMBER: _ClassVar[int]
    file: _file_pb2.File
    def __init__(self, file: _Optional[_Union[_file_pb2.File, _Mapping]] = ...) -> None: ...

class ReadFileRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class ReadFileResponse(_message.Message):
    __slots__ = ("file", "content")
    FILE_FIELD_NUMBER: _ClassVar[int]
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    file: _file_pb2.File
    content: bytes
    def __init__(self, file: _Optional[_Union[_file_pb2.File, _Mapping]] = ..., content: _Optional[bytes] = ...) -> None: ...

class FindFilesRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class FindFilesResponse(_message.Message):
    __slots__ = ("files",)
    FILES_FIELD_NUMBER: _ClassVar[int]
    files: _containers.RepeatedCompositeFieldContainer[_file_pb2.File]
    def __init__(self, files: _Optional[_Iterable[_Union[_file_pb2.File, _Mapping]]] = ...) -> None: ...
