"""A test service of all four call shapes, made from a descriptor at import: no generated code, real gRPC."""

from collections.abc import Callable, Mapping
from typing import Any

import grpc
from agentmesh.policy.v1 import method_pb2
from buf.validate import validate_pb2
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

PACKAGE = "agentmesh.test.v1"
SERVICE = f"{PACKAGE}.EchoService"

# name: (client streams, server streams, scope, idempotent, internal)
METHODS: Mapping[str, tuple[bool, bool, str | None, bool, bool]] = {
    "Say": (False, False, "echo.say", True, False),
    "Expand": (False, True, "echo.say", False, False),
    "Collect": (True, False, "echo.say", False, False),
    "Chat": (True, True, "echo.say", False, False),
    "Inside": (False, False, "echo.inside", False, True),
    "Naked": (False, False, None, False, False),
    "Once": (False, False, "echo.say", False, False),
}


def _describe() -> descriptor_pb2.FileDescriptorProto:
    file = descriptor_pb2.FileDescriptorProto(
        name="agentmesh/test/v1/echo.proto",
        package=PACKAGE,
        syntax="proto3",
        dependency=["buf/validate/validate.proto", "agentmesh/policy/v1/method.proto"],
    )
    field = descriptor_pb2.FieldDescriptorProto
    mode = file.enum_type.add(name="Mode")
    for number, name in enumerate(["MODE_UNSPECIFIED", "MODE_LOUD"]):
        mode.value.add(name=name, number=number)
    message = file.message_type.add(name="Echo")
    rules = validate_pb2.field
    text = message.field.add(name="text", number=1, type=field.TYPE_STRING, label=field.LABEL_OPTIONAL)
    text.options.Extensions[rules].string.max_bytes = 64 * 1024
    count = message.field.add(name="count", number=2, type=field.TYPE_INT64, label=field.LABEL_OPTIONAL)
    count.options.Extensions[rules].int64.gte = 0
    tags = message.field.add(name="tags", number=3, type=field.TYPE_STRING, label=field.LABEL_REPEATED)
    tags.options.Extensions[rules].repeated.max_items = 3
    tags.options.Extensions[rules].repeated.items.string.max_len = 5
    kind = message.field.add(
        name="mode", number=4, type=field.TYPE_ENUM, type_name=f".{PACKAGE}.Mode", label=field.LABEL_OPTIONAL
    )
    kind.options.Extensions[rules].enum.defined_only = True
    message.field.add(
        name="inner", number=5, type=field.TYPE_MESSAGE, type_name=f".{PACKAGE}.Echo", label=field.LABEL_OPTIONAL
    )
    message.field.add(name="seconds", number=6, type=field.TYPE_DOUBLE, label=field.LABEL_OPTIONAL)
    service = file.service.add(name="EchoService")
    for name, (client, server, scope, idempotent, internal) in METHODS.items():
        method = service.method.add(
            name=name,
            input_type=f".{PACKAGE}.Echo",
            output_type=f".{PACKAGE}.Echo",
            client_streaming=client,
            server_streaming=server,
        )
        if scope is not None:
            method.options.Extensions[method_pb2.method].CopyFrom(
                method_pb2.MethodPolicy(scope=scope, idempotent=idempotent, internal=internal)
            )
    return file


_pool = descriptor_pool.Default()
_pool.AddSerializedFile(_describe().SerializeToString())
Echo: Any = message_factory.GetMessageClass(_pool.FindMessageTypeByName(f"{PACKAGE}.Echo"))

_SERVER_SHAPES = {
    (False, False): grpc.unary_unary_rpc_method_handler,
    (False, True): grpc.unary_stream_rpc_method_handler,
    (True, False): grpc.stream_unary_rpc_method_handler,
    (True, True): grpc.stream_stream_rpc_method_handler,
}


def register(handlers: Mapping[str, Callable[..., Any]], server: grpc.aio.Server) -> None:
    """Do what a generated `add_..._to_server` does, for the handlers given."""
    methods = {
        name: _SERVER_SHAPES[METHODS[name][:2]](
            handler, request_deserializer=Echo.FromString, response_serializer=Echo.SerializeToString
        )
        for name, handler in handlers.items()
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, methods),))


class EchoStub:
    """Do what a generated stub does."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        shapes = {
            (False, False): channel.unary_unary,
            (False, True): channel.unary_stream,
            (True, False): channel.stream_unary,
            (True, True): channel.stream_stream,
        }
        for name, (client, server, *_) in METHODS.items():
            call = shapes[client, server](
                f"/{SERVICE}/{name}",
                request_serializer=Echo.SerializeToString,
                response_deserializer=Echo.FromString,
            )
            setattr(self, name, call)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(name)
