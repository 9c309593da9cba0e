"""Agents in YAML files: the names of the contract's fields, with shorter words for enums and durations.

    name: pair
    spec:
      runtime: autogen
      limits: {timeout: 10m}
      team:
        kind: round_robin
        members: …

Owns the reading and writing of such files, and says of a wrong field in which line it stands. What an agent may be, the
mesh itself checks.
"""

import re
from pathlib import Path
from typing import Any

import yaml
from agentmesh.orchestrator.v1.agent_definition_pb2 import AgentDefinition
from google.protobuf import json_format
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from google.protobuf.struct_pb2 import Struct
from yaml.constructor import SafeConstructor

from meshkit.errors import InvalidArgument

__all__ = ["read_definitions", "write_definition"]

_MAX_BYTES = 1024 * 1024
_DURATION = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)(s|m|h|d|)")
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
_OUTPUT_ONLY = ("built_in", "create_time", "update_time", "etag")
_AGENT: Any = AgentDefinition.DESCRIPTOR
_KINDS: dict[int, tuple[tuple[type, ...], str]] = {
    FieldDescriptor.CPPTYPE_STRING: ((str,), "a text; put it in quotes if it looks like something else"),
    FieldDescriptor.CPPTYPE_BOOL: ((bool,), "true or false"),
    FieldDescriptor.CPPTYPE_INT32: ((int,), "a whole number"),
    FieldDescriptor.CPPTYPE_INT64: ((int,), "a whole number"),
    FieldDescriptor.CPPTYPE_FLOAT: ((int, float), "a number"),
    FieldDescriptor.CPPTYPE_DOUBLE: ((int, float), "a number"),
}
"""What YAML gives for the scalars of the contract, and how people call it."""


def read_definitions(path: Path) -> list[AgentDefinition]:
    """Return the agents of a file, which may hold several documents.

    Raises InvalidArgument with the file, the line and the field that is wrong.
    """
    try:
        with path.open("rb") as file:
            text = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise InvalidArgument(f"{path}: it cannot be read ({error.strerror})") from None
    if len(text) > _MAX_BYTES:
        raise InvalidArgument(f"{path}: it is larger than 1 MiB")
    try:
        agents = [_definition(node) for node in _documents(text)]
    except InvalidArgument as error:
        raise InvalidArgument(f"{path}:{error.message}") from None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise InvalidArgument(f"{path}:{line}: {error.problem}") from None
    except yaml.YAMLError as error:
        raise InvalidArgument(f"{path}: {' '.join(str(error).split())}") from None
    except RecursionError:
        raise InvalidArgument(f"{path}: it is nested too deeply") from None
    if not agents:
        raise InvalidArgument(f"{path}: it holds no agent")
    return agents


def write_definition(agent: AgentDefinition) -> str:
    """Return the agent as YAML, as `read_definitions` reads it."""
    value = json_format.MessageToDict(agent, preserving_proto_field_name=True)
    for name in _OUTPUT_ONLY:
        value.pop(name, None)
    return yaml.safe_dump(_shown(value, _AGENT), sort_keys=False, allow_unicode=True, width=100)


def _documents(text: bytes) -> list[yaml.Node]:
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        # A few aliases of aliases would make a message of any size, or one without end.
        if isinstance(event, yaml.AliasEvent):
            raise InvalidArgument(f"{_line(event)}: *{event.anchor}: aliases are not taken here; write it out")
    nodes = yaml.compose_all(text, Loader=yaml.SafeLoader)
    return [node for node in nodes if node is not None and node.tag != "tag:yaml.org,2002:null"]


def _definition(node: yaml.Node) -> AgentDefinition:
    value = _message(node, _AGENT, "")
    if not value.get("name"):
        raise _wrong(node, "name", "it is missing")
    try:
        return json_format.ParseDict(value, AgentDefinition())
    except json_format.ParseError as error:
        raise _wrong(node, "agent", " ".join(str(error).split())) from None


