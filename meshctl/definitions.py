"""Agents in YAML files: the names of the contract's fields, with shorter words for enums and durations.

    name: pair
    spec:
      runtime: autogen
      limits: {timeout: 10m}
      team:
        kind: round_robin
        members: …

Owns the reading and writing of such files. What an agent may be, the mesh itself checks.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from agentmesh.orchestrator.v1.agent_definition_pb2 import AgentDefinition
from google.protobuf import json_format
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor

from meshkit.errors import InvalidArgument

__all__ = ["read_definitions", "write_definition"]

_MAX_BYTES = 1024 * 1024
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(s|m|h|d)")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_OUTPUT_ONLY = ("built_in", "create_time", "update_time", "etag")
_AGENT: Any = AgentDefinition.DESCRIPTOR


def read_definitions(path: Path) -> list[AgentDefinition]:
    """Return the agents of a file, which may hold several documents.

    Raises InvalidArgument with the file, the document and the field that is wrong.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidArgument(f"{path}: {error.__class__.__name__}: it cannot be read") from None
    if len(text) > _MAX_BYTES:
        raise InvalidArgument(f"{path}: it is larger than 1 MiB")
    try:
        documents = [(node.start_mark.line + 1, yaml.safe_load(yaml.serialize(node))) for node in _nodes(text)]
    except yaml.YAMLError as error:
        raise InvalidArgument(f"{path}: {' '.join(str(error).split())}") from None
    if not documents:
        raise InvalidArgument(f"{path}: it holds no agent")
    return [_definition(document, f"{path}:{line}") for line, document in documents]


def write_definition(agent: AgentDefinition) -> str:
    """Return the agent as YAML, as `read_definitions` reads it."""
    value = json_format.MessageToDict(agent, preserving_proto_field_name=True)
    for name in _OUTPUT_ONLY:
        value.pop(name, None)
    return yaml.safe_dump(_shown(value, _AGENT), sort_keys=False, allow_unicode=True, width=100)


def _nodes(text: str) -> Iterator[yaml.Node]:
    for node in yaml.compose_all(text, Loader=yaml.SafeLoader):
        if node is not None:
            yield node


def _definition(document: Any, where: str) -> AgentDefinition:
    try:
        value = _meant(document, _AGENT, "")
        return json_format.ParseDict(value, AgentDefinition())
    except InvalidArgument as error:
        raise InvalidArgument(f"{where}: {error.message}") from None
    except json_format.ParseError as error:
        raise InvalidArgument(f"{where}: {' '.join(str(error).split())}") from None


def _meant(value: Any, message: Descriptor, path: str) -> Any:
    """Return what the contract's own JSON says in place of the short words. Raises InvalidArgument."""
    if not isinstance(value, Mapping):
        raise InvalidArgument(f"{path or 'agent'}: it is a mapping of fields")
    meant = {}
    for name, each in value.items():
        at = f"{path}.{name}" if path else str(name)
        field = message.fields_by_name.get(name) if isinstance(name, str) else None
        if field is None or (not path and name in _OUTPUT_ONLY):
            raise InvalidArgument(f"{at}: there is no such field; there are {', '.join(_known(message, path))}")
        if field.is_repeated:
            if not isinstance(each, list):
                raise InvalidArgument(f"{at}: it is a list")
            meant[name] = [_value(one, field, f"{at}[{index}]") for index, one in enumerate(each)]
        else:
            meant[name] = _value(each, field, at)
    return meant


def _value(value: Any, field: FieldDescriptor, at: str) -> Any:
    if field.enum_type is not None:
        return _enum(value, field.enum_type, at)
    if field.message_type is None or value is None:
        return value
    match field.message_type.full_name:
        case "google.protobuf.Duration":
            return _duration(value, at)
        case "google.protobuf.Struct":
            return value
    return _meant(value, field.message_type, at)


def _enum(value: Any, enum: EnumDescriptor, at: str) -> str:
    prefix = _prefix(enum)
    name = f"{prefix}{str(value).upper().removeprefix(prefix)}"
    if name not in enum.values_by_name:
        known = ", ".join(each.name.removeprefix(prefix).lower() for each in enum.values[1:])
        raise InvalidArgument(f"{at}: {value!r} is none of {known}")
    return name


def _duration(value: Any, at: str) -> str:
    if isinstance(value, int | float):
        return f"{value}s"
    found = _DURATION.fullmatch(str(value).strip())
    if found is None:
        raise InvalidArgument(f"{at}: {value!r} is no duration like 30s, 10m, 2h or 1d")
    return f"{float(found[1]) * _SECONDS[found[2]]:g}s"


def _shown(value: Any, message: Descriptor) -> Any:
    shown = {}
    for name, each in value.items():
        field = message.fields_by_name[name]
        several = each if field.is_repeated else [each]
        if field.enum_type is not None:
            several = [str(one).removeprefix(_prefix(field.enum_type)).lower() for one in several]
        elif field.message_type is not None and not field.message_type.full_name.startswith("google.protobuf."):
            several = [_shown(one, field.message_type) for one in several]
        shown[name] = several if field.is_repeated else several[0]
    return shown


def _known(message: Descriptor, path: str) -> list[str]:
    return [field.name for field in message.fields if path or field.name not in _OUTPUT_ONLY]


def _prefix(enum: EnumDescriptor) -> str:
    return enum.values[0].name.removesuffix("UNSPECIFIED")
