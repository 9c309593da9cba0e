"""Whether a part of a mesh answers now: services by the standard health check, other programs by accepting connections.

Owns the questions. What follows from the answers is the caller's business.
"""

import asyncio
from typing import Any

import grpc.aio
from grpc_health.v1 import health_pb2, health_pb2_grpc

from meshkit.rpc.transport import TRANSPORT

__all__ = ["accepts", "answers", "serving"]

_NOT_GRPC = {"postgres", "valkey", "model", "envoy"}
_TIMEOUT = 2.0


async def answers(part: str, address: str) -> bool:
    """Tell whether the part of this name answers at its address, within 2 seconds."""
    return await (accepts(address) if part in _NOT_GRPC else serving(address))


async def serving(address: str) -> bool:
    """Tell whether a service says SERVING."""
    async with grpc.aio.insecure_channel(address, options=TRANSPORT.channel_options()) as channel:
        try:
            health: Any = health_pb2_grpc.HealthStub(channel)  # its methods are not typed
            answer = await health.Check(health_pb2.HealthCheckRequest(), timeout=_TIMEOUT)
        except grpc.aio.AioRpcError:
            return False
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


async def accepts(address: str) -> bool:
    """Tell whether something accepts connections at `host:port`."""
    host, _, port = address.rpartition(":")
    try:
        async with asyncio.timeout(_TIMEOUT):
            _, writer = await asyncio.open_connection(host.strip("[]"), int(port))
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True
