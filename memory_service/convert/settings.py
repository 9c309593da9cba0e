"""Settings: between the contract's messages and the domain's values."""

from agentmesh.memory.v1 import extraction_pb2, settings_service_pb2

from memory_service.domain.settings import ExtractionMode, MemorySettings

__all__ = ["settings_from_proto", "settings_to_proto"]


def settings_from_proto(message: settings_service_pb2.MemorySettings) -> MemorySettings:
    """Return the settings that a request brings; what it leaves out has its default."""
    mode = extraction_pb2.ExtractionMode.Name(message.extraction).removeprefix("EXTRACTION_MODE_")
    return MemorySettings(
        extraction=ExtractionMode(mode) if message.extraction else ExtractionMode.OFF,
        interaction_retention_days=message.interaction_retention_days,
        fact_retention_days=message.fact_retention_days,
        document_retention_days=message.document_retention_days,
    )


def settings_to_proto(settings: MemorySettings) -> settings_service_pb2.MemorySettings:
    """Return the settings as a message."""
    return settings_service_pb2.MemorySettings(
        extraction=f"EXTRACTION_MODE_{settings.extraction}",
        interaction_retention_days=settings.interaction_retention_days,
        fact_retention_days=settings.fact_retention_days,
        document_retention_days=settings.document_retention_days,
        etag=settings.etag,
    )
