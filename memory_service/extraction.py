"""Builds what looks for facts in turns, with the settings that tell whether: the services and the worker."""

from collections.abc import Collection

from agentmesh.memory.v1 import extraction_service_pb2_grpc, settings_service_pb2_grpc

from memory_service.adapters.extracting.factory import build_extractor
from memory_service.adapters.extracting.secrets import holds_secret
from memory_service.config import Config
from memory_service.domain.extracting import Extractions
from memory_service.domain.model import Source
from memory_service.domain.ports import Clock, Wake
from memory_service.domain.settings import Settings
from memory_service.servicers.extraction import ExtractionServicer
from memory_service.servicers.settings import SettingsServicer
from memory_service.stores.extractions import PostgresExtractions
from memory_service.stores.facts import PostgresFacts
from memory_service.stores.outbox import Change, Worker
from memory_service.stores.settings import PostgresSettings
from meshkit.ids import new_id
from meshkit.rpc.server import MeshServer
from meshkit.sql.pool import Pool

__all__ = ["add_extraction"]

_PACKAGE = "agentmesh.memory.v1"


def add_extraction(
    server: MeshServer, settings: Config, *, callers: Pool, workers: Pool, wake: Wake, clock: Clock
) -> Worker:
    """Add both services and return the worker that looks through the turns that are stored.

    `callers` is what callers' statements run on, `workers` what the mesh's own do.
    """
    extractor = build_extractor(
        url=settings.extraction_model_url, model=settings.extraction_model, key=settings.extraction_model_key
    )
    server.resources.push_async_callback(extractor.close)

    def on(pool: Pool) -> Extractions:
        return Extractions(
            PostgresExtractions(pool, PostgresFacts(pool)),
            PostgresSettings(pool),
            extractor,
            is_secret=holds_secret,
            wake=wake,
            new_id=new_id,
            clock=clock,
        )

    server.add(
        extraction_service_pb2_grpc.add_ExtractionServiceServicer_to_server,
        ExtractionServicer(on(callers)),
        f"{_PACKAGE}.ExtractionService",
    )
    server.add(
        settings_service_pb2_grpc.add_MemorySettingsServiceServicer_to_server,
        SettingsServicer(Settings(PostgresSettings(callers), new_id=new_id)),
        f"{_PACKAGE}.MemorySettingsService",
    )
    behind = on(workers)

    async def follow(changes: Collection[Change]) -> Collection[Source]:
        return await behind.follow([change.source for change in changes])

    return Worker(workers, "extraction", follow)
