"""What a tenant wants of its memory: its settings, and the verbs on them.

A tenant that never said anything has the defaults. They are read where they count, each time: nothing keeps them.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Protocol

from meshkit.context import CallContext
from meshkit.errors import Aborted
from meshkit.ids import IdFactory

__all__ = ["ExtractionMode", "MemorySettings", "Settings", "SettingsStore", "changed"]


class ExtractionMode(StrEnum):
    """Whether facts are looked for in the turns of a tenant."""

    OFF = "OFF"
    DRY_RUN = "DRY_RUN"
    """Looked for and reported; nothing is stored as a fact."""
    ON = "ON"


@dataclass(frozen=True, slots=True)
class MemorySettings:
    """The settings of a tenant. The days are how long things are kept; 0: until somebody deletes them."""

    extraction: ExtractionMode = ExtractionMode.OFF
    interaction_retention_days: int = 0
    fact_retention_days: int = 0
    document_retention_days: int = 0
    etag: str = "default"


class SettingsStore(Protocol):
    """Where settings are kept: one set for each tenant."""

    async def get(self, tenant: str) -> MemorySettings:
        """Return the tenant's settings, the defaults if it has none."""
        ...

    async def put(self, tenant: str, wanted: MemorySettings, expected_etag: str) -> MemorySettings:
        """Store what `changed` makes of the settings, which nobody changes meanwhile. Raises Aborted."""
        ...


def changed(present: MemorySettings, wanted: MemorySettings, expected_etag: str) -> MemorySettings:
    """Return the settings after an update; what is wanted carries the etag that a change would give them.

    An update that asks for what is there changes nothing, whatever etag it carries: it may be the retry of one whose
    answer got lost. Raises Aborted (ETAG_MISMATCH) for another etag than the present one.
    """
    if replace(wanted, etag=present.etag) == present:
        return present
    if expected_etag and expected_etag != present.etag:
        raise Aborted("the settings changed since they were read")
    return wanted


class Settings:
    """The verbs on settings."""

    def __init__(self, store: SettingsStore, *, new_id: IdFactory) -> None:
        self._store, self._new_id = store, new_id

    async def get(self, caller: CallContext) -> MemorySettings:
        """Return the settings of the caller's tenant."""
        return await self._store.get(caller.tenant)

    async def update(self, caller: CallContext, wanted: MemorySettings, expected_etag: str) -> MemorySettings:
        """Replace the settings of the caller's tenant. Raises Aborted (ETAG_MISMATCH)."""
        return await self._store.put(caller.tenant, replace(wanted, etag=self._new_id("etag")), expected_etag)
