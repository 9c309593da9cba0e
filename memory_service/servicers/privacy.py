# ruff: noqa: N802 - the contract names the methods
"""PrivacyService."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from agentmesh.memory.v1 import privacy_service_pb2, privacy_service_pb2_grpc

from memory_service.convert.privacy import erased_to_proto, purged_to_proto, record_to_proto
from memory_service.domain.privacy import Privacy
from meshkit.context import current

__all__ = ["PrivacyServicer"]


class PrivacyServicer(privacy_service_pb2_grpc.PrivacyServiceServicer):
    """Serves export, erasure and purge."""

    def __init__(self, privacy: Privacy) -> None:
        self._privacy = privacy

    async def ExportUser(
        self, request: privacy_service_pb2.ExportUserRequest, context: Any
    ) -> AsyncGenerator[privacy_service_pb2.ExportUserResponse, None]:
        """Send everything about a user."""
        async with aclosing(self._privacy.export(current(), request.user)) as records:
            async for record in records:
                yield record_to_proto(record)

    async def EraseUser(
        self, request: privacy_service_pb2.EraseUserRequest, context: Any
    ) -> privacy_service_pb2.EraseUserResponse:
        """Erase a user."""
        return erased_to_proto(await self._privacy.erase(current(), request.user))

    async def PurgeBySource(
        self, request: privacy_service_pb2.PurgeBySourceRequest, context: Any
    ) -> privacy_service_pb2.PurgeBySourceResponse:
        """Delete what came from a source."""
        purged = await self._privacy.purge(current(), request.user, request.source, all_users=request.all_users)
        return purged_to_proto(purged)
