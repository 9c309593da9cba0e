from agentmesh.memory.v1 import extraction_pb2 as _extraction_pb2
from agentmesh.policy.v1 import method_pb2 as _method_pb2
from buf.validate import validate_pb2 as _validate_pb2
from google.api import annotations_pb2 as _annotations_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ExtractFactsRequest(_message.Message):
    __slots__ = ("interaction", "dry_run", "user")
    INTERACTION_FIELD_NUMBER: _ClassVar[int]
    DRY_RUN_FIELD_NUMBER: _ClassVar[int]
    USER_FIELD_NUMBER: _ClassVar[int]
    interaction: str
    dry_run: bool
    user: str
    def __init__(self, interaction: _Optional[str] = ..., dry_run: bool = ..., user: _Optional[str] = ...) -> None: ...

class ListExtractionsRequest(_message.Message):
    __slots__ = ("user", "page_size", "page_token")
    USER_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    user: str
    page_size: int
    page_token: str
    def __init__(self, user: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListExtractionsResponse(_message.Message):
    __slots__ = ("extractions", "next_page_token")
    EXTRACTIONS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    extractions: _containers.RepeatedCompositeFieldContainer[_extraction_pb2.Extraction]
    next_page_token: str
    def __init__(self, extractions: _Optional[_Iterable[_Union[_extraction_pb2.Extraction, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...
