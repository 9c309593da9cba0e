"""An echo service as a process of its own, for tests that send it signals.

Started with `MESH_*` variables like every service; prints its address. `Say` with `seconds` sleeps as long; `Expand`
counts up until it is ended; `Chat` ends by itself once the process drains, after `seconds`.
"""

import asyncio
import sys
from collections.abc import AsyncIterator
from typing import Any

from meshkit.auth.authenticator import build_authenticator
from meshkit.config import ServiceSettings, load
from meshkit.rpc.lifecycle import run
from meshkit.rpc.server import MeshServer
from meshkit.telemetry.setup import Telemetry
from tests.integration.meshkit.echo import SERVICE, Echo, register


async def say(request: Any, _context: Any) -> Any:
    await asyncio.sleep(request.seconds)
    return Echo(text=request.text)


async def expand(_request: Any, _context: Any) -> AsyncIterator[Any]:
    number = 0
    while True:
        number += 1
        yield Echo(count=number)
        await asyncio.sleep(0.02)


async def build(settings: ServiceSettings, telemetry: Telemetry) -> MeshServer:
    server = MeshServer(settings, build_authenticator(settings), telemetry=telemetry, resumable=[f"/{SERVICE}/Expand"])

    async def work(_requests: Any, _context: Any) -> AsyncIterator[Any]:
        yield Echo(text="working")
        await server.draining.wait()
        await asyncio.sleep(0.3)
        yield Echo(text="done")

    server.add(register, {"Say": say, "Expand": expand, "Chat": work}, SERVICE)
    server.resources.callback(sys.stderr.write, "closed what was opened\n")
    return server


if __name__ == "__main__":
    raise SystemExit(run("echo", lambda: load(ServiceSettings), build))
