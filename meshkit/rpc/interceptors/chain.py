"""The one gRPC interceptor of a server: it runs the layers around the handler, for all four shapes of a call.

Owns the meeting point with `grpc-interceptor` and with `grpc.aio`; the layers know neither. A layer is an async context
manager around the whole call: it may refuse by raising, watch the exception that leaves, or replace the request.

    telemetry { errors { authentication { ... { handler } } } }

The chain drains the handler's generator itself and closes it in the call's own task, before any layer is left. Left to
the garbage collector, a cancelled stream would run its `finally` blocks later, in a foreign task and context.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, aclosing
from dataclasses import dataclass
from typing import Any, Protocol

import grpc
from google.protobuf.message import DecodeError
from grpc_interceptor.server import AsyncServerInterceptor

from meshkit.rpc.policy import MethodRule, rule_of

__all__ = ["Call", "Chain", "Layer", "Undecodable"]


class Undecodable:
    """Stands for a request whose bytes are no message of its type; the validation layer refuses it."""


@dataclass(slots=True)
class Call:
    """One call on its way through the layers."""

    method: str
    """`/package.Service/Method`."""
    rule: MethodRule
    """What the contract says of the method."""
    metadata: Mapping[str, str]
    """The request's text headers, lower case; of a repeated one the last."""
    grpc: grpc.aio.ServicerContext[Any, Any]
    """gRPC's own context: for layers only, handlers use `meshkit.context`."""
    request: Any
    """The message, or the async iterator of messages; a layer may replace it by a checked one."""
    tenant: str = ""
    """Whose call it is, once that is proven: for the logs of the layers outside of the call's context."""
    code: str = "OK"
    """The status that the call ends with; the error layer sets it for the telemetry layer."""


class Layer(Protocol):
    """Something that happens around every call."""

    def around(self, call: Call) -> AbstractAsyncContextManager[None]:
        """Return the context manager in which the rest of the call runs."""
        ...


class Chain(AsyncServerInterceptor):
    """Runs the layers, outermost first, around every handler."""

    def __init__(self, layers: Sequence[Layer]) -> None:
        self._layers = tuple(layers)

    async def intercept_service(
        self, continuation: Callable[[Any], Awaitable[Any]], handler_call_details: grpc.HandlerCallDetails
    ) -> Any:
        """Wrap a handler. Bytes that cannot be decoded reach the layers: gRPC would tell the caller our internals."""
        handler = await super().intercept_service(continuation, handler_call_details)  # type: ignore[no-untyped-call]
        if handler is None or handler.request_deserializer is None:
            return handler
        return handler._replace(request_deserializer=_forgiving(handler.request_deserializer))

    async def intercept(
        self,
        method: Callable[[Any, Any], Any],
        request_or_iterator: Any,
        context: grpc.aio.ServicerContext[Any, Any],
        method_name: str,
    ) -> Any:
        """Serve one call. Returns the response of a unary method; the messages of a stream are written from here."""
        metadata = {key: value for key, value in context.invocation_metadata() or () if isinstance(value, str)}
        call = Call(method_name, rule_of(method_name), metadata, context, request_or_iterator)
        async with AsyncExitStack() as stack:
            for layer in self._layers:
                await stack.enter_async_context(layer.around(call))
            answer = method(call.request, context)
            if not hasattr(answer, "__aiter__"):
                return await answer  # a unary response, or a stream handler that writes by itself
            await _write_all(answer, context)
        return None


def _forgiving(decode: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
    def decode_or_stand_in(data: bytes) -> Any:
        try:
            return decode(data)
        except DecodeError:
            return Undecodable()

    return decode_or_stand_in


async def _write_all(messages: AsyncIterator[Any], context: grpc.aio.ServicerContext[Any, Any]) -> None:
    async with aclosing(messages) as open_messages:  # type: ignore[type-var] # handlers are generators
        async for message in open_messages:
            await context.write(message)
