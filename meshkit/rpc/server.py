"""The server that every service builds: gRPC with the mesh's interceptors, limits, health and reflection.

Owns the order of the interceptors and what a listening server consists of; `meshkit.rpc.lifecycle` owns how it starts
and ends as a process. A service builds one in its `server.py`:

    server = MeshServer(config, authenticator, service_configs=[load_service_config("memory")])
    pool = await server.resources.enter_async_context(open_pool(...))
    server.watch("postgres", ping_of(pool))
    server.add(add_MemoryServiceServicer_to_server, MemoryServicer(...), "agentmesh.memory.v1.MemoryService")
"""

import asyncio
from collections.abc import Callable, Collection, Iterable
from contextlib import AsyncExitStack
from typing import Any, TypeVar

import grpc
from google.protobuf.descriptor import FileDescriptor
from grpc_reflection.v1alpha import reflection

from meshkit.config import ConfigError, ServiceSettings
from meshkit.rpc.health import Health, Ping
from meshkit.rpc.interceptors.authentication import AuthenticationLayer, Authenticator
from meshkit.rpc.interceptors.authorization import AuthorizationLayer
from meshkit.rpc.interceptors.chain import Chain
from meshkit.rpc.interceptors.deadline import DeadlineLayer
from meshkit.rpc.interceptors.drain import DrainLayer
from meshkit.rpc.interceptors.errors import ErrorLayer
from meshkit.rpc.interceptors.limits import LimitLayer
from meshkit.rpc.interceptors.telemetry import TelemetryLayer
from meshkit.rpc.interceptors.validation import ValidationLayer
from meshkit.rpc.service_config import ServiceConfig, timeouts_of
from meshkit.rpc.transport import TRANSPORT, Transport
from meshkit.telemetry.setup import Telemetry, silent

__all__ = ["MeshServer"]

Servicer = TypeVar("Servicer")

_NOTICE_SECONDS = 0.5
"""How long NOT_SERVING stands before connections close, so that clients and balancers send no more calls."""
_SAY_GOODBYE_SECONDS = 2.0
"""How long before the grace ends the last streams are ended, so that they end with a status and not with a cut."""


class MeshServer:
    """A gRPC server with everything around the handlers."""

    def __init__(
        self,
        settings: ServiceSettings,
        authenticator: Authenticator,
        *,
        service_configs: Iterable[ServiceConfig] = (),
        resumable: Collection[str] = (),
        telemetry: Telemetry | None = None,
        transport: Transport = TRANSPORT,
        health: Health | None = None,
    ) -> None:
        """Take what every call needs.

        `service_configs` give the methods' timeouts. `resumable` are the paths of streams that a client takes up
        again elsewhere: they end as soon as the server drains; all others have the grace to end by themselves.
        """
        self.settings = settings
        self.resources = AsyncExitStack()
        """What the service opened, closed in reverse order after the last call has ended."""
        self.draining = asyncio.Event()
        """Set when the process is asked to go: background loops watch it."""
        self.address = ""
        """Where the server listens, once it does: `127.0.0.1:50051` or `unix:/path`."""
        self._health = health or Health()
        self._drain = DrainLayer()
        self._resumable = frozenset(resumable)
        self._names: list[str] = []
        self._elsewhere: list[str] = []
        self._tasks: list[asyncio.Task[None]] = []
        timeouts = {path: seconds for config in service_configs for path, seconds in timeouts_of(config).items()}
        chain = Chain(
            [
                TelemetryLayer(telemetry or silent()),
                ErrorLayer(),
                AuthenticationLayer(authenticator),
                AuthorizationLayer(),
                LimitLayer(settings),
                self._drain,
                DeadlineLayer(timeouts),
                ValidationLayer(),
            ]
        )
        self._server = grpc.aio.server(
            interceptors=[chain],
            options=transport.server_options(),
            maximum_concurrent_rpcs=settings.limit_concurrent_calls,
        )

    def add(
        self,
        register: Callable[[Servicer, grpc.aio.Server], Any],
        servicer: Servicer,
        name: str,
        *,
        described: bool = True,
    ) -> None:
        """Serve a service: its generated `add_..._to_server`, its servicer, its full name.

        Reflection tells of it if it is `described`: callers need not know what only the mesh's own services may call.
        """
        register(servicer, self._server)
        if described:
            self._names.append(name)
        self._health.serve(name)

    def reflect(self, *files: FileDescriptor) -> None:
        """Describe services that a peer serves behind the same door, where reflection is asked of this server only."""
        self._elsewhere += [service.full_name for file in files for service in file.services_by_name.values()]

    def watch(self, name: str, ping: Ping, *, critical: bool = True) -> None:
        """Make the health of the server depend on something."""
        self._health.watch(name, ping, critical=critical)

    async def start(self) -> None:
        """Listen. Raises ConfigError if the address is taken or wrong."""
        self._health.register(self._server)
        reflection.enable_server_reflection(
            [*self._names, *self._elsewhere, "grpc.health.v1.Health", reflection.SERVICE_NAME], self._server
        )
        listen = self.settings.listen
        try:
            port = self._server.add_insecure_port(listen)
        except RuntimeError as error:
            raise ConfigError(f"MESH_LISTEN: cannot listen on {listen}; is the port taken?") from error
        self.address = listen if listen.startswith("unix:") else f"{listen.rpartition(':')[0]}:{port}"
        await self._health.look()
        await self._server.start()
        self._tasks.append(asyncio.create_task(self._health.keep_looking(), name="health"))

    async def stop(self) -> None:
        """Drain and close: refuse new work, let calls end within the grace, close what the service opened."""
        grace = self.settings.shutdown_grace
        await self._health.leave()
        self.draining.set()
        await asyncio.sleep(min(_NOTICE_SECONDS, grace / 4))
        self._drain.end_streams(self._resumable)
        goodbye = asyncio.get_running_loop().call_later(max(0.0, grace - _SAY_GOODBYE_SECONDS), self._drain.end_streams)
        try:
            await self._server.stop(grace)
        finally:
            goodbye.cancel()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            await self.resources.aclose()
