from buf.validate import validate_pb2 as _validate_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class FactCategory(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FACT_CATEGORY_UNSPECIFIED: _ClassVar[FactCategory]
    FACT_CATEGORY_PROFILE: _ClassVar[FactCategory]
    FACT_CATEGORY_PREFERENCE: _ClassVar[FactCategory]
    FACT_CATEGORY_GOAL: _ClassVar[FactCategory]
    FACT_CATEGORY_KNOWLEDGE: _ClassVar[FactCategory]

class FactOrigin(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FACT_ORIGIN_UNSPECIFIED: _ClassVar[FactOrigin]
    FACT_ORIGIN_CLIENT: _ClassVar[FactOrigin]
    FACT_ORIGIN_AGENT: _ClassVar[FactOrigin]
    FACT_ORIGIN_EXTRACTION: _ClassVar[FactOrigin]
    FACT_ORIGIN_TOOL: _ClassVar[FactOrigin]
    FACT_ORIGIN_DOCUMENT: _ClassVar[FactOrigin]

class FactChange(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FACT_CHANGE_UNSPECIFIED: _ClassVar[FactChange]
    FACT_CHANGE_STATED: _ClassVar[FactChange]
    FACT_CHANGE_REPLACED: _ClassVar[FactChange]
    FACT_CHANGE_SUPERSEDED: _ClassVar[FactChange]
    FACT_CHANGE_CONTESTED: _ClassVar[FactChange]
FACT_CATEGORY_UNSPECIFIED: FactCategory
FACT_CATEGORY_PROFILE: FactCategory
FACT_CATEGORY_PREFERENCE: FactCategory
FACT_CATEGORY_GOAL: FactCategory
FACT_CATEGORY_KNOWLEDGE: FactCategory
FACT_ORIGIN_UNSPECIFIED: FactOrigin
FACT_ORIGIN_CLIENT: FactOrigin
FACT_ORIGIN_AGENT: FactOrigin
FACT_ORIGIN_EXTRACTION: FactOrigin
FACT_ORIGIN_TOOL: FactOrigin
FACT_ORIGIN_DOCUMENT: FactOrigin
FACT_CHANGE_UNSPECIFIED: FactChange
FACT_CHANGE_STATED: FactChange
FACT_CHANGE_REPLACED: FactChange
FACT_CHANGE_SUPERSEDED: FactChange
FACT_CHANGE_CONTESTED: FactChange

class Fact(_message.Message):
    __slots__ = ("id", "user", "key", "value", "category", "importance", "origin", "run", "create_time", "update_time", "etag", "source", "step", "interaction", "quote", "valid_from", "valid_to", "confirm_time", "version", "contested")
    ID_FIELD_NUMBER: _ClassVar[int]
    USER_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    CATEGORY_FIELD_NUMBER: _ClassVar[int]
    IMPORTANCE_FIELD_NUMBER: _ClassVar[int]
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    RUN_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    UPDATE_TIME_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    INTERACTION_FIELD_NUMBER: _ClassVar[int]
    QUOTE_FIELD_NUMBER: _ClassVar[int]
    VALID_FROM_FIELD_NUMBER: _ClassVar[int]
    VALID_TO_FIELD_NUMBER: _ClassVar[int]
    CONFIRM_TIME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    CONTESTED_FIELD_NUMBER: _ClassVar[int]
    id: str
    user: str
    key: str
    value: str
    category: FactCategory
    importance: float
    origin: FactOrigin
    run: str
    create_time: _timestamp_pb2.Timestamp
    update_time: _timestamp_pb2.Timestamp
    etag: str
    source: str
    step: str
    interaction: str
    quote: str
    valid_from: _timestamp_pb2.Timestamp
    valid_to: _timestamp_pb2.Timestamp
    confirm_time: _timestamp_pb2.Timestamp
    version: int
    contested: bool
    def __init__(self, id: _Optional[str] = ..., user: _Optional[str] = ..., key: _Optional[str] = ..., value: _Optional[str] = ..., category: _Optional[_Union[FactCategory, str]] = ..., importance: _Optional[float] = ..., origin: _Optional[_Union[FactOrigin, str]] = ..., run: _Optional[str] = ..., create_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., update_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., etag: _Optional[str] = ..., source: _Optional[str] = ..., step: _Optional[str] = ..., interaction: _Optional[str] = ..., quote: _Optional[str] = ..., valid_from: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., valid_to: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., confirm_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., version: _Optional[int] = ..., contested: bool = ...) -> None: ...

class FactVersion(_message.Message):
    __slots__ = ("number", "change", "reason", "fact", "record_time", "replace_time")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    CHANGE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    FACT_FIELD_NUMBER: _ClassVar[int]
    RECORD_TIME_FIELD_NUMBER: _ClassVar[int]
    REPLACE_TIME_FIELD_NUMBER: _ClassVar[int]
    number: int
    change: FactChange
    reason: str
    fact: Fact
    record_time: _timestamp_pb2.Timestamp
    replace_time: _timestamp_pb2.Timestamp
    def __init__(self, number: _Optional[int] = ..., change: _Optional[_Union[FactChange, str]] = ..., reason: _Optional[str] = ..., fact: _Optional[_Union[Fact, _Mapping]] = ..., record_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., replace_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class FactMatch(_message.Message):
    __slots__ = ("fact", "score")
    FACT_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    fact: Fact
    score: float
    def __init__(self, fact: _Optional[_Union[Fact, _Mapping]] = ..., score: _Optional[float] = ...) -> None: ...
