# ruff: noqa: N802 - the contract names the methods
"""MemorySettingsService."""

from typing import Any

from agentmesh.memory.v1 import settings_service_pb2, settings_service_pb2_grpc

from memory_service.convert.settings import settings_from_proto, settings_to_proto
from memory_service.domain.settings import Settings
from meshkit.context import current

__all__ = ["SettingsServicer"]


class SettingsServicer(settings_service_pb2_grpc.MemorySettingsServiceServicer):
    """Serves the settings of tenants."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    async def GetMemorySettings(
        self, request: settings_service_pb2.GetMemorySettingsRequest, context: Any
    ) -> settings_service_pb2.MemorySettings:
        """Read the settings."""
        return settings_to_proto(await self._settings.get(current()))

    async def UpdateMemorySettings(
        self, request: settings_service_pb2.UpdateMemorySettingsRequest, context: Any
    ) -> settings_service_pb2.MemorySettings:
        """Replace the settings."""
        wanted = settings_from_proto(request.settings)
        return settings_to_proto(await self._settings.update(current(), wanted, request.settings.etag))
