"""The settings of a tenant's memory through the contract: always there, replaced with care, each tenant's own."""

import asyncio

import pytest
from agentmesh.memory.v1.extraction_pb2 import EXTRACTION_MODE_DRY_RUN, EXTRACTION_MODE_OFF, EXTRACTION_MODE_ON
from agentmesh.memory.v1.settings_service_pb2 import (
    GetMemorySettingsRequest,
    MemorySettings,
    UpdateMemorySettingsRequest,
)

from meshkit.errors import Aborted, InvalidArgument, PermissionDenied
from tests.integration.memory.conftest import READ_WRITE, Client, Mesh

SETTINGS = ("memory_settings.read", "memory_settings.write")


async def read(client: Client) -> MemorySettings:
    settings: MemorySettings = await client.settings.GetMemorySettings(GetMemorySettingsRequest())
    return settings


async def change(client: Client, **fields: int | str) -> MemorySettings:
    request = UpdateMemorySettingsRequest(settings=MemorySettings(**fields))
    settings: MemorySettings = await client.settings.UpdateMemorySettings(request)
    return settings


async def test_a_tenant_that_never_said_anything_has_the_defaults(mesh: Mesh, tenant: str) -> None:
    admin = await mesh.client(await mesh.serve(), *SETTINGS, tenant=tenant)
    settings = await read(admin)
    assert settings.extraction == EXTRACTION_MODE_OFF
    assert settings.interaction_retention_days == settings.fact_retention_days == 0
    assert settings.document_retention_days == 0
    assert settings.etag


async def test_an_update_replaces_all_of_them(mesh: Mesh, tenant: str) -> None:
    admin = await mesh.client(await mesh.serve(), *SETTINGS, tenant=tenant)
    first = await change(admin, extraction=EXTRACTION_MODE_ON, interaction_retention_days=30, fact_retention_days=7)
    assert await read(admin) == first
    second = await change(admin, extraction=EXTRACTION_MODE_DRY_RUN, document_retention_days=36500)
    assert (second.interaction_retention_days, second.fact_retention_days) == (0, 0), "left out: the default"
    assert second.etag != first.etag
    assert (await change(admin)).extraction == EXTRACTION_MODE_OFF, "unspecified: off"


async def test_an_etag_guards_and_a_retry_is_safe(mesh: Mesh, tenant: str) -> None:
    admin = await mesh.client(await mesh.serve(), *SETTINGS, tenant=tenant)
    old = await read(admin)
    new = await change(admin, extraction=EXTRACTION_MODE_ON, etag=old.etag)
    assert await change(admin, extraction=EXTRACTION_MODE_ON, etag=old.etag) == new, "the same update again"
    with pytest.raises(Aborted):
        await change(admin, extraction=EXTRACTION_MODE_DRY_RUN, etag=old.etag)
    assert await read(admin) == new


async def test_of_updates_with_one_etag_at_once_one_wins(mesh: Mesh, tenant: str) -> None:
    admin = await mesh.client(await mesh.serve(), *SETTINGS, tenant=tenant)
    etag = (await read(admin)).etag
    results = await asyncio.gather(
        *(change(admin, fact_retention_days=days, etag=etag) for days in range(1, 9)), return_exceptions=True
    )
    won = [result for result in results if isinstance(result, MemorySettings)]
    assert len(won) == 1
    assert all(isinstance(result, Aborted) for result in results if result not in won)
    assert await read(admin) == won[0]


async def test_each_tenant_has_its_own_and_scopes_are_asked_for(mesh: Mesh, tenant: str) -> None:
    server = await mesh.serve()
    admin = await mesh.client(server, *SETTINGS, tenant=tenant)
    rival = await mesh.client(server, *SETTINGS, tenant=f"{tenant}-rival")
    await change(admin, extraction=EXTRACTION_MODE_ON)
    assert (await read(rival)).extraction == EXTRACTION_MODE_OFF
    user = await mesh.client(server, *READ_WRITE, tenant=tenant)
    with pytest.raises(PermissionDenied):
        await read(user)
    with pytest.raises(PermissionDenied):
        await change(await mesh.client(server, "memory_settings.read", tenant=tenant), extraction=EXTRACTION_MODE_OFF)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("interaction_retention_days", -1),
        ("fact_retention_days", 36501),
        ("document_retention_days", -5),
        ("extraction", 9),
        ("etag", "x" * 65),
    ],
)
async def test_what_breaks_a_rule_is_refused(mesh: Mesh, tenant: str, field: str, value: int | str) -> None:
    admin = await mesh.client(await mesh.serve(), *SETTINGS, tenant=tenant)
    with pytest.raises(InvalidArgument) as caught:
        await change(admin, **{field: value})
    assert [violation.field for violation in caught.value.field_violations] == [f"settings.{field}"]
