"""A real server on a free port of the loopback, for the time of a test."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from meshkit.rpc.server import MeshServer

__all__ = ["serving"]


@asynccontextmanager
async def serving(server: MeshServer) -> AsyncIterator[str]:
    """Start the server and give its address; drain it afterwards."""
    await server.start()
    try:
        yield server.address
    finally:
        await server.stop()