def _message(node: yaml.Node, message: Descriptor, path: str) -> dict[str, Any]:
    """Return what the contract's own JSON says in place of the short words. Raises InvalidArgument."""
    if not isinstance(node, yaml.MappingNode):
        raise _wrong(node, path or "agent", "it is a mapping of fields")
    meant: dict[str, Any] = {}
    for key, each in node.value:
        name = str(key.value)
        at = f"{path}.{name}" if path else name
        field = message.fields_by_name.get(name)
        if field is None or (not path and name in _OUTPUT_ONLY):
            known = (one.name for one in message.fields if path or one.name not in _OUTPUT_ONLY)
            raise _wrong(key, at, f"there is no such field; there are {', '.join(known)}")
        if name in meant:
            raise _wrong(key, at, "it is there twice")
        if field.is_repeated:
            if not isinstance(each, yaml.SequenceNode):
                raise _wrong(each, at, "it is a list")
            meant[name] = [_value(one, field, f"{at}[{place}]") for place, one in enumerate(each.value)]
        else:
            meant[name] = _value(each, field, at)
    return meant


def _value(node: yaml.Node, field: FieldDescriptor, at: str) -> Any:
    if field.message_type is not None:
        match field.message_type.full_name:
            case "google.protobuf.Duration":
                return _duration(node, at)
            case "google.protobuf.Struct":
                return _struct(node, at)
        return _message(node, field.message_type, at)
    value = SafeConstructor().construct_document(node)
    if field.enum_type is not None:
        return _enum(node, value, field.enum_type, at)
    kinds, name = _KINDS[field.cpp_type]
    if type(value) not in kinds:  # not `isinstance`: true is no number
        raise _wrong(node, at, f"it is {name}")
    return value


def _struct(node: yaml.Node, at: str) -> Any:
    """Return free JSON, such as a schema."""
    if not isinstance(node, yaml.MappingNode):
        raise _wrong(node, at, "it is a mapping")
    value = SafeConstructor().construct_document(node)
    try:
        return json_format.MessageToDict(json_format.ParseDict(value, Struct()))
    except (json_format.ParseError, TypeError, ValueError):
        raise _wrong(node, at, "it holds more than JSON has: texts as keys; texts, numbers, lists …") from None


def _enum(node: yaml.Node, value: Any, enum: EnumDescriptor, at: str) -> str:
    prefix = _prefix(enum)
    name = f"{prefix}{str(value).upper().removeprefix(prefix)}"
    words = [each.name.removeprefix(prefix).lower() for each in enum.values[1:]]
    if not isinstance(value, str) or name.removeprefix(prefix).lower() not in words:
        raise _wrong(node, at, f"{value!r} is none of {', '.join(words)}")
    return name


def _duration(node: yaml.Node, at: str) -> str:
    found = _DURATION.fullmatch(node.value) if isinstance(node, yaml.ScalarNode) else None
    if found is None:
        raise _wrong(node, at, "it is no duration like 30s, 10m, 2h or 1d")
    return f"{float(found[1]) * _SECONDS[found[2]]:.9f}s"


def _shown(value: Any, message: Descriptor) -> Any:
    shown = {}
    for name, each in value.items():
        field = message.fields_by_name[name]
        several = each if field.is_repeated else [each]
        if field.enum_type is not None:
            several = [str(one).removeprefix(_prefix(field.enum_type)).lower() for one in several]
        elif field.cpp_type == FieldDescriptor.CPPTYPE_INT64:
            several = [int(one) for one in several]  # JSON has them as texts
        elif field.message_type is not None and not field.message_type.full_name.startswith("google.protobuf."):
            several = [_shown(one, field.message_type) for one in several]
        shown[name] = several if field.is_repeated else several[0]
    return shown


def _prefix(enum: EnumDescriptor) -> str:
    return enum.values[0].name.removesuffix("UNSPECIFIED")


def _wrong(node: yaml.Node, at: str, message: str) -> InvalidArgument:
    return InvalidArgument(f"{_line(node)}: {at}: {message}")


def _line(part: yaml.Node | yaml.Event) -> int:
    return part.start_mark.line + 1 if part.start_mark else 1
