from agentmesh.memory.v1 import context_pb2 as _context_pb2
from agentmesh.policy.v1 import method_pb2 as _method_pb2
from buf.validate import validate_pb2 as _validate_pb2
from google.api import annotations_pb2 as _annotations_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class GetContextRequest(_message.Message):
    __slots__ = ("user", "session", "query", "token_budget", "recent_limit", "semantic_limit", "fact_limit", "document_limit")
    USER_FIELD_NUMBER: _ClassVar[int]
    SESSION_FIELD_NUMBER: _ClassVar[int]
    QUERY_FIELD_NUMBER: _ClassVar[int]
    TOKEN_BUDGET_FIELD_NUMBER: _ClassVar[int]
    RECENT_LIMIT_FIELD_NUMBER: _ClassVar[int]
    SEMANTIC_LIMIT_FIELD_NUMBER: _ClassVar[int]
    FACT_LIMIT_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_LIMIT_FIELD_NUMBER: _ClassVar[int]
    user: str
    session: str
    query: str
    token_budget: int
    recent_limit: int
    semantic_limit: int
    fact_limit: int
    document_limit: int
    def __init__(self, user: _Optional[str] = ..., session: _Optional[str] = ..., query: _Optional[str] = ..., token_budget: _Optional[int] = ..., recent_limit: _Optional[int] = ..., semantic_limit: _Optional[int] = ..., fact_limit: _Optional[int] = ..., document_limit: _Optional[int] = ...) -> None: ...

class RenderPromptRequest(_message.Message):
    __slots__ = ("context",)
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    context: GetContextRequest
    def __init__(self, context: _Optional[_Union[GetContextRequest, _Mapping]] = ...) -> None: ...

class RenderPromptResponse(_message.Message):
    __slots__ = ("text", "context")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    text: str
    context: GetContextResponse
    def __init__(self, text: _Optional[str] = ..., context: _Optional[_Union[GetContextResponse, _Mapping]] = ...) -> None: ...

class GetContextResponse(_message.Message):
    __slots__ = ("items", "tokens", "degraded")
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    DEGRADED_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[_context_pb2.ContextItem]
    tokens: int
    degraded: _containers.RepeatedScalarFieldContainer[_context_pb2.MemoryLayer]
    def __init__(self, items: _Optional[_Iterable[_Union[_context_pb2.ContextItem, _Mapping]]] = ..., tokens: _Optional[int] = ..., degraded: _Optional[_Iterable[_Union[_context_pb2.MemoryLayer, str]]] = ...) -> None: ...
