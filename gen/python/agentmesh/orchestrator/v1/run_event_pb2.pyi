from agentmesh.agent.v1 import activity_pb2 as _activity_pb2
from agentmesh.errors.v1 import failure_pb2 as _failure_pb2
from agentmesh.memory.v1 import context_pb2 as _context_pb2
from agentmesh.orchestrator.v1 import input_request_pb2 as _input_request_pb2
from agentmesh.orchestrator.v1 import run_pb2 as _run_pb2
from buf.validate import validate_pb2 as _validate_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class RunStateChanged(_message.Message):
    __slots__ = ("state", "attempt", "output", "failure", "usage")
    STATE_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    USAGE_FIELD_NUMBER: _ClassVar[int]
    state: _run_pb2.RunState
    attempt: int
    output: str
    failure: _failure_pb2.Failure
    usage: _activity_pb2.Usage
    def __init__(self, state: _Optional[_Union[_run_pb2.RunState, str]] = ..., attempt: _Optional[int] = ..., output: _Optional[str] = ..., failure: _Optional[_Union[_failure_pb2.Failure, _Mapping]] = ..., usage: _Optional[_Union[_activity_pb2.Usage, _Mapping]] = ...) -> None: ...

class MemoryRecalled(_message.Message):
    __slots__ = ("items", "degraded")
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    DEGRADED_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[_context_pb2.ContextItem]
    degraded: _containers.RepeatedScalarFieldContainer[_context_pb2.MemoryLayer]
    def __init__(self, items: _Optional[_Iterable[_Union[_context_pb2.ContextItem, _Mapping]]] = ..., degraded: _Optional[_Iterable[_Union[_context_pb2.MemoryLayer, str]]] = ...) -> None: ...

class Steered(_message.Message):
    __slots__ = ("text", "user")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    USER_FIELD_NUMBER: _ClassVar[int]
    text: str
    user: str
    def __init__(self, text: _Optional[str] = ..., user: _Optional[str] = ...) -> None: ...

class InputRequested(_message.Message):
    __slots__ = ("request",)
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    request: _input_request_pb2.InputRequest
    def __init__(self, request: _Optional[_Union[_input_request_pb2.InputRequest, _Mapping]] = ...) -> None: ...

class InputAnswered(_message.Message):
    __slots__ = ("request", "answer", "user", "text")
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    ANSWER_FIELD_NUMBER: _ClassVar[int]
    USER_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    request: str
    answer: _input_request_pb2.InputAnswer
    user: str
    text: str
    def __init__(self, request: _Optional[str] = ..., answer: _Optional[_Union[_input_request_pb2.InputAnswer, str]] = ..., user: _Optional[str] = ..., text: _Optional[str] = ...) -> None: ...

class Delegated(_message.Message):
    __slots__ = ("run", "agent")
    RUN_FIELD_NUMBER: _ClassVar[int]
    AGENT_FIELD_NUMBER: _ClassVar[int]
    run: str
    agent: str
    def __init__(self, run: _Optional[str] = ..., agent: _Optional[str] = ...) -> None: ...

