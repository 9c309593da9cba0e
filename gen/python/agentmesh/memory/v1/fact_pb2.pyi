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
FACT_CATEGORY_UNSPECIFIED: FactCategory
FACT_CATEGORY_PROFILE: FactCategory
FACT_CATEGORY_PREFERENCE: FactCategory
FACT_CATEGORY_GOAL: FactCategory
FACT_CATEGORY_KNOWLEDGE: FactCategory
FACT_ORIGIN_UNSPECIFIED: FactOrigin
FACT_ORIGIN_CLIENT: FactOrigin
FACT_ORIGIN_AGENT: FactOrigin

class Fact(_message.Message):
    __slots__ = ("id", "user", "key", "value", "category", "importance", "origin", "run", "create_time", "update_time", "etag")
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
    def __init__(self, id: _Optional[str] = ..., user: _Optional[str] = ..., key: _Optional[str] = ..., value: _Optional[str] = ..., category: _Optional[_Union[FactCategory, str]] = ..., importance: _Optional[float] = ..., origin: _Optional[_Union[FactOrigin, str]] = ..., run: _Optional[str] = ..., create_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., update_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., etag: _Optional[str] = ...) -> None: ...

class FactMatch(_message.Message):
    __slots__ = ("fact", "score")
    FACT_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    fact: Fact
    score: float
    def __init__(self, fact: _Optional[_Union[Fact, _Mapping]] = ..., score: _Optional[float] = ...) -> None: ...
