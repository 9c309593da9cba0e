"""How long memory takes, as a user's history grows.

Owns that measurement: users with histories of several sizes, whose turns are made of random sentences with a seed, so
that every run asks the same.
"""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from functools import partial

from agentmesh.memory.v1.context_service_pb2 import GetContextRequest
from agentmesh.memory.v1.interaction_service_pb2 import StoreInteractionRequest

from bench.report import Table, spread
from bench.setting import Setting
from meshclient import MeshClient, new_request_id

__all__ = ["recall"]

_WORDS = (
    *("harbour", "garden", "invoice", "violin", "winter", "recipe", "ticket", "copper", "library", "passport"),
    *("kettle", "mountain", "lesson", "engine", "orchard", "letter", "ceiling", "marathon", "budget", "dentist"),
    *("festival", "compass", "blanket", "tunnel", "cousin", "theatre", "battery", "meadow", "contract", "piano"),
)
_IN_FLIGHT = 16


async def recall(setting: Setting, sizes: Sequence[int], calls: int) -> AsyncIterator[Table]:
    """Fill a user's history up to each size, then measure; the vector index has caught up before each measurement."""
    chance = random.Random(7)
    stored = 0
    for size in sizes:
        await _store_many(setting.memory, chance, size - stored)
        await setting.quiet("memory", "postgres")
        table = Table(
            f"Memory of {size:,} interactions, {calls} calls one after the other",
            ("p50 ms", "p95 ms", "p99 ms", "by words alone"),
            "Every query is new, so its embedding is computed and no cache answers. The last column counts the answers "
            "without the search by meaning, which is left out when it takes longer than half a second.",
        )
        for name, client in (("at the service", setting.memory), ("through Envoy", setting.edge)):
            await _timed(5, partial(_context, client, chance))
            times, degraded = await _timed(calls, partial(_context, client, chance))
            table.add(f"GetContext, {name}", (*spread(times, 0.5, 0.95, 0.99), degraded))
        times, _ = await _timed(calls, partial(_store, setting.memory, chance))
        table.add("StoreInteraction, at the service", (*spread(times, 0.5, 0.95, 0.99), 0))
        stored = size + calls
        yield table


async def _timed(calls: int, call: Callable[[], Awaitable[bool]]) -> tuple[list[float], int]:
    """Return how many seconds each of the calls took, one after the other, and how many of them returned True."""
    times, marked = [], 0
    for _ in range(calls):
        began = time.perf_counter()
        marked += await call()
        times.append(time.perf_counter() - began)
    return times, marked


async def _store_many(client: MeshClient, chance: random.Random, count: int) -> None:
    room = asyncio.Semaphore(_IN_FLIGHT)

    async def one() -> None:
        async with room:
            await _store(client, chance)

    await asyncio.gather(*(one() for _ in range(count)))


async def _store(client: MeshClient, chance: random.Random) -> bool:
    """Store a turn; nothing is degraded about that."""
    turn = StoreInteractionRequest(
        request_id=new_request_id(),
        session=f"bench-{chance.randrange(50)}",
        agent="assistant",
        input=_sentence(chance, 12),
        output=_sentence(chance, 40),
    )
    await client.interactions.StoreInteraction(turn)
    return False


async def _context(client: MeshClient, chance: random.Random) -> bool:
    """Ask for a context; return whether a layer was searched by words alone."""
    query = GetContextRequest(session=f"bench-{chance.randrange(50)}", query=_sentence(chance, 10))
    answer = await client.context.GetContext(query)
    return bool(answer.degraded)


def _sentence(chance: random.Random, words: int) -> str:
    return " ".join(chance.choices(_WORDS, k=words)).capitalize() + "."
