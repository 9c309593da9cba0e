from agentmesh.memory.v1 import origin_pb2 as _origin_pb2
from buf.validate import validate_pb2 as _validate_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Interaction(_message.Message):
    __slots__ = ("id", "user", "session", "run", "agent", "input", "output", "labels", "create_time", "speaker", "origin", "source")
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    ID_FIELD_NUMBER: _ClassVar[int]
    USER_FIELD_NUMBER: _ClassVar[int]
    SESSION_FIELD_NUMBER: _ClassVar[int]
    RUN_FIELD_NUMBER: _ClassVar[int]
    AGENT_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    SPEAKER_FIELD_NUMBER: _ClassVar[int]
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    id: str
    user: str
    session: str
    run: str
    agent: str
    input: str
    output: str
    labels: _containers.ScalarMap[str, str]
    create_time: _timestamp_pb2.Timestamp
    speaker: str
    origin: _origin_pb2.Origin
    source: str
    def __init__(self, id: _Optional[str] = ..., user: _Optional[str] = ..., session: _Optional[str] = ..., run: _Optional[str] = ..., agent: _Optional[str] = ..., input: _Optional[str] = ..., output: _Optional[str] = ..., labels: _Optional[_Mapping[str, str]] = ..., create_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., speaker: _Optional[str] = ..., origin: _Optional[_Union[_origin_pb2.Origin, str]] = ..., source: _Optional[str] = ...) -> None: ...

class InteractionMatch(_message.Message):
    __slots__ = ("interaction", "score")
    INTERACTION_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    interaction: Interaction
    score: float
    def __init__(self, interaction: _Optional[_Union[Interaction, _Mapping]] = ..., score: _Optional[float] = ...) -> None: ...
