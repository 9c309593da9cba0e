"""Every method of every service has a scope, a timeout and an HTTP binding; every field of a request has a rule."""

import importlib
from collections.abc import Iterator
from pathlib import Path

import agentmesh
import pytest
from agentmesh.policy.v1 import method_pb2
from buf.validate import validate_pb2
from google.api import annotations_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor, ServiceDescriptor

from meshkit.rpc.service_config import load_service_config, timeouts_of

NOUNS = ("agent", "memory", "orchestrator")

# Messages whose shape is their rule.
SELF_RULED = {"google.protobuf.Timestamp", "google.protobuf.Struct"}


def services() -> Iterator[ServiceDescriptor]:
    root = Path(next(iter(agentmesh.__path__)))
    for path in sorted(root.rglob("*_pb2.py")):
        name = ".".join(("agentmesh", *path.relative_to(root).with_suffix("").parts))
        yield from importlib.import_module(name).DESCRIPTOR.services_by_name.values()


METHODS = [method for service in services() for method in service.methods]
by_name = pytest.mark.parametrize("method", METHODS, ids=lambda method: method.full_name)


def test_the_services_are_found() -> None:
    assert {service.name for service in services()} == {
        "AgentService",
        "RunService",
        "LedgerService",
        "SessionService",
        "FileService",
        "AgentCatalogService",
        "MemoryService",
        "InteractionService",
        "ContextService",
        "DocumentService",
        "ExtractionService",
        "MemorySettingsService",
        "PrivacyService",
    }


@by_name
def test_a_method_has_a_scope(method: MethodDescriptor) -> None:
    policy = method.GetOptions().Extensions[method_pb2.method]
    noun, _, verb = policy.scope.partition(".")
    assert noun
    assert verb in {"read", "write", "execute"}


@by_name
def test_a_public_method_has_an_http_binding_and_an_internal_one_has_none(method: MethodDescriptor) -> None:
    options = method.GetOptions()
    assert options.HasExtension(annotations_pb2.http) != options.Extensions[method_pb2.method].internal


@by_name
def test_a_method_has_a_timeout(method: MethodDescriptor) -> None:
    service = method.containing_service
    noun = service.full_name.split(".")[1]
    assert timeouts_of(load_service_config(noun))[f"/{service.full_name}/{method.name}"] > 0


@by_name
def test_only_idempotent_unary_methods_are_retried(method: MethodDescriptor) -> None:
    service = method.containing_service
    config = load_service_config(service.full_name.split(".")[1])
    entries = [
        entry
        for entry in config["methodConfig"]
        if {"service": service.full_name, "method": method.name} in entry["name"]
    ]
    assert len(entries) == 1
    policy = method.GetOptions().Extensions[method_pb2.method]
    may_be_retried = policy.idempotent and not method.server_streaming
    assert ("retryPolicy" in entries[0]) == may_be_retried


@pytest.mark.parametrize("noun", NOUNS)
def test_a_service_config_names_no_unknown_method(noun: str) -> None:
    known = {(method.containing_service.full_name, method.name) for method in METHODS}
    named = {
        (each["service"], each["method"])
        for entry in load_service_config(noun)["methodConfig"]
        for each in entry["name"]
    }
    assert named <= known


@by_name
def test_every_field_of_a_request_has_a_rule(method: MethodDescriptor) -> None:
    bare = [
        f"{field.containing_type.name}.{field.name}" for field in fields(method.input_type, set()) if not ruled(field)
    ]
    assert not bare


def fields(message: Descriptor, seen: set[str]) -> Iterator[FieldDescriptor]:
    """Yield the fields of a message and of all messages in it, each once."""
    if message.full_name in seen or message.full_name.startswith("google.protobuf."):
        return
    seen.add(message.full_name)
    for field in message.fields:
        yield field
        if field.message_type is not None and not field.message_type.GetOptions().map_entry:
            yield from fields(field.message_type, seen)


def ruled(field: FieldDescriptor) -> bool:
    """Tell whether a field's values are bounded: by a rule, or by being a bool or a message with rules of its own."""
    if field.GetOptions().HasExtension(validate_pb2.field):
        return True
    if field.type == FieldDescriptor.TYPE_BOOL:
        return True
    message = field.message_type
    return message is not None and not field.is_repeated and (message.full_name in SELF_RULED or bool(message.fields))
