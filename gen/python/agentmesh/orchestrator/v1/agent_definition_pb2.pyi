from agentmesh.agent.v1 import agent_service_pb2 as _agent_service_pb2
from agentmesh.agent.v1 import agent_spec_pb2 as _agent_spec_pb2
from buf.validate import validate_pb2 as _validate_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class RuntimeHealth(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RUNTIME_HEALTH_UNSPECIFIED: _ClassVar[RuntimeHealth]
    RUNTIME_HEALTH_SERVING: _ClassVar[RuntimeHealth]
    RUNTIME_HEALTH_NOT_SERVING: _ClassVar[RuntimeHealth]
RUNTIME_HEALTH_UNSPECIFIED: RuntimeHealth
RUNTIME_HEALTH_SERVING: RuntimeHealth
RUNTIME_HEALTH_NOT_SERVING: RuntimeHealth

class AgentDefinition(_message.Message):
    __slots__ = ("name", "description", "spec", "built_in", "create_time", "update_time", "etag")
    NAME_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    SPEC_FIELD_NUMBER: _ClassVar[int]
    BUILT_IN_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    UPDATE_TIME_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    name: str
    description: str
    spec: _agent_spec_pb2.AgentSpec
    built_in: bool
    create_time: _timestamp_pb2.Timestamp
    update_time: _timestamp_pb2.Timestamp
    etag: str
    def __init__(self, name: _Optional[str] = ..., description: _Optional[str] = ..., spec: _Optional[_Union[_agent_spec_pb2.AgentSpec, _Mapping]] = ..., built_in: bool = ..., create_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., update_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., etag: _Optional[str] = ...) -> None: ...

class Runtime(_message.Message):
    __slots__ = ("name", "health", "description")
    NAME_FIELD_NUMBER: _ClassVar[int]
    HEALTH_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    name: str
    health: RuntimeHealth
    description: _agent_service_pb2.RuntimeDescription
    def __init__(self, name: _Optional[str] = ..., health: _Optional[_Union[RuntimeHealth, str]] = ..., description: _Optional[_Union[_agent_service_pb2.RuntimeDescription, _Mapping]] = ...) -> None: ...
