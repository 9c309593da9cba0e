from agentmesh.memory.v1 import fact_pb2 as _fact_pb2
from buf.validate import validate_pb2 as _validate_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ExtractionMode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    EXTRACTION_MODE_UNSPECIFIED: _ClassVar[ExtractionMode]
    EXTRACTION_MODE_OFF: _ClassVar[ExtractionMode]
    EXTRACTION_MODE_DRY_RUN: _ClassVar[ExtractionMode]
    EXTRACTION_MODE_ON: _ClassVar[ExtractionMode]

class ExtractionVerdict(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    EXTRACTION_VERDICT_UNSPECIFIED: _ClassVar[ExtractionVerdict]
    EXTRACTION_VERDICT_KEPT: _ClassVar[ExtractionVerdict]
    EXTRACTION_VERDICT_UNSUPPORTED: _ClassVar[ExtractionVerdict]
    EXTRACTION_VERDICT_RECALLED: _ClassVar[ExtractionVerdict]
    EXTRACTION_VERDICT_NOT_THE_USER: _ClassVar[ExtractionVerdict]
    EXTRACTION_VERDICT_NOT_MEANT: _ClassVar[ExtractionVerdict]
    EXTRACTION_VERDICT_NOT_WORTH_KEEPING: _ClassVar[ExtractionVerdict]
    EXTRACTION_VERDICT_CONTESTED: _ClassVar[ExtractionVerdict]
EXTRACTION_MODE_UNSPECIFIED: ExtractionMode
EXTRACTION_MODE_OFF: ExtractionMode
EXTRACTION_MODE_DRY_RUN: ExtractionMode
EXTRACTION_MODE_ON: ExtractionMode
EXTRACTION_VERDICT_UNSPECIFIED: ExtractionVerdict
EXTRACTION_VERDICT_KEPT: ExtractionVerdict
EXTRACTION_VERDICT_UNSUPPORTED: ExtractionVerdict
EXTRACTION_VERDICT_RECALLED: ExtractionVerdict
EXTRACTION_VERDICT_NOT_THE_USER: ExtractionVerdict
EXTRACTION_VERDICT_NOT_MEANT: ExtractionVerdict
EXTRACTION_VERDICT_NOT_WORTH_KEEPING: ExtractionVerdict
EXTRACTION_VERDICT_CONTESTED: ExtractionVerdict

class ExtractionCandidate(_message.Message):
    __slots__ = ("key", "value", "category", "importance", "quote", "verdict", "fact")
    KEY_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    CATEGORY_FIELD_NUMBER: _ClassVar[int]
    IMPORTANCE_FIELD_NUMBER: _ClassVar[int]
    QUOTE_FIELD_NUMBER: _ClassVar[int]
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    FACT_FIELD_NUMBER: _ClassVar[int]
    key: str
    value: str
    category: _fact_pb2.FactCategory
    importance: float
    quote: str
    verdict: ExtractionVerdict
    fact: str
    def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ..., category: _Optional[_Union[_fact_pb2.FactCategory, str]] = ..., importance: _Optional[float] = ..., quote: _Optional[str] = ..., verdict: _Optional[_Union[ExtractionVerdict, str]] = ..., fact: _Optional[str] = ...) -> None: ...

class Extraction(_message.Message):
    __slots__ = ("interaction", "user", "extractor", "dry_run", "candidates", "create_time")
    INTERACTION_FIELD_NUMBER: _ClassVar[int]
    USER_FIELD_NUMBER: _ClassVar[int]
    EXTRACTOR_FIELD_NUMBER: _ClassVar[int]
    DRY_RUN_FIELD_NUMBER: _ClassVar[int]
    CANDIDATES_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    interaction: str
    user: str
    extractor: str
    dry_run: bool
    candidates: _containers.RepeatedCompositeFieldContainer[ExtractionCandidate]
    create_time: _timestamp_pb2.Timestamp
    def __init__(self, interaction: _Optional[str] = ..., user: _Optional[str] = ..., extractor: _Optional[str] = ..., dry_run: bool = ..., candidates: _Optional[_Iterable[_Union[ExtractionCandidate, _Mapping]]] = ..., create_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...
