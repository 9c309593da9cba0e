from agentmesh.agent.v1 import activity_pb2 as _activity_pb2
from agentmesh.agent.v1 import agent_spec_pb2 as _agent_spec_pb2
from agentmesh.agent.v1 import team_pb2 as _team_pb2
from agentmesh.memory.v1 import context_pb2 as _context_pb2
from agentmesh.policy.v1 import method_pb2 as _method_pb2
from buf.validate import validate_pb2 as _validate_pb2
from google.protobuf import struct_pb2 as _struct_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Capability(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CAPABILITY_UNSPECIFIED: _ClassVar[Capability]
    CAPABILITY_STREAMS_TOKENS: _ClassVar[Capability]
    CAPABILITY_CANCELS_MODEL_CALL: _ClassVar[Capability]
    CAPABILITY_CALLS_TOOLS: _ClassVar[Capability]
    CAPABILITY_TEAMS: _ClassVar[Capability]
    CAPABILITY_STRUCTURED_OUTPUT: _ClassVar[Capability]
    CAPABILITY_REPLAYS: _ClassVar[Capability]

class Role(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ROLE_UNSPECIFIED: _ClassVar[Role]
    ROLE_USER: _ClassVar[Role]
    ROLE_ASSISTANT: _ClassVar[Role]
CAPABILITY_UNSPECIFIED: Capability
CAPABILITY_STREAMS_TOKENS: Capability
CAPABILITY_CANCELS_MODEL_CALL: Capability
CAPABILITY_CALLS_TOOLS: Capability
CAPABILITY_TEAMS: Capability
CAPABILITY_STRUCTURED_OUTPUT: Capability
CAPABILITY_REPLAYS: Capability
ROLE_UNSPECIFIED: Role
ROLE_USER: Role
ROLE_ASSISTANT: Role

class DescribeRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ToolDescription(_message.Message):
    __slots__ = ("name", "description", "input_schema")
    NAME_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    INPUT_SCHEMA_FIELD_NUMBER: _ClassVar[int]
    name: str
    description: str
    input_schema: _struct_pb2.Struct
    def __init__(self, name: _Optional[str] = ..., description: _Optional[str] = ..., input_schema: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ...) -> None: ...

class RuntimeDescription(_message.Message):
    __slots__ = ("name", "framework_version", "capabilities", "tools", "default_model", "offline_model", "team_kinds")
    NAME_FIELD_NUMBER: _ClassVar[int]
    FRAMEWORK_VERSION_FIELD_NUMBER: _ClassVar[int]
    CAPABILITIES_FIELD_NUMBER: _ClassVar[int]
    TOOLS_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_MODEL_FIELD_NUMBER: _ClassVar[int]
    OFFLINE_MODEL_FIELD_NUMBER: _ClassVar[int]
    TEAM_KINDS_FIELD_NUMBER: _ClassVar[int]
    name: str
    framework_version: str
    capabilities: _containers.RepeatedScalarFieldContainer[Capability]
    tools: _containers.RepeatedCompositeFieldContainer[ToolDescription]
    default_model: str
    offline_model: bool
    team_kinds: _containers.RepeatedScalarFieldContainer[_team_pb2.TeamKind]
    def __init__(self, name: _Optional[str] = ..., framework_version: _Optional[str] = ..., capabilities: _Optional[_Iterable[_Union[Capability, str]]] = ..., tools: _Optional[_Iterable[_Union[ToolDescription, _Mapping]]] = ..., default_model: _Optional[str] = ..., offline_model: bool = ..., team_kinds: _Optional[_Iterable[_Union[_team_pb2.TeamKind, str]]] = ...) -> None: ...

class ChatMessage(_message.Message):
    __slots__ = ("role", "text")
    ROLE_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    role: Role
    text: str
    def __init__(self, role: _Optional[_Union[Role, str]] = ..., text: _Optional[str] = ...) -> None: ...

class Peer(_message.Message):
    __slots__ = ("agent", "description")
    AGENT_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    agent: str
    description: str
    def __init__(self, agent: _Optional[str] = ..., description: _Optional[str] = ...) -> None: ...

class ExecuteRequest(_message.Message):
    __slots__ = ("run", "attempt", "session", "user", "agent", "spec", "input", "history", "recalled", "memory_token", "ledger_token", "peers")
    RUN_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    SESSION_FIELD_NUMBER: _ClassVar[int]
    USER_FIELD_NUMBER: _ClassVar[int]
    AGENT_FIELD_NUMBER: _ClassVar[int]
    SPEC_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    HISTORY_FIELD_NUMBER: _ClassVar[int]
    RECALLED_FIELD_NUMBER: _ClassVar[int]
    MEMORY_TOKEN_FIELD_NUMBER: _ClassVar[int]
    LEDGER_TOKEN_FIELD_NUMBER: _ClassVar[int]
    PEERS_FIELD_NUMBER: _ClassVar[int]
    run: str
    attempt: int
    session: str
    user: str
    agent: str
    spec: _agent_spec_pb2.AgentSpec
    input: str
    history: _containers.RepeatedCompositeFieldContainer[ChatMessage]
    recalled: _containers.RepeatedCompositeFieldContainer[_context_pb2.ContextItem]
    memory_token: str
    ledger_token: str
    peers: _containers.RepeatedCompositeFieldContainer[Peer]
    def __init__(self, run: _Optional[str] = ..., attempt: _Optional[int] = ..., session: _Optional[str] = ..., user: _Optional[str] = ..., agent: _Optional[str] = ..., spec: _Optional[_Union[_agent_spec_pb2.AgentSpec, _Mapping]] = ..., input: _Optional[str] = ..., history: _Optional[_Iterable[_Union[ChatMessage, _Mapping]]] = ..., recalled: _Optional[_Iterable[_Union[_context_pb2.ContextItem, _Mapping]]] = ..., memory_token: _Optional[str] = ..., ledger_token: _Optional[str] = ..., peers: _Optional[_Iterable[_Union[Peer, _Mapping]]] = ...) -> None: ...

class AgentEvent(_message.Message):
    __slots__ = ("agent", "step", "step_started", "step_finished", "message_started", "token_delta", "message_finished", "thought_delta", "tool_call", "tool_result", "usage", "memory_written", "limit_reached", "completed", "step_restarted", "suspended", "handed_off", "file_written")
    AGENT_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    STEP_STARTED_FIELD_NUMBER: _ClassVar[int]
    STEP_FINISHED_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_STARTED_FIELD_NUMBER: _ClassVar[int]
    TOKEN_DELTA_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FINISHED_FIELD_NUMBER: _ClassVar[int]
    THOUGHT_DELTA_FIELD_NUMBER: _ClassVar[int]
    TOOL_CALL_FIELD_NUMBER: _ClassVar[int]
    TOOL_RESULT_FIELD_NUMBER: _ClassVar[int]
    USAGE_FIELD_NUMBER: _ClassVar[int]
    MEMORY_WRITTEN_FIELD_NUMBER: _ClassVar[int]
    LIMIT_REACHED_FIELD_NUMBER: _ClassVar[int]
    COMPLETED_FIELD_NUMBER: _ClassVar[int]
    STEP_RESTARTED_FIELD_NUMBER: _ClassVar[int]
    SUSPENDED_FIELD_NUMBER: _ClassVar[int]
    HANDED_OFF_FIELD_NUMBER: _ClassVar[int]
    FILE_WRITTEN_FIELD_NUMBER: _ClassVar[int]
    agent: str
    step: str
    step_started: _activity_pb2.StepStarted
    step_finished: _activity_pb2.StepFinished
    message_started: _activity_pb2.MessageStarted
    token_delta: _activity_pb2.TokenDelta
    message_finished: _activity_pb2.MessageFinished
    thought_delta: _activity_pb2.ThoughtDelta
    tool_call: _activity_pb2.ToolCall
    tool_result: _activity_pb2.ToolResult
    usage: _activity_pb2.Usage
    memory_written: _activity_pb2.MemoryWritten
    limit_reached: _activity_pb2.LimitReached
    completed: _activity_pb2.Completed
    step_restarted: _activity_pb2.StepRestarted
    suspended: _activity_pb2.Suspended
    handed_off: _activity_pb2.HandedOff
    file_written: _activity_pb2.FileWritten
    def __init__(self, agent: _Optional[str] = ..., step: _Optional[str] = ..., step_started: _Optional[_Union[_activity_pb2.StepStarted, _Mapping]] = ..., step_finished: _Optional[_Union[_activity_pb2.StepFinished, _Mapping]] = ..., message_started: _Optional[_Union[_activity_pb2.MessageStarted, _Mapping]] = ..., token_delta: _Optional[_Union[_activity_pb2.TokenDelta, _Mapping]] = ..., message_finished: _Optional[_Union[_activity_pb2.MessageFinished, _Mapping]] = ..., thought_delta: _Optional[_Union[_activity_pb2.ThoughtDelta, _Mapping]] = ..., tool_call: _Optional[_Union[_activity_pb2.ToolCall, _Mapping]] = ..., tool_result: _Optional[_Union[_activity_pb2.ToolResult, _Mapping]] = ..., usage: _Optional[_Union[_activity_pb2.Usage, _Mapping]] = ..., memory_written: _Optional[_Union[_activity_pb2.MemoryWritten, _Mapping]] = ..., limit_reached: _Optional[_Union[_activity_pb2.LimitReached, _Mapping]] = ..., completed: _Optional[_Union[_activity_pb2.Completed, _Mapping]] = ..., step_restarted: _Optional[_Union[_activity_pb2.StepRestarted, _Mapping]] = ..., suspended: _Optional[_Union[_activity_pb2.Suspended, _Mapping]] = ..., handed_off: _Optional[_Union[_activity_pb2.HandedOff, _Mapping]] = ..., file_written: _Optional[_Union[_activity_pb2.FileWritten, _Mapping]] = ...) -> None: ...
