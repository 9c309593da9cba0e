"""Processes that are killed while they build an index, and indexes that change places under load."""

import asyncio
import contextlib
import itertools
import random

import pytest
from agentmesh.memory.v1.fact_pb2 import Fact
from agentmesh.memory.v1.memory_service_pb2 import DeleteFactRequest, PutFactRequest

from memory_service.adapters.embedding.minilm import MODEL
from memory_service.domain.indexes import IndexState
from memory_service.stores.registry import IndexRegistry
from meshkit.errors import Aborted, NotFound, Unavailable
from meshkit.sql.pool import open_pool
from tests.fakes.embedding_server import embedding_server
from tests.integration.memory.conftest import Client, Mesh, request_id, until
from tests.integration.memory.indexes import Database, rows_are_indexed, settled, tables
from tests.integration.memory.processes import Processes

OFFLINE = f"pgvector/{MODEL}/384"
_dimensions = itertools.count(20)


@pytest.mark.parametrize(
    "plan",
    [
        "memory.index.after_reset_before_fill:kill",
        "memory.outbox.after_qdrant_before_mark:kill#3",
        "memory.index.after_switch_before_drop:kill",
    ],
)
async def test_a_killed_process_leaves_what_the_next_one_finishes(
    mesh: Mesh, tenant: str, processes: Processes, database: Database, plan: str
) -> None:
    server = await mesh.serve()
    ada = await mesh.client(server, tenant=tenant)
    await asyncio.gather(*(ada.say(f"My kitten ate {number} herrings") for number in range(60)))
    await settled(database, OFFLINE)
    dimension = next(_dimensions)
    async with embedding_server() as endpoint:
        wanted = {"MESH_EMBEDDINGS_URL": endpoint.url, "MESH_EMBEDDINGS_MODEL": f"words-{dimension}"}
        dying = processes.start(**wanted, MESH_FAILPOINTS=plan)

        async def died() -> int | None:
            # Whoever does the work is killed: the one that runs beside it has not got the model.
            await ada.say("One more herring")
            return dying.poll()

        assert await until(died, lambda code: code is not None, seconds=40) == -9
        assert (await ada.recall("herrings")).items
        processes.start(**wanted)
        await ada.say("The last herring")
        await settled(database, f"pgvector/words-{dimension}/{dimension}")
        assert await rows_are_indexed(database) > 60
    processes.kill()
    await server.stop()


@pytest.mark.parametrize("choices", [5])
async def test_nothing_is_missed_however_often_indexes_change_places(
    mesh: Mesh, tenant: str, database: Database, choices: int
) -> None:
    """Facts come, change and go through two processes, while the index that is wanted changes at random."""
    chance = random.Random(choices)
    async with embedding_server() as endpoint:
        names = [f"pgvector/words-{dimension}/{dimension}" for dimension in (8, 12, 16)]
        served = {"embeddings_url": endpoint.url, "embeddings_model": "words-8"}
        servers = [await mesh.serve(**served) for _ in range(2)]
        clients = [await mesh.client(server, tenant=tenant) for server in servers]
        writing = [
            asyncio.create_task(_write(client, random.Random(number))) for client in clients for number in range(3)
        ]
        switches = 0
        async with open_pool(mesh.settings["database_url"], "memory") as pool:
            registry = IndexRegistry(pool)
            last = await registry.read()
            for _ in range(8):
                wanted = chance.choice([name for name in names if name not in {last.in_use, last.building}])
                with contextlib.suppress(Unavailable):  # a write took long: not now
                    last = await registry.change(lambda state, wanted=wanted: state.wanting(wanted))
                if chance.random() < 0.7:

                    async def built() -> IndexState:
                        return await registry.read()

                    now = await until(built, lambda state: not state.building, seconds=60)
                    switches += now.in_use != last.in_use
                    last = now
            for task in writing:
                task.cancel()
            results = await asyncio.gather(*writing, return_exceptions=True)
            assert all(isinstance(result, asyncio.CancelledError) for result in results), results
            final = (await registry.read()).building or (await registry.read()).in_use
        assert switches >= 3
        await settled(database, final)
        assert await rows_are_indexed(database) > 0
        assert len(await tables(database)) == 1


async def _write(client: Client, chance: random.Random) -> None:
    """Put and delete facts of few keys, so that writers meet."""
    known: list[Fact] = []
    while True:
        if known and chance.random() < 0.4:
            gone = known.pop(chance.randrange(len(known)))
            with contextlib.suppress(NotFound, Aborted):
                await client.facts.DeleteFact(DeleteFactRequest(fact=gone.id))
        else:
            number = chance.randrange(40)
            fact = PutFactRequest(request_id=request_id(), key=f"key {number}", value=f"value {chance.random()}")
            with contextlib.suppress(Aborted):  # somebody else put it at the same time
                known.append(await client.facts.PutFact(fact))
