from agentmesh.memory.v1 import document_pb2 as _document_pb2
from agentmesh.memory.v1 import extraction_pb2 as _extraction_pb2
from agentmesh.memory.v1 import fact_pb2 as _fact_pb2
from agentmesh.memory.v1 import interaction_pb2 as _interaction_pb2
from agentmesh.policy.v1 import method_pb2 as _method_pb2
from buf.validate import validate_pb2 as _validate_pb2
from google.api import annotations_pb2 as _annotations_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ExportUserRequest(_message.Message):
    __slots__ = ("user",)
    USER_FIELD_NUMBER: _ClassVar[int]
    user: str
    def __init__(self, user: _Optional[str] = ...) -> None: ...

class ExportUserResponse(_message.Message):
    __slots__ = ("interaction", "fact", "document", "passage", "extraction")
    INTERACTION_FIELD_NUMBER: _ClassVar[int]
    FACT_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_FIELD_NUMBER: _ClassVar[int]
    PASSAGE_FIELD_NUMBER: _ClassVar[int]
    EXTRACTION_FIELD_NUMBER: _ClassVar[int]
    interaction: _interaction_pb2.Interaction
    fact: _fact_pb2.FactVersion
    document: _document_pb2.Document
    passage: _document_pb2.Passage
    extraction: _extraction_pb2.Extraction
    def __init__(self, interaction: _Optional[_Union[_interaction_pb2.Interaction, _Mapping]] = ..., fact: _Optional[_Union[_fact_pb2.FactVersion, _Mapping]] = ..., document: _Optional[_Union[_document_pb2.Document, _Mapping]] = ..., passage: _Optional[_Union[_document_pb2.Passage, _Mapping]] = ..., extraction: _Optional[_Union[_extraction_pb2.Extraction, _Mapping]] = ...) -> None: ...

class EraseUserRequest(_message.Message):
    __slots__ = ("user",)
    USER_FIELD_NUMBER: _ClassVar[int]
    user: str
    def __init__(self, user: _Optional[str] = ...) -> None: ...

class EraseUserResponse(_message.Message):
    __slots__ = ("interactions", "facts", "documents", "extractions")
    INTERACTIONS_FIELD_NUMBER: _ClassVar[int]
    FACTS_FIELD_NUMBER: _ClassVar[int]
    DOCUMENTS_FIELD_NUMBER: _ClassVar[int]
    EXTRACTIONS_FIELD_NUMBER: _ClassVar[int]
    interactions: int
    facts: int
    documents: int
    extractions: int
    def __init__(self, interactions: _Optional[int] = ..., facts: _Optional[int] = ..., documents: _Optional[int] = ..., extractions: _Optional[int] = ...) -> None: ...

class PurgeBySourceRequest(_message.Message):
    __slots__ = ("source", "user", "all_users")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    USER_FIELD_NUMBER: _ClassVar[int]
    ALL_USERS_FIELD_NUMBER: _ClassVar[int]
    source: str
    user: str
    all_users: bool
    def __init__(self, source: _Optional[str] = ..., user: _Optional[str] = ..., all_users: bool = ...) -> None: ...

class PurgeBySourceResponse(_message.Message):
    __slots__ = ("interactions", "facts", "documents")
    INTERACTIONS_FIELD_NUMBER: _ClassVar[int]
    FACTS_FIELD_NUMBER: _ClassVar[int]
    DOCUMENTS_FIELD_NUMBER: _ClassVar[int]
    interactions: int
    facts: int
    documents: int
    def __init__(self, interactions: _Optional[int] = ..., facts: _Optional[int] = ..., documents: _Optional[int] = ...) -> None: ...
