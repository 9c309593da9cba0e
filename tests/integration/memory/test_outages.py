"""What happens while a store is slow, down or gone, or the service is killed: less, later, never wrong, never lost."""

import asyncio
import contextlib
import time
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from agentmesh.memory.v1.context_pb2 import (
    MEMORY_LAYER_DOCUMENTS,
    MEMORY_LAYER_FACTS,
    MEMORY_LAYER_RECENT,
    MEMORY_LAYER_SEMANTIC,
)
from agentmesh.memory.v1.document_service_pb2 import DeleteDocumentRequest
from agentmesh.memory.v1.interaction_service_pb2 import SearchInteractionsRequest
from agentmesh.memory.v1.memory_service_pb2 import DeleteFactRequest

from memory_service.domain.model import Kind, Owner, Place
from meshctl.embedded.postgres import start_postgres
from meshctl.embedded.valkey import start_valkey
from meshkit.context import CallContext, use
from meshkit.errors import Unavailable
from tests.integration.memory.conftest import Mesh, until
from tests.integration.memory.faulty import faulty
from tests.integration.memory.processes import Processes


async def test_a_slow_index_costs_half_a_second_and_the_answer_says_so(mesh: Mesh, tenant: str) -> None:
    server, index = await faulty(mesh)
    ada = await mesh.client(server, tenant=tenant)
    await ada.say("My name is Ada", session="one")
    await ada.know("name", "Ada")
    await until(lambda: ada.recall("name"), lambda answer: not answer.degraded)
    index.delay = 5.0
    started = time.monotonic()
    answer = await ada.recall("What is my name?", session="one", recent_limit=1)
    took = time.monotonic() - started
    assert 0.5 <= took <= 0.8
    assert set(answer.degraded) == {MEMORY_LAYER_SEMANTIC, MEMORY_LAYER_FACTS, MEMORY_LAYER_DOCUMENTS}
    assert {item.layer for item in answer.items} == {MEMORY_LAYER_RECENT, MEMORY_LAYER_FACTS}
    found = await ada.turns.SearchInteractions(SearchInteractionsRequest(query="name"))
    assert found.degraded
    assert [match.interaction.input for match in found.matches] == ["My name is Ada"]
    await ada.read("Her name is in this book")
    pages = await ada.look_up("name")
    assert pages.degraded
    assert [match.passage.text for match in pages.matches] == ["Her name is in this book"]
    index.delay = 0.0
    assert not (await until(lambda: ada.recall("name"), lambda answer: not answer.degraded)).degraded


async def test_what_is_written_while_the_index_is_down_is_indexed_when_it_is_back(mesh: Mesh, tenant: str) -> None:
    server, index = await faulty(mesh)
    ada = await mesh.client(server, tenant=tenant)
    await ada.say("I keep bees", "How nice.")
    await until(lambda: ada.recall("insects"), lambda answer: bool(answer.items))
    index.down = True
    for number in range(20):
        await ada.say(f"My kitten is {number} weeks old")
    gone = await ada.know("pet", "a young cat")
    await ada.facts.DeleteFact(DeleteFactRequest(fact=gone.id))
    assert (await ada.recall("pussycats")).degraded
    assert index.attempts > 1
    index.down = False
    await until(
        lambda: ada.recall("pussycats", semantic_limit=30),
        lambda answer: len(answer.items) == 21 and not answer.degraded,
        seconds=20,
    )


async def test_a_document_that_goes_while_the_index_is_down_is_forgotten_when_it_is_back(
    mesh: Mesh, tenant: str
) -> None:
    server, index = await faulty(mesh)
    ada = await mesh.client(server, tenant=tenant)
    await ada.read("My kitten likes milk", uri="file:kitten")
    await until(lambda: ada.look_up("pussycats"), lambda answer: bool(answer.matches))
    index.down = True
    new = await ada.read("My kitten likes fish", uri="file:kitten")
    gone = await ada.read("My kitten likes cream", uri="file:cream")
    await ada.documents.DeleteDocument(DeleteDocumentRequest(document=gone.id))
    assert [match.passage.document for match in (await ada.look_up("kitten")).matches] == [new.id]
    index.down = False
    vector = [1.0] + [0.0] * 383

    async def indexed() -> set[str]:
        with use(CallContext(tenant, "ada")):
            return set(await (await index.at(Place(Owner(tenant, "ada"), Kind.DOCUMENT)))(vector, 10))

    await until(indexed, lambda found: found == {f"{new.id}#1"}, seconds=20)


