from agentmesh.memory.v1 import extraction_pb2 as _extraction_pb2
from agentmesh.policy.v1 import method_pb2 as _method_pb2
from buf.validate import validate_pb2 as _validate_pb2
from google.api import annotations_pb2 as _annotations_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class MemorySettings(_message.Message):
    __slots__ = ("extraction", "interaction_retention_days", "fact_retention_days", "document_retention_days", "etag")
    EXTRACTION_FIELD_NUMBER: _ClassVar[int]
    INTERACTION_RETENTION_DAYS_FIELD_NUMBER: _ClassVar[int]
    FACT_RETENTION_DAYS_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_RETENTION_DAYS_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    extraction: _extraction_pb2.ExtractionMode
    interaction_retention_days: int
    fact_retention_days: int
    document_retention_days: int
    etag: str
    def __init__(self, extraction: _Optional[_Union[_extraction_pb2.ExtractionMode, str]] = ..., interaction_retention_days: _Optional[int] = ..., fact_retention_days: _Optional[int] = ..., document_retention_days: _Optional[int] = ..., etag: _Optional[str] = ...) -> None: ...

class GetMemorySettingsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class UpdateMemorySettingsRequest(_message.Message):
    __slots__ = ("settings",)
    SETTINGS_FIELD_NUMBER: _ClassVar[int]
    settings: MemorySettings
    def __init__(self, settings: _Optional[_Union[MemorySettings, _Mapping]] = ...) -> None: ...
