"""The standard health service, fed by a look at what the process depends on.

Owns the status of every service name. A critical dependency that does not answer makes the process NOT_SERVING, so that
balancers and client-side health checks send calls elsewhere; any other only makes it log.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import grpc
import structlog
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import aio as health_aio

__all__ = ["Health", "Ping"]

Ping = Callable[[], Awaitable[object]]
"""Asks a dependency whether it is there; raises if it is not."""

_log = structlog.get_logger(__name__)
_SERVING = health_pb2.HealthCheckResponse.SERVING
_NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


@dataclass(frozen=True, slots=True)
class _Dependency:
    name: str
    ping: Ping
    critical: bool


class Health:
    """Looks at the dependencies every few seconds and answers who asks."""

    def __init__(self, interval: float = 5.0, timeout: float = 2.0) -> None:
        """Look every `interval` seconds; a ping that takes longer than `timeout` seconds has failed."""
        self._interval, self._timeout = interval, timeout
        self._servicer = health_aio.HealthServicer()
        self._names = [""]  # the standard's name for the process as a whole
        self._dependencies: list[_Dependency] = []
        self._failing: frozenset[str] = frozenset()

    def register(self, server: grpc.aio.Server) -> None:
        """Add the health service to a server."""
        health_pb2_grpc.add_HealthServicer_to_server(self._servicer, server)

    def serve(self, name: str) -> None:
        """Answer for the service of this full name too."""
        self._names.append(name)

    def watch(self, name: str, ping: Ping, *, critical: bool) -> None:
        """Look at a dependency from now on."""
        self._dependencies.append(_Dependency(name, ping, critical))

    async def look(self) -> None:
        """Ask every dependency once and set the statuses."""
        results = await asyncio.gather(*(self._answers(each) for each in self._dependencies))
        failing = frozenset(each.name for each, good in zip(self._dependencies, results, strict=True) if not good)
        if failing != self._failing:
            _log.warning("dependencies_changed", failing=sorted(failing))
            self._failing = failing
        down = any(each.critical for each in self._dependencies if each.name in failing)
        for name in self._names:
            await self._servicer.set(name, _NOT_SERVING if down else _SERVING)

    async def keep_looking(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            await asyncio.sleep(self._interval)
            await self.look()

    async def leave(self) -> None:
        """Say NOT_SERVING from now on, whatever the dependencies do: the process is going."""
        await self._servicer.enter_graceful_shutdown()

    async def _answers(self, dependency: _Dependency) -> bool:
        try:
            async with asyncio.timeout(self._timeout):
                await dependency.ping()
        except Exception as error:  # noqa: BLE001 - whatever it raises, the dependency is not there
            _log.debug("ping_failed", dependency=dependency.name, error=type(error).__name__)
            return False
        return True