async def test_recent_turns_are_right_while_redis_comes_and_goes(mesh: Mesh, tenant: str, tmp_path: Path) -> None:
    valkey = await start_valkey(tmp_path)
    try:
        server = await mesh.serve(redis_url=valkey.url)
        ada = await mesh.client(server, tenant=tenant)

        async def recent() -> list[str]:
            answer = await ada.recall("anything", session="one", semantic_limit=0, fact_limit=0)
            assert not answer.degraded, "Postgres answers instead"
            return [item.interaction.input for item in answer.items]

        said = []
        for number in range(3):
            await ada.say(f"before {number}", session="one")
            said.append(f"before {number}")
            assert await recent() == said
            assert await recent() == said, "from the list this time"
    finally:
        await valkey.stop()
    for number in range(3):
        await ada.say(f"while {number}", session="one")
        said.append(f"while {number}")
        assert await recent() == said
    valkey = await start_valkey(tmp_path)  # with the old list in it, which is out of date
    try:
        await until(recent, lambda turns: turns == said)
        await ada.say("after", session="one")
        assert await recent() == [*said, "after"]
    finally:
        await valkey.stop()


async def test_without_postgres_calls_are_unavailable_and_say_when_to_come_again(
    mesh: Mesh, tenant: str, store_directory: Path
) -> None:
    state = store_directory / "falling"
    state.mkdir()
    state.chmod(0o711)
    postgres = await start_postgres(state)
    server = await mesh.serve(database_url=postgres.url)
    ada = await mesh.client(server, tenant=tenant)
    await ada.say("I was acknowledged", session="one")
    await postgres.stop()
    for call in (ada.say("lost?"), ada.recall("acknowledged", session="one"), ada.know("a", "b")):
        with pytest.raises(Unavailable) as caught:
            await call
        assert caught.value.retry_after
    postgres = await start_postgres(state)
    try:

        async def remembered() -> list[str]:
            with contextlib.suppress(Unavailable):
                return [item.interaction.input for item in (await ada.recall("acknowledged")).items]
            return []

        await until(remembered, lambda turns: turns == ["I was acknowledged"], seconds=20)
    finally:
        await server.stop()
        await postgres.stop()


async def test_what_was_acknowledged_before_a_kill_is_indexed_after_it(
    mesh: Mesh, tenant: str, processes: Processes, database: "asyncpg.Connection[Any]"
) -> None:
    processes.start()
    ada = await mesh.client(processes.address, tenant=tenant)

    async def first() -> bool:
        with contextlib.suppress(Unavailable):
            await ada.say("I was here first")
            return True
        return False

    await until(first, bool, seconds=30)
    stored = await asyncio.gather(*(ada.say(f"Turn {number}: {'long talk ' * 60}") for number in range(60)))
    processes.kill()
    waiting = "SELECT count(*) FROM memory.outbox"
    assert await database.fetchval(waiting) > 0, "it was killed between commit and index"
    kept = {row["id"] for row in await database.fetch("SELECT id FROM memory.interaction WHERE tenant = $1", tenant)}
    assert {turn.id for turn in stored} <= kept
    processes.start()
    await until(lambda: database.fetchval(waiting), lambda count: count == 0, seconds=40)
    (table,) = [
        row["tablename"]
        for row in await database.fetch("SELECT tablename FROM pg_tables WHERE tablename LIKE 'vectors%'")
    ]
    indexed = {
        row["source"] for row in await database.fetch(f"SELECT source FROM memory.{table} WHERE tenant = $1", tenant)
    }
    assert indexed == kept
    assert processes.terminate() == 0
