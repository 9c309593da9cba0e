from agentmesh.memory.v1 import document_pb2 as _document_pb2
from agentmesh.memory.v1 import fact_pb2 as _fact_pb2
from agentmesh.memory.v1 import interaction_pb2 as _interaction_pb2
from buf.validate import validate_pb2 as _validate_pb2
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class MemoryLayer(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MEMORY_LAYER_UNSPECIFIED: _ClassVar[MemoryLayer]
    MEMORY_LAYER_RECENT: _ClassVar[MemoryLayer]
    MEMORY_LAYER_SEMANTIC: _ClassVar[MemoryLayer]
    MEMORY_LAYER_FACTS: _ClassVar[MemoryLayer]
    MEMORY_LAYER_DOCUMENTS: _ClassVar[MemoryLayer]
MEMORY_LAYER_UNSPECIFIED: MemoryLayer
MEMORY_LAYER_RECENT: MemoryLayer
MEMORY_LAYER_SEMANTIC: MemoryLayer
MEMORY_LAYER_FACTS: MemoryLayer
MEMORY_LAYER_DOCUMENTS: MemoryLayer

class ContextItem(_message.Message):
    __slots__ = ("layer", "score", "tokens", "interaction", "fact", "passage")
    LAYER_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    INTERACTION_FIELD_NUMBER: _ClassVar[int]
    FACT_FIELD_NUMBER: _ClassVar[int]
    PASSAGE_FIELD_NUMBER: _ClassVar[int]
    layer: MemoryLayer
    score: float
    tokens: int
    interaction: _interaction_pb2.Interaction
    fact: _fact_pb2.Fact
    passage: _document_pb2.Passage
    def __init__(self, layer: _Optional[_Union[MemoryLayer, str]] = ..., score: _Optional[float] = ..., tokens: _Optional[int] = ..., interaction: _Optional[_Union[_interaction_pb2.Interaction, _Mapping]] = ..., fact: _Optional[_Union[_fact_pb2.Fact, _Mapping]] = ..., passage: _Optional[_Union[_document_pb2.Passage, _Mapping]] = ...) -> None: ...
