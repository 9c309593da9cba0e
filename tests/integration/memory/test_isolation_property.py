"""Random operations of many people at once over every read and write, under names that meet when joined badly.

Nobody may ever be shown what another stored, be it by id, list, page token, search, context, cache, export or the words
of an error; what is another's is refused like what never was; and what nobody touches stays as it is.
"""

import asyncio
import secrets
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from urllib.parse import quote

import pytest
from agentmesh.memory.v1 import (
    context_service_pb2,
    document_service_pb2,
    extraction_service_pb2,
    interaction_service_pb2,
    memory_service_pb2,
    privacy_service_pb2,
    settings_service_pb2,
)
from agentmesh.memory.v1.extraction_pb2 import ExtractionMode
from agentmesh.memory.v1.settings_service_pb2 import MemorySettings, UpdateMemorySettingsRequest
from redis.asyncio import Redis

from meshkit.context import ACT_AS_SCOPE
from meshkit.rpc.channel import open_channel
from meshkit.rpc.server import MeshServer
from tests.integration.memory.conftest import READ_WRITE, Client, Mesh
from tests.integration.memory.isolation import reading, writing
from tests.integration.memory.isolation.people import CANARY, Person, World

_AT_ONCE = 12
_SCOPES = (*READ_WRITE, "memory_privacy.write", "memory_settings.read", "memory_settings.write")
_SERVICES = (
    context_service_pb2, document_service_pb2, extraction_service_pb2, interaction_service_pb2, memory_service_pb2,
    privacy_service_pb2, settings_service_pb2,
)  # fmt: skip
_METHODS = {
    method.name
    for module in _SERVICES
    for service in module.DESCRIPTOR.services_by_name.values()
    for method in service.methods
}
# What answers with counts or settings shows no text, not even one's own.
_WITHOUT_TEXT = {
    "DeleteDocument",
    "DeleteFact",
    "EraseUser",
    "GetMemorySettings",
    "PurgeBySource",
    "UpdateMemorySettings",
}

_OPERATIONS: dict[Callable[[World, Person], Awaitable[None]], int] = {
    writing.say: 14,
    writing.put: 11,
    writing.say_the_same: 1,
    writing.ingest: 5,
    writing.supersede: 5,
    writing.remove: 4,
    writing.pretend: 6,
    writing.erase: 1,
    writing.purge: 1,
    writing.change_settings: 1,
    reading.list_pages: 14,
    reading.search: 9,
    reading.recall: 10,
    reading.look_at: 8,
    reading.peep: 6,
    reading.extract: 4,
    reading.export: 3,
    reading.act_for_another: 4,
}


@pytest.mark.timeout(0)  # the time depends on how much is asked for, and is limited inside
async def test_nobody_is_ever_shown_what_is_anothers(
    mesh: Mesh, tenant: str, redis_url: str, isolation_operations: int
) -> None:
    seed = secrets.randbits(32)
    async with AsyncExitStack() as stack:
        world = World(await population(mesh, await mesh.serve(), stack, tenant), seed)
        witnesses = {person: await bear_witness(world, person) for person in world.people if person.is_witness}
        active = [person for person in world.people if not person.is_witness]
        operations, weights = list(_OPERATIONS), list(_OPERATIONS.values())

        async def live() -> None:
            while world.done < isolation_operations and not world.problems:
                (operation,) = world.random.choices(operations, weights)
                await operation(world, world.random.choice(active))

        async with asyncio.timeout(120 + isolation_operations / 10):
            await asyncio.gather(*(live() for _ in range(_AT_ONCE)))
        told = f"seed {seed}, {world.done} operations"
        assert not world.problems, f"{told}: {world.problems[:5]}"
        for witness, before in witnesses.items():
            assert await exported(witness) == before, f"{told}: what is {witness}'s was changed"
        await look_into_the_cache(world, redis_url)
    assert not world.unimplemented, f"not tested, for it is not there: {world.unimplemented}"
    assert world.called >= _METHODS, f"no operation of this test calls {_METHODS - world.called}"
    blind = _METHODS - _WITHOUT_TEXT - set(world.own)
    assert not blind, f"{told}: these never showed anybody what is their own, so they prove nothing: {blind}"
    print(f"{told}, refused: {dict(world.refused.most_common(8))}, own shown: {dict(world.own)}")


async def population(mesh: Mesh, server: MeshServer, stack: AsyncExitStack, tenant: str) -> list[Person]:
    """Return people whose names give the same key where they are joined without care, in two tenants."""
    rival = f"{tenant}:u:x"

    async def client(credentials: Callable[[], str]) -> Client:
        return Client(await stack.enter_async_context(open_channel(server.address, {}, credentials=credentials)))

    async def person(tenant: str, user: str, *, clerk: bool = False, witness: bool = False) -> Person:
        scopes = (*_SCOPES, ACT_AS_SCOPE) if clerk else _SCOPES
        return Person(
            tenant, user,
            await client(lambda: mesh.keys.users.token(*scopes, subject=user, tenant=tenant)),
            await client(lambda: mesh.keys.service("agent", user, tenant)),
            is_clerk=clerk, is_witness=witness,
        )  # fmt: skip

    here = [await person(tenant, user) for user in ("ada", "x:u:y", "x%3Au%3Ay", "ada\none", "ada:s:one", "*")]
    there = [await person(rival, user) for user in ("ada", "y", "y:s:one", "a" * 256)]
    special = [
        await person(where, user, clerk=user == "clerk", witness=user == "witness")
        for where in (tenant, rival) for user in ("clerk", "witness")
    ]  # fmt: skip
    settings = MemorySettings(extraction=ExtractionMode.EXTRACTION_MODE_ON)
    for one in special:
        await one.client.settings.UpdateMemorySettings(UpdateMemorySettingsRequest(settings=settings))
    return [*here, *there, *special]


async def bear_witness(world: World, witness: Person) -> Counter[bytes]:
    """Store something of everything, and return all of it."""
    client, canary = witness.client, witness.canary
    turns = [await client.say(f"{canary} of the vault", canary, session="one") for _ in range(4)]
    facts = [await client.know(key, canary, source=writing.SOURCES[0]) for key in writing.KEYS]
    documents = [await client.read(f"{canary} of the vault", title=canary, uri=uri) for uri in writing.URIS]
    for stored in (*turns, *facts, *documents):
        world.keep(stored.id, witness)
    return await exported(witness)


async def exported(person: Person) -> Counter[bytes]:
    return Counter(record.SerializeToString(deterministic=True) for record in await reading.everything(person.client))


async def look_into_the_cache(world: World, url: str) -> None:
    """Each key of Redis holds what its owner stored."""
    keys = 0
    async with Redis.from_url(url) as redis:
        for person in world.people:
            own = f"t:{quote(person.tenant, safe='')}:u:{quote(person.user, safe='')}:"
            async for key in redis.scan_iter(match=f"{own.replace('*', '[*]')}*"):
                kept = b"".join(await redis.lrange(key, 0, -1)) if await redis.type(key) == b"list" else b""
                keys += bool(kept)
                assert {found.lower() for found in CANARY.findall(kept)} <= {person.canary.encode()}, key
    assert keys, "the cache was never used"
