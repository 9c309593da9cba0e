from buf.validate import validate_pb2 as _validate_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class MemoryPolicy(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MEMORY_POLICY_UNSPECIFIED: _ClassVar[MemoryPolicy]
    MEMORY_POLICY_READ_WRITE: _ClassVar[MemoryPolicy]
    MEMORY_POLICY_READ_ONLY: _ClassVar[MemoryPolicy]
    MEMORY_POLICY_NONE: _ClassVar[MemoryPolicy]
MEMORY_POLICY_UNSPECIFIED: MemoryPolicy
MEMORY_POLICY_READ_WRITE: MemoryPolicy
MEMORY_POLICY_READ_ONLY: MemoryPolicy
MEMORY_POLICY_NONE: MemoryPolicy

class RunLimits(_message.Message):
    __slots__ = ("max_model_calls", "max_tool_calls", "max_tokens", "timeout")
    MAX_MODEL_CALLS_FIELD_NUMBER: _ClassVar[int]
    MAX_TOOL_CALLS_FIELD_NUMBER: _ClassVar[int]
    MAX_TOKENS_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    max_model_calls: int
    max_tool_calls: int
    max_tokens: int
    timeout: _duration_pb2.Duration
    def __init__(self, max_model_calls: _Optional[int] = ..., max_tool_calls: _Optional[int] = ..., max_tokens: _Optional[int] = ..., timeout: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class AgentSpec(_message.Message):
    __slots__ = ("runtime", "model", "instructions", "tools", "temperature", "memory", "limits")
    RUNTIME_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    INSTRUCTIONS_FIELD_NUMBER: _ClassVar[int]
    TOOLS_FIELD_NUMBER: _ClassVar[int]
    TEMPERATURE_FIELD_NUMBER: _ClassVar[int]
    MEMORY_FIELD_NUMBER: _ClassVar[int]
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    runtime: str
    model: str
    instructions: str
    tools: _containers.RepeatedScalarFieldContainer[str]
    temperature: float
    memory: MemoryPolicy
    limits: RunLimits
    def __init__(self, runtime: _Optional[str] = ..., model: _Optional[str] = ..., instructions: _Optional[str] = ..., tools: _Optional[_Iterable[str]] = ..., temperature: _Optional[float] = ..., memory: _Optional[_Union[MemoryPolicy, str]] = ..., limits: _Optional[_Union[RunLimits, _Mapping]] = ...) -> None: ...
