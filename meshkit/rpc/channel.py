"""The client's side: one channel a peer, which adds to every call what the mesh asks for.

Owns how channels are made, and what an outgoing call carries: the rest of the incoming call's deadline, the trace, the
credentials. A failed call raises the `MeshError` that the peer raised. Streams must be closed by their user, see
`meshkit.rpc.streams`.

The channel wraps gRPC's own instead of using client interceptors: those change the type of streaming calls, and with it
how they are cancelled.
"""

import ipaddress
import json
from collections.abc import AsyncIterator, Callable, Generator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import grpc
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from meshkit.config import ConfigError
from meshkit.context import current_or_none
from meshkit.errors import DeadlineExceeded
from meshkit.rpc.service_config import ServiceConfig
from meshkit.rpc.status import from_rpc_error
from meshkit.rpc.transport import TRANSPORT, Transport

__all__ = ["Credentials", "MeshChannel", "open_channel"]

Credentials = Callable[[], str]
"""Returns the token or API key for the call being made; it is asked for every call."""

DEADLINE_MARGIN_SECONDS = 0.02
"""What an incoming call keeps of its time for itself, to answer in its own words when the peer is late."""

_TRACE = TraceContextTextMapPropagator()


def open_channel(
    target: str,
    service_config: ServiceConfig,
    *,
    credentials: Credentials | None = None,
    watch_health: bool = True,
    transport: Transport = TRANSPORT,
) -> "MeshChannel":
    """Return a channel to a peer: `host:port`, several as `10.0.0.1:1,10.0.0.2:1`, or `unix:/path`.

    A name is resolved, and may have several addresses; several *written* ones must be IPv4, since gRPC resolves no list
    of names. Raises ConfigError for such a list.
    Calls go round robin to the endpoints that say they are SERVING; behind a proxy, which looks by itself, switch that
    off with `watch_health`. The service config gives timeouts and retries. Nothing is connected until the first call.
    """
    policy = {**service_config, "loadBalancingConfig": [{"round_robin": {}}]}
    if watch_health:
        policy["healthCheckConfig"] = {"serviceName": ""}
    options = [*transport.channel_options(), ("grpc.service_config", json.dumps(policy))]
    return MeshChannel(grpc.aio.insecure_channel(_target(target), options=options), credentials)


def _target(target: str) -> str:
    """Return the target in gRPC's own words."""
    addresses = target.removeprefix("ipv4:").split(",")
    if len(addresses) == 1:
        return target
    for address in addresses:
        try:
            ipaddress.IPv4Address(address.rpartition(":")[0])
        except ValueError:
            raise ConfigError(f"{address}: several addresses must be IPv4 addresses with ports") from None
    return f"ipv4:{','.join(addresses)}"


class MeshChannel(grpc.aio.Channel):
    """A `grpc.aio.Channel` for generated stubs. Close it, or use it as a context manager."""

    def __init__(self, inner: grpc.aio.Channel, credentials: Credentials | None) -> None:
        self._inner, self._credentials = inner, credentials

    def unary_unary(self, method: str, *args: Any, **kwargs: Any) -> Any:
        """Return the callable of a method; generated stubs call this."""
        return _Method(self._inner.unary_unary(method, *args, **kwargs), self._credentials)

    def unary_stream(self, method: str, *args: Any, **kwargs: Any) -> Any:
        """Return the callable of a method; generated stubs call this."""
        return _Method(self._inner.unary_stream(method, *args, **kwargs), self._credentials)

    def stream_unary(self, method: str, *args: Any, **kwargs: Any) -> Any:
        """Return the callable of a method; generated stubs call this."""
        return _Method(self._inner.stream_unary(method, *args, **kwargs), self._credentials)

    def stream_stream(self, method: str, *args: Any, **kwargs: Any) -> Any:
        """Return the callable of a method; generated stubs call this."""
        return _Method(self._inner.stream_stream(method, *args, **kwargs), self._credentials)

    async def __aenter__(self) -> Self:
        """Return the channel itself."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the channel; calls in flight are cancelled."""
        await self.close()

    async def close(self, grace: float | None = None) -> None:
        """Close the channel; calls in flight have `grace` seconds to end."""
        await self._inner.close(grace)

    def get_state(self, try_to_connect: bool = False) -> grpc.ChannelConnectivity:
        """Return the state of the connection."""
        return self._inner.get_state(try_to_connect)

    async def wait_for_state_change(self, last_observed_state: grpc.ChannelConnectivity) -> None:
        """Return when the state is another."""
        await self._inner.wait_for_state_change(last_observed_state)

    async def channel_ready(self) -> None:
        """Return when there is a connection."""
        await self._inner.channel_ready()


@dataclass(frozen=True, slots=True)
class _Method:
    """A method of a peer."""

    _start: Callable[..., Any]
    _credentials: Credentials | None

    def __call__(
        self,
        *request: Any,
        timeout: float | None = None,
        metadata: Sequence[tuple[str, str]] | None = None,
        **options: Any,
    ) -> "_Call":
        headers: dict[str, str] = {}
        _TRACE.inject(headers)
        if self._credentials is not None:
            headers["authorization"] = f"Bearer {self._credentials()}"
        sent = (*headers.items(), *(metadata or ()))
        return _Call(self._start(*request, timeout=_timeout(timeout), metadata=sent, **options))


class _Call:
    """A call in flight. It is what gRPC's own call is, except that failures are `MeshError`s."""

    __slots__ = ("_inner", "_messages")

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self._messages: AsyncIterator[Any] | None = None

    def __getattr__(self, name: str) -> Any:
        """Everything else (`cancel`, `code`, `initial_metadata`, ...) is the call's own."""
        return getattr(self._inner, name)

    def __await__(self) -> Generator[Any, None, Any]:
        try:
            return (yield from self._inner.__await__())
        except grpc.aio.AioRpcError as error:
            raise from_rpc_error(error) from error

    def __aiter__(self) -> Self:
        self._messages = aiter(self._inner)
        return self

    async def __anext__(self) -> Any:
        assert self._messages is not None
        try:
            return await anext(self._messages)
        except grpc.aio.AioRpcError as error:
            raise from_rpc_error(error) from error

    async def read(self) -> Any:
        """Return the next message of the stream, `grpc.aio.EOF` at its end."""
        try:
            return await self._inner.read()
        except grpc.aio.AioRpcError as error:
            raise from_rpc_error(error) from error

    async def write(self, message: Any) -> None:
        """Send a message of the stream; returns when the transport has room."""
        try:
            await self._inner.write(message)
        except grpc.aio.AioRpcError as error:
            raise from_rpc_error(error) from error


def _timeout(own: float | None) -> float | None:
    call = current_or_none()
    left = call.remaining() if call is not None else None
    if left is None:
        return own
    left -= DEADLINE_MARGIN_SECONDS
    if left <= 0:
        raise DeadlineExceeded("no time is left for the next call")
    return left if own is None else min(own, left)
