"""Memory while its stores are away, frozen or slow: what was acknowledged is there, once, and found by all ways."""

import asyncio
import itertools
import time
from collections import Counter
from statistics import median

import asyncpg
import pytest
from agentmesh.memory.v1.context_service_pb2 import GetContextRequest, GetContextResponse
from agentmesh.memory.v1.interaction_service_pb2 import StoreInteractionRequest

from meshclient import MeshClient, new_request_id
from meshkit.errors import MeshError, Unavailable
from tests.faults.mesh import FaultyMesh, until

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(240)]

ANSWER_SECONDS = 0.8
BACK_SECONDS = 30.0
DRAINED_SECONDS = 60.0
_numbers = itertools.count()


class Writers:
    """Clients that store turns, each with one request id until it is acknowledged."""

    def __init__(self, client: MeshClient, sessions: int) -> None:
        self._client = client
        self._stop = asyncio.Event()
        self._tasks = [asyncio.create_task(self._write(f"writer-{number}")) for number in range(sessions)]
        self.acknowledged: dict[str, str] = {}
        """The text of each turn, by its id."""
        self.refused: list[MeshError] = []
        self.last = 0.0
        """When something was acknowledged last (`time.monotonic`)."""

    async def _write(self, session: str) -> None:
        while not self._stop.is_set():
            text = f"I keep {next(_numbers)} bees"
            request = StoreInteractionRequest(request_id=new_request_id(), input=text, session=session)
            while True:
                try:
                    turn = await self._client.interactions.StoreInteraction(request)
                    break
                except MeshError as error:
                    self.refused.append(error)
                    await asyncio.sleep(0.1)
            self.acknowledged[turn.id] = text
            self.last = time.monotonic()

    async def done(self) -> None:
        """Let everybody finish the turn that it is at."""
        self._stop.set()
        async with asyncio.timeout(BACK_SECONDS):
            await asyncio.gather(*self._tasks)


async def recall(client: MeshClient, query: str, session: str = "") -> tuple[GetContextResponse, float]:
    """Return what is recalled, and in how many seconds."""
    began = time.monotonic()
    answer = await client.context.GetContext(GetContextRequest(query=query, session=session))
    return answer, time.monotonic() - began


async def vectors_table(mesh: FaultyMesh) -> str:
    (row,) = await mesh.query("select tablename from pg_tables where tablename like 'vectors%'")
    return str(row["tablename"])


async def counts(mesh: FaultyMesh, user: str) -> list[int]:
    """Return how many turns there are in rows, words, vectors and, still waiting, in the outbox."""
    table = await vectors_table(mesh)
    (row,) = await mesh.query(
        f"""select (select count(*) from memory.interaction where user_id = $1) as turns,
        (select count(*) from memory.passage where user_id = $1 and kind = 'interaction') as words,
        (select count(distinct source) from memory.{table} where user_id = $1 and kind = 'interaction') as vectors,
        (select count(*) from memory.outbox where user_id = $1) as waiting""",
        user,
    )
    return [row["turns"], row["words"], row["vectors"], row["waiting"]]


async def drained(mesh: FaultyMesh, user: str, turns: int) -> float:
    """Return how many seconds it took until everything was indexed."""
    began = time.monotonic()
    while (found := await counts(mesh, user)) != [turns, turns, turns, 0]:
        assert time.monotonic() - began < DRAINED_SECONDS, f"{turns} turns; rows, words, vectors, waiting: {found}"
        await asyncio.sleep(0.1)
    return time.monotonic() - began


