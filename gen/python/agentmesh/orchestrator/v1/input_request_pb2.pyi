from buf.validate import validate_pb2 as _validate_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class InputKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    INPUT_KIND_UNSPECIFIED: _ClassVar[InputKind]
    INPUT_KIND_APPROVAL: _ClassVar[InputKind]
    INPUT_KIND_QUESTION: _ClassVar[InputKind]
    INPUT_KIND_UNCERTAIN: _ClassVar[InputKind]

class InputAnswer(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    INPUT_ANSWER_UNSPECIFIED: _ClassVar[InputAnswer]
    INPUT_ANSWER_APPROVED: _ClassVar[InputAnswer]
    INPUT_ANSWER_DENIED: _ClassVar[InputAnswer]
    INPUT_ANSWER_EDITED: _ClassVar[InputAnswer]
    INPUT_ANSWER_TEXT: _ClassVar[InputAnswer]
    INPUT_ANSWER_EXPIRED: _ClassVar[InputAnswer]
INPUT_KIND_UNSPECIFIED: InputKind
INPUT_KIND_APPROVAL: InputKind
INPUT_KIND_QUESTION: InputKind
INPUT_KIND_UNCERTAIN: InputKind
INPUT_ANSWER_UNSPECIFIED: InputAnswer
INPUT_ANSWER_APPROVED: InputAnswer
INPUT_ANSWER_DENIED: InputAnswer
INPUT_ANSWER_EDITED: InputAnswer
INPUT_ANSWER_TEXT: InputAnswer
INPUT_ANSWER_EXPIRED: InputAnswer

class InputRequest(_message.Message):
    __slots__ = ("id", "run", "step", "kind", "tool", "arguments", "arguments_digest", "question", "create_time", "expire_time")
    ID_FIELD_NUMBER: _ClassVar[int]
    RUN_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    TOOL_FIELD_NUMBER: _ClassVar[int]
    ARGUMENTS_FIELD_NUMBER: _ClassVar[int]
    ARGUMENTS_DIGEST_FIELD_NUMBER: _ClassVar[int]
    QUESTION_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    id: str
    run: str
    step: str
    kind: InputKind
    tool: str
    arguments: str
    arguments_digest: str
    question: str
    create_time: _timestamp_pb2.Timestamp
    expire_time: _timestamp_pb2.Timestamp
    def __init__(self, id: _Optional[str] = ..., run: _Optional[str] = ..., step: _Optional[str] = ..., kind: _Optional[_Union[InputKind, str]] = ..., tool: _Optional[str] = ..., arguments: _Optional[str] = ..., arguments_digest: _Optional[str] = ..., question: _Optional[str] = ..., create_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., expire_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...
