from agentmesh.agent.v1 import team_pb2 as _team_pb2
from buf.validate import validate_pb2 as _validate_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import struct_pb2 as _struct_pb2
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

class Approval(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    APPROVAL_UNSPECIFIED: _ClassVar[Approval]
    APPROVAL_AUTO: _ClassVar[Approval]
    APPROVAL_ASK: _ClassVar[Approval]
    APPROVAL_DENY: _ClassVar[Approval]
MEMORY_POLICY_UNSPECIFIED: MemoryPolicy
MEMORY_POLICY_READ_WRITE: MemoryPolicy
MEMORY_POLICY_READ_ONLY: MemoryPolicy
MEMORY_POLICY_NONE: MemoryPolicy
APPROVAL_UNSPECIFIED: Approval
APPROVAL_AUTO: Approval
APPROVAL_ASK: Approval
APPROVAL_DENY: Approval

class ToolPolicy(_message.Message):
    __slots__ = ("tool", "approval", "time_limit")
    TOOL_FIELD_NUMBER: _ClassVar[int]
    APPROVAL_FIELD_NUMBER: _ClassVar[int]
    TIME_LIMIT_FIELD_NUMBER: _ClassVar[int]
    tool: str
    approval: Approval
    time_limit: _duration_pb2.Duration
    def __init__(self, tool: _Optional[str] = ..., approval: _Optional[_Union[Approval, str]] = ..., time_limit: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class RunLimits(_message.Message):
    __slots__ = ("max_model_calls", "max_tool_calls", "max_tokens", "timeout", "max_cost_micros", "max_depth")
    MAX_MODEL_CALLS_FIELD_NUMBER: _ClassVar[int]
    MAX_TOOL_CALLS_FIELD_NUMBER: _ClassVar[int]
    MAX_TOKENS_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    MAX_COST_MICROS_FIELD_NUMBER: _ClassVar[int]
    MAX_DEPTH_FIELD_NUMBER: _ClassVar[int]
    max_model_calls: int
    max_tool_calls: int
    max_tokens: int
    timeout: _duration_pb2.Duration
    max_cost_micros: int
    max_depth: int
    def __init__(self, max_model_calls: _Optional[int] = ..., max_tool_calls: _Optional[int] = ..., max_tokens: _Optional[int] = ..., timeout: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., max_cost_micros: _Optional[int] = ..., max_depth: _Optional[int] = ...) -> None: ...

class AgentSpec(_message.Message):
    __slots__ = ("runtime", "model", "instructions", "tools", "temperature", "memory", "limits", "tool_policies", "fallback_models", "cache_time", "agents", "team", "output_schema")
    RUNTIME_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    INSTRUCTIONS_FIELD_NUMBER: _ClassVar[int]
    TOOLS_FIELD_NUMBER: _ClassVar[int]
    TEMPERATURE_FIELD_NUMBER: _ClassVar[int]
    MEMORY_FIELD_NUMBER: _ClassVar[int]
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    TOOL_POLICIES_FIELD_NUMBER: _ClassVar[int]
    FALLBACK_MODELS_FIELD_NUMBER: _ClassVar[int]
    CACHE_TIME_FIELD_NUMBER: _ClassVar[int]
    AGENTS_FIELD_NUMBER: _ClassVar[int]
    TEAM_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_SCHEMA_FIELD_NUMBER: _ClassVar[int]
    runtime: str
    model: str
    instructions: str
    tools: _containers.RepeatedScalarFieldContainer[str]
    temperature: float
    memory: MemoryPolicy
    limits: RunLimits
    tool_policies: _containers.RepeatedCompositeFieldContainer[ToolPolicy]
    fallback_models: _containers.RepeatedScalarFieldContainer[str]
    cache_time: _duration_pb2.Duration
    agents: _containers.RepeatedScalarFieldContainer[str]
    team: _team_pb2.Team
    output_schema: _struct_pb2.Struct
    def __init__(self, runtime: _Optional[str] = ..., model: _Optional[str] = ..., instructions: _Optional[str] = ..., tools: _Optional[_Iterable[str]] = ..., temperature: _Optional[float] = ..., memory: _Optional[_Union[MemoryPolicy, str]] = ..., limits: _Optional[_Union[RunLimits, _Mapping]] = ..., tool_policies: _Optional[_Iterable[_Union[ToolPolicy, _Mapping]]] = ..., fallback_models: _Optional[_Iterable[str]] = ..., cache_time: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., agents: _Optional[_Iterable[str]] = ..., team: _Optional[_Union[_team_pb2.Team, _Mapping]] = ..., output_schema: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ...) -> None: ...