async def test_postgres_is_killed_under_writes(faulty: FaultyMesh) -> None:
    async with faulty.client("bee-keeper") as client:
        writers = Writers(client, 6)
        await until(lambda: len(writers.acknowledged) > 50, "turns are stored")
        killed = time.monotonic()
        starts = faulty.kill("postgres")
        await faulty.back("postgres", starts)
        await until(lambda: writers.last > killed + 0.5 and len(writers.acknowledged) > 100, "writes go on")
        back = writers.last - killed
        await until(lambda: len(writers.acknowledged) > 200, "many more are stored")
        await writers.done()
        took = await drained(faulty, "bee-keeper", len(writers.acknowledged))
        rows = await faulty.query("select id, input from memory.interaction where user_id = 'bee-keeper'")
    assert {row["id"]: row["input"] for row in rows} == writers.acknowledged, "each is there, and no other"
    assert max(Counter(row["input"] for row in rows).values()) == 1, "none is there twice"
    assert all(isinstance(error, Unavailable) and error.retry_after for error in writers.refused)
    print(
        f"{len(rows)} turns, {len(writers.refused)} refused; back after {back:.1f} s, drained after {took:.1f} s more"
    )
    assert back <= BACK_SECONDS


@pytest.mark.parametrize("how", ["freeze", "kill"])
async def test_redis_stands_still_or_goes(faulty: FaultyMesh, how: str) -> None:
    user = f"gardener-{how}"
    async with faulty.client(user) as client:
        said: list[str] = []

        async def say(text: str) -> float:
            began = time.monotonic()
            request = StoreInteractionRequest(request_id=new_request_id(), input=text, session="one")
            await client.interactions.StoreInteraction(request)
            said.append(text)
            return time.monotonic() - began

        async def check() -> float:
            answer, took = await recall(client, "seedlings", "one")
            recent = [item.interaction.input for item in answer.items if item.layer == 1]
            assert recent == said[-10:], "the latest turns are those that were stored"
            return took

        for number in range(3):
            await say(f"before {number}")
            await check()
        times: list[float] = []
        if how == "freeze":
            undo = faulty.freeze("valkey")
            try:
                for number in range(6):
                    times += [await say(f"while {number}"), await check()]
            finally:
                undo()
        else:
            starts = faulty.kill("valkey")
            for number in range(6):
                times += [await say(f"while {number}"), await check()]
            await faulty.back("valkey", starts)
        for number in range(3):
            await say(f"after {number}")
            await check()
        await drained(faulty, user, len(said))
    print(f"{how}: the slowest call took {max(times):.2f} s")
    assert max(times) <= ANSWER_SECONDS


async def test_vectors_stand_still_and_everybody_is_answered_by_words(faulty: FaultyMesh) -> None:
    """Somebody locks the index: whatever asks it waits, reader or writer, while its database serves everything else."""
    users = [f"sailor-{number}" for number in range(12)]
    async with faulty.client(users[0]) as first:
        request = StoreInteractionRequest(request_id=new_request_id(), input="My boat has a red hull", session="one")
        await first.interactions.StoreInteraction(request)
        await drained(faulty, users[0], 1)
        table = await vectors_table(faulty)
        holder = await asyncpg.connect(faulty.database)
        holding = holder.transaction()
        await holding.start()
        await holder.execute(f"lock table memory.{table} in access exclusive mode")
        times: list[float] = []

        async def sail(user: str) -> None:
            async with faulty.client(user) as client:
                for number in range(4):
                    text = f"I mend sail {number}"
                    request = StoreInteractionRequest(request_id=new_request_id(), input=text, session="one")
                    await client.interactions.StoreInteraction(request)
                    answer, took = await recall(client, f"mend sail {number}")
                    times.append(took)
                    assert answer.degraded
                    assert text in {item.interaction.input for item in answer.items}

        began = time.monotonic()
        try:
            await asyncio.gather(*(sail(user) for user in users[1:]))
            while time.monotonic() - began < 5.0:
                answer, took = await recall(first, "red hull")
                times.append(took)
                assert answer.degraded
                assert [item.interaction.input for item in answer.items] == ["My boat has a red hull"]
        finally:
            await holding.rollback()
            await holder.close()
        took = max([await drained(faulty, user, 4) for user in users[1:]])
        assert not (await recall(first, "red hull"))[0].degraded
    print(
        f"{len(times)} recalls, half in {median(times):.2f} s, the slowest {max(times):.2f} s; drained in {took:.1f} s"
    )
    assert max(times) <= ANSWER_SECONDS