class Heartbeat(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Gap(_message.Message):
    __slots__ = ("oldest_sequence",)
    OLDEST_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    oldest_sequence: int
    def __init__(self, oldest_sequence: _Optional[int] = ...) -> None: ...

class RunEvent(_message.Message):
    __slots__ = ("sequence", "create_time", "run", "agent", "step", "trace_id", "state_changed", "memory_recalled", "memory_written", "step_started", "step_finished", "message_started", "token_delta", "message_finished", "thought_delta", "tool_call", "tool_result", "usage", "limit_reached", "heartbeat", "gap", "step_restarted", "input_requested", "input_answered", "steered", "handed_off", "delegated", "file_written")
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    RUN_FIELD_NUMBER: _ClassVar[int]
    AGENT_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    TRACE_ID_FIELD_NUMBER: _ClassVar[int]
    STATE_CHANGED_FIELD_NUMBER: _ClassVar[int]
    MEMORY_RECALLED_FIELD_NUMBER: _ClassVar[int]
    MEMORY_WRITTEN_FIELD_NUMBER: _ClassVar[int]
    STEP_STARTED_FIELD_NUMBER: _ClassVar[int]
    STEP_FINISHED_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_STARTED_FIELD_NUMBER: _ClassVar[int]
    TOKEN_DELTA_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FINISHED_FIELD_NUMBER: _ClassVar[int]
    THOUGHT_DELTA_FIELD_NUMBER: _ClassVar[int]
    TOOL_CALL_FIELD_NUMBER: _ClassVar[int]
    TOOL_RESULT_FIELD_NUMBER: _ClassVar[int]
    USAGE_FIELD_NUMBER: _ClassVar[int]
    LIMIT_REACHED_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_FIELD_NUMBER: _ClassVar[int]
    GAP_FIELD_NUMBER: _ClassVar[int]
    STEP_RESTARTED_FIELD_NUMBER: _ClassVar[int]
    INPUT_REQUESTED_FIELD_NUMBER: _ClassVar[int]
    INPUT_ANSWERED_FIELD_NUMBER: _ClassVar[int]
    STEERED_FIELD_NUMBER: _ClassVar[int]
    HANDED_OFF_FIELD_NUMBER: _ClassVar[int]
    DELEGATED_FIELD_NUMBER: _ClassVar[int]
    FILE_WRITTEN_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    create_time: _timestamp_pb2.Timestamp
    run: str
    agent: str
    step: str
    trace_id: str
    state_changed: RunStateChanged
    memory_recalled: MemoryRecalled
    memory_written: _activity_pb2.MemoryWritten
    step_started: _activity_pb2.StepStarted
    step_finished: _activity_pb2.StepFinished
    message_started: _activity_pb2.MessageStarted
    token_delta: _activity_pb2.TokenDelta
    message_finished: _activity_pb2.MessageFinished
    thought_delta: _activity_pb2.ThoughtDelta
    tool_call: _activity_pb2.ToolCall
    tool_result: _activity_pb2.ToolResult
    usage: _activity_pb2.Usage
    limit_reached: _activity_pb2.LimitReached
    heartbeat: Heartbeat
    gap: Gap
    step_restarted: _activity_pb2.StepRestarted
    input_requested: InputRequested
    input_answered: InputAnswered
    steered: Steered
    handed_off: _activity_pb2.HandedOff
    delegated: Delegated
    file_written: _activity_pb2.FileWritten
    def __init__(self, sequence: _Optional[int] = ..., create_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., run: _Optional[str] = ..., agent: _Optional[str] = ..., step: _Optional[str] = ..., trace_id: _Optional[str] = ..., state_changed: _Optional[_Union[RunStateChanged, _Mapping]] = ..., memory_recalled: _Optional[_Union[MemoryRecalled, _Mapping]] = ..., memory_written: _Optional[_Union[_activity_pb2.MemoryWritten, _Mapping]] = ..., step_started: _Optional[_Union[_activity_pb2.StepStarted, _Mapping]] = ..., step_finished: _Optional[_Union[_activity_pb2.StepFinished, _Mapping]] = ..., message_started: _Optional[_Union[_activity_pb2.MessageStarted, _Mapping]] = ..., token_delta: _Optional[_Union[_activity_pb2.TokenDelta, _Mapping]] = ..., message_finished: _Optional[_Union[_activity_pb2.MessageFinished, _Mapping]] = ..., thought_delta: _Optional[_Union[_activity_pb2.ThoughtDelta, _Mapping]] = ..., tool_call: _Optional[_Union[_activity_pb2.ToolCall, _Mapping]] = ..., tool_result: _Optional[_Union[_activity_pb2.ToolResult, _Mapping]] = ..., usage: _Optional[_Union[_activity_pb2.Usage, _Mapping]] = ..., limit_reached: _Optional[_Union[_activity_pb2.LimitReached, _Mapping]] = ..., heartbeat: _Optional[_Union[Heartbeat, _Mapping]] = ..., gap: _Optional[_Union[Gap, _Mapping]] = ..., step_restarted: _Optional[_Union[_activity_pb2.StepRestarted, _Mapping]] = ..., input_requested: _Optional[_Union[InputRequested, _Mapping]] = ..., input_answered: _Optional[_Union[InputAnswered, _Mapping]] = ..., steered: _Optional[_Union[Steered, _Mapping]] = ..., handed_off: _Optional[_Union[_activity_pb2.HandedOff, _Mapping]] = ..., delegated: _Optional[_Union[Delegated, _Mapping]] = ..., file_written: _Optional[_Union[_activity_pb2.FileWritten, _Mapping]] = ...) -> None: ...
