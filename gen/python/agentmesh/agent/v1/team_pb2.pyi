from buf.validate import validate_pb2 as _validate_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class TeamKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TEAM_KIND_UNSPECIFIED: _ClassVar[TeamKind]
    TEAM_KIND_ROUND_ROBIN: _ClassVar[TeamKind]
    TEAM_KIND_SELECTOR: _ClassVar[TeamKind]
    TEAM_KIND_MAGENTIC: _ClassVar[TeamKind]
    TEAM_KIND_SEQUENTIAL: _ClassVar[TeamKind]
    TEAM_KIND_HIERARCHICAL: _ClassVar[TeamKind]
    TEAM_KIND_HANDOFF: _ClassVar[TeamKind]
    TEAM_KIND_SUPERVISOR: _ClassVar[TeamKind]
TEAM_KIND_UNSPECIFIED: TeamKind
TEAM_KIND_ROUND_ROBIN: TeamKind
TEAM_KIND_SELECTOR: TeamKind
TEAM_KIND_MAGENTIC: TeamKind
TEAM_KIND_SEQUENTIAL: TeamKind
TEAM_KIND_HIERARCHICAL: TeamKind
TEAM_KIND_HANDOFF: TeamKind
TEAM_KIND_SUPERVISOR: TeamKind

class TeamMember(_message.Message):
    __slots__ = ("name", "role", "goal", "instructions", "tools", "model", "hand_offs")
    NAME_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    GOAL_FIELD_NUMBER: _ClassVar[int]
    INSTRUCTIONS_FIELD_NUMBER: _ClassVar[int]
    TOOLS_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    HAND_OFFS_FIELD_NUMBER: _ClassVar[int]
    name: str
    role: str
    goal: str
    instructions: str
    tools: _containers.RepeatedScalarFieldContainer[str]
    model: str
    hand_offs: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, name: _Optional[str] = ..., role: _Optional[str] = ..., goal: _Optional[str] = ..., instructions: _Optional[str] = ..., tools: _Optional[_Iterable[str]] = ..., model: _Optional[str] = ..., hand_offs: _Optional[_Iterable[str]] = ...) -> None: ...

class TeamTask(_message.Message):
    __slots__ = ("description", "expected_output", "member")
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_OUTPUT_FIELD_NUMBER: _ClassVar[int]
    MEMBER_FIELD_NUMBER: _ClassVar[int]
    description: str
    expected_output: str
    member: str
    def __init__(self, description: _Optional[str] = ..., expected_output: _Optional[str] = ..., member: _Optional[str] = ...) -> None: ...

class Team(_message.Message):
    __slots__ = ("kind", "members", "tasks", "max_turns", "stop_text")
    KIND_FIELD_NUMBER: _ClassVar[int]
    MEMBERS_FIELD_NUMBER: _ClassVar[int]
    TASKS_FIELD_NUMBER: _ClassVar[int]
    MAX_TURNS_FIELD_NUMBER: _ClassVar[int]
    STOP_TEXT_FIELD_NUMBER: _ClassVar[int]
    kind: TeamKind
    members: _containers.RepeatedCompositeFieldContainer[TeamMember]
    tasks: _containers.RepeatedCompositeFieldContainer[TeamTask]
    max_turns: int
    stop_text: str
    def __init__(self, kind: _Optional[_Union[TeamKind, str]] = ..., members: _Optional[_Iterable[_Union[TeamMember, _Mapping]]] = ..., tasks: _Optional[_Iterable[_Union[TeamTask, _Mapping]]] = ..., max_turns: _Optional[int] = ..., stop_text: _Optional[str] = ...) -> None: ...
