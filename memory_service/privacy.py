"""Builds what people may ask of a memory that is about them, and what keeps to the tenants' retention."""

from agentmesh.memory.v1 import privacy_service_pb2_grpc

from memory_service.domain.ports import Clock, Wake
from memory_service.domain.privacy import Privacy
from memory_service.servicers.privacy import PrivacyServicer
from memory_service.stores.documents import PostgresDocuments
from memory_service.stores.erasure import PostgresErasure
from memory_service.stores.exporting import PostgresExporting
from memory_service.stores.extractions import PostgresExtractions
from memory_service.stores.facts import PostgresFacts
from memory_service.stores.indexes import PostgresIndexes
from memory_service.stores.interactions import PostgresInteractions
from memory_service.stores.purging import PostgresPurging
from memory_service.stores.recent import RedisRecent
from memory_service.stores.retention import Retention
from meshkit.ids import new_id
from meshkit.rpc.server import MeshServer
from meshkit.sql.pool import Pool

__all__ = ["add_privacy"]


def add_privacy(
    server: MeshServer,
    indexes: PostgresIndexes,
    recent: RedisRecent,
    *,
    callers: Pool,
    workers: Pool,
    wake: Wake,
    clock: Clock,
) -> Retention:
    """Add the service and return the job that deletes what is too old.

    `callers` is what callers' statements run on, `workers` what the mesh's own do: an erasure is the mesh's own, for it
    also looks where callers may not.
    """
    facts = PostgresFacts(callers)
    exporting = PostgresExporting(
        callers,
        PostgresInteractions(callers),
        facts,
        PostgresDocuments(callers),
        PostgresExtractions(callers, facts),
    )
    server.add(
        privacy_service_pb2_grpc.add_PrivacyServiceServicer_to_server,
        PrivacyServicer(
            Privacy(exporting, PostgresErasure(workers, indexes, recent), PostgresPurging(callers, new_id), wake=wake)
        ),
        "agentmesh.memory.v1.PrivacyService",
    )
    return Retention(workers, wake=wake, clock=clock)
