from agentmesh.memory.v1 import fact_pb2 as _fact_pb2
from agentmesh.memory.v1 import interaction_pb2 as _interaction_pb2
from agentmesh.memory.v1 import origin_pb2 as _origin_pb2
from agentmesh.policy.v1 import method_pb2 as _method_pb2
from buf.validate import validate_pb2 as _validate_pb2
from google.api import annotations_pb2 as _annotations_pb2
from google.protobuf import empty_pb2 as _empty_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class PutFactRequest(_message.Message):
    __slots__ = ("request_id", "user", "key", "value", "category", "importance", "run", "etag", "valid_from", "valid_to", "source", "step", "interaction", "quote", "origin")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    USER_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    CATEGORY_FIELD_NUMBER: _ClassVar[int]
    IMPORTANCE_FIELD_NUMBER: _ClassVar[int]
    RUN_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    VALID_FROM_FIELD_NUMBER: _ClassVar[int]
    VALID_TO_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    INTERACTION_FIELD_NUMBER: _ClassVar[int]
    QUOTE_FIELD_NUMBER: _ClassVar[int]
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    user: str
    key: str
    value: str
    category: _fact_pb2.FactCategory
    importance: float
    run: str
    etag: str
    valid_from: _timestamp_pb2.Timestamp
    valid_to: _timestamp_pb2.Timestamp
    source: str
    step: str
    interaction: str
    quote: str
    origin: _origin_pb2.Origin
    def __init__(self, request_id: _Optional[str] = ..., user: _Optional[str] = ..., key: _Optional[str] = ..., value: _Optional[str] = ..., category: _Optional[_Union[_fact_pb2.FactCategory, str]] = ..., importance: _Optional[float] = ..., run: _Optional[str] = ..., etag: _Optional[str] = ..., valid_from: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., valid_to: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., source: _Optional[str] = ..., step: _Optional[str] = ..., interaction: _Optional[str] = ..., quote: _Optional[str] = ..., origin: _Optional[_Union[_origin_pb2.Origin, str]] = ...) -> None: ...

class SupersedeFactRequest(_message.Message):
    __slots__ = ("request_id", "fact", "value", "reason", "importance", "run", "etag", "valid_from", "valid_to", "source", "step", "interaction", "quote")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    FACT_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    IMPORTANCE_FIELD_NUMBER: _ClassVar[int]
    RUN_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    VALID_FROM_FIELD_NUMBER: _ClassVar[int]
    VALID_TO_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    INTERACTION_FIELD_NUMBER: _ClassVar[int]
    QUOTE_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    fact: str
    value: str
    reason: str
    importance: float
    run: str
    etag: str
    valid_from: _timestamp_pb2.Timestamp
    valid_to: _timestamp_pb2.Timestamp
    source: str
    step: str
    interaction: str
    quote: str
    def __init__(self, request_id: _Optional[str] = ..., fact: _Optional[str] = ..., value: _Optional[str] = ..., reason: _Optional[str] = ..., importance: _Optional[float] = ..., run: _Optional[str] = ..., etag: _Optional[str] = ..., valid_from: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., valid_to: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., source: _Optional[str] = ..., step: _Optional[str] = ..., interaction: _Optional[str] = ..., quote: _Optional[str] = ...) -> None: ...

class GetFactRequest(_message.Message):
    __slots__ = ("fact",)
    FACT_FIELD_NUMBER: _ClassVar[int]
    fact: str
    def __init__(self, fact: _Optional[str] = ...) -> None: ...

class ListFactsRequest(_message.Message):
    __slots__ = ("user", "category", "page_size", "page_token", "valid_at", "known_at")
    USER_FIELD_NUMBER: _ClassVar[int]
    CATEGORY_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    VALID_AT_FIELD_NUMBER: _ClassVar[int]
    KNOWN_AT_FIELD_NUMBER: _ClassVar[int]
    user: str
    category: _fact_pb2.FactCategory
    page_size: int
    page_token: str
    valid_at: _timestamp_pb2.Timestamp
    known_at: _timestamp_pb2.Timestamp
    def __init__(self, user: _Optional[str] = ..., category: _Optional[_Union[_fact_pb2.FactCategory, str]] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., valid_at: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., known_at: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ListFactsResponse(_message.Message):
    __slots__ = ("facts", "next_page_token")
    FACTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    facts: _containers.RepeatedCompositeFieldContainer[_fact_pb2.Fact]
    next_page_token: str
    def __init__(self, facts: _Optional[_Iterable[_Union[_fact_pb2.Fact, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class SearchFactsRequest(_message.Message):
    __slots__ = ("user", "query", "limit")
    USER_FIELD_NUMBER: _ClassVar[int]
    QUERY_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    user: str
    query: str
    limit: int
    def __init__(self, user: _Optional[str] = ..., query: _Optional[str] = ..., limit: _Optional[int] = ...) -> None: ...

class SearchFactsResponse(_message.Message):
    __slots__ = ("matches", "degraded")
    MATCHES_FIELD_NUMBER: _ClassVar[int]
    DEGRADED_FIELD_NUMBER: _ClassVar[int]
    matches: _containers.RepeatedCompositeFieldContainer[_fact_pb2.FactMatch]
    degraded: bool
    def __init__(self, matches: _Optional[_Iterable[_Union[_fact_pb2.FactMatch, _Mapping]]] = ..., degraded: bool = ...) -> None: ...

class ListFactVersionsRequest(_message.Message):
    __slots__ = ("fact", "page_size", "page_token")
    FACT_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    fact: str
    page_size: int
    page_token: str
    def __init__(self, fact: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListFactVersionsResponse(_message.Message):
    __slots__ = ("versions", "next_page_token")
    VERSIONS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    versions: _containers.RepeatedCompositeFieldContainer[_fact_pb2.FactVersion]
    next_page_token: str
    def __init__(self, versions: _Optional[_Iterable[_Union[_fact_pb2.FactVersion, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class ExplainFactRequest(_message.Message):
    __slots__ = ("fact",)
    FACT_FIELD_NUMBER: _ClassVar[int]
    fact: str
    def __init__(self, fact: _Optional[str] = ...) -> None: ...

class ExplainFactResponse(_message.Message):
    __slots__ = ("fact", "interaction", "replaced", "contesting")
    FACT_FIELD_NUMBER: _ClassVar[int]
    INTERACTION_FIELD_NUMBER: _ClassVar[int]
    REPLACED_FIELD_NUMBER: _ClassVar[int]
    CONTESTING_FIELD_NUMBER: _ClassVar[int]
    fact: _fact_pb2.Fact
    interaction: _interaction_pb2.Interaction
    replaced: _containers.RepeatedCompositeFieldContainer[_fact_pb2.FactVersion]
    contesting: _containers.RepeatedCompositeFieldContainer[_fact_pb2.FactVersion]
    def __init__(self, fact: _Optional[_Union[_fact_pb2.Fact, _Mapping]] = ..., interaction: _Optional[_Union[_interaction_pb2.Interaction, _Mapping]] = ..., replaced: _Optional[_Iterable[_Union[_fact_pb2.FactVersion, _Mapping]]] = ..., contesting: _Optional[_Iterable[_Union[_fact_pb2.FactVersion, _Mapping]]] = ...) -> None: ...

class DeleteFactRequest(_message.Message):
    __slots__ = ("fact", "etag")
    FACT_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    fact: str
    etag: str
    def __init__(self, fact: _Optional[str] = ..., etag: _Optional[str] = ...) -> None: ...
