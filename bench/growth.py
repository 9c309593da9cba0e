"""`python -m bench.growth`: how long memory takes for a user of many turns, as what others store grows around them.

Owns that measurement. The rows are written straight into Postgres, as the service writes them, but with random vectors
in place of the model's: a million embeddings would take hours and change no time. The turns of all users are mixed, so
that one user's rows lie scattered as they do in life. Queries are new every time and embedded by the real model.
"""

import argparse
import asyncio
import json
import random
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg
import numpy as np
from agentmesh.memory.v1.context_service_pb2 import GetContextRequest
from agentmesh.memory.v1.interaction_service_pb2 import SearchInteractionsRequest, StoreInteractionRequest

from bench.memory_alone import TENANT, started
from bench.report import Table, listed, machine, spread
from memory_service.adapters.embedding.forward import DIMENSION
from memory_service.adapters.embedding.weights import find_model
from memory_service.retrieval.lexicon import pack
from meshclient import MeshClient, new_request_id
from meshkit.ids import new_id

_ROOT = Path(__file__).resolve().parents[1]
_USER = "measured"
_SESSION_TURNS = 40
_TOKEN_BYTES = 48
_ROWS_AT_ONCE = 5000
_START = datetime(2024, 1, 1, tzinfo=UTC)


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m bench.growth", description=__doc__.partition("\n")[0])
    parser.add_argument("--turns", type=int, default=10_000, help="of the measured user")
    parser.add_argument("--rows", type=int, nargs="+", default=[20_000, 100_000], help="of all users together")
    parser.add_argument("--calls", type=int, default=200)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mesh-growth-") as name:
        asyncio.run(_measure(Path(name), options.turns, options.rows, options.calls))


async def _measure(directory: Path, turns: int, sizes: Sequence[int], calls: int) -> None:
    print(listed(machine(_ROOT)), end="\n\n", flush=True)
    chance = random.Random(7)
    words = _vocabulary()
    async with started(directory) as stores:
        async with stores.serve() as (address, _), stores.client(address, "warm") as client:
            await _store(client, chance, words)  # makes the tables, that of the vectors too
            await asyncio.sleep(3)
        table = Table(
            f"Memory of a user with {turns:,} turns, {calls} calls one after the other, times at the client",
            ("p50 ms", "p95 ms", "p99 ms", "first ms"),
            "First: the first call of a process just started, which reads the user's rows. After a write: a turn is"
            " stored, and indexed, before each of a fifth of the calls, as in a conversation.",
        )
        there = 0
        connection = await asyncpg.connect(stores.database_url)
        for size in sizes:
            # A tenth of every user's turns comes with every tenth of the rows; the first size holds all of the user's.
            await _fill(connection, chance, words, size - there, own=turns if not there else 0)
            there = size
            await connection.execute("VACUUM ANALYZE")
            async with stores.serve() as (address, _), stores.client(address, _USER) as client:
                search, context = partial(_search, client, chance, words), partial(_context, client, chance, words)
                write = partial(_write, client, chance, words, connection)
                measured = {
                    "SearchInteractions": await _timed(calls, search),
                    "GetContext": await _timed(calls, context),
                    "GetContext after a write": await _timed(calls // 5, context, before=write),
                }
                for name, (first, times) in measured.items():
                    table.add(f"{name}, {size:,} rows in all", (*spread(times, 0.5, 0.95, 0.99), first * 1000))
        await connection.close()
    print(table.markdown())


async def _fill(connection: Any, chance: random.Random, words: Sequence[str], count: int, own: int) -> None:
    users = [f"user-{number}" for number in range(max(1, count // 1000))]
    owners = [_USER] * own + [chance.choice(users) for _ in range(count - own)]
    chance.shuffle(owners)
    generator = np.random.default_rng(7)
    table = await connection.fetchval("SELECT relname FROM pg_class WHERE relname LIKE 'vectors\\_%' AND relkind = 'r'")
    for start in range(0, count, _ROWS_AT_ONCE):
        some = [_Row(chance, words, owner, start + place) for place, owner in enumerate(owners[start:][:_ROWS_AT_ONCE])]
        vectors = generator.standard_normal((len(some), DIMENSION), dtype=np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        await connection.executemany(
            "INSERT INTO memory.interaction"
            " (id, tenant, user_id, session, run, agent, input, output, labels, create_time)"
            " VALUES ($1, $2, $3, $4, '', 'assistant', $5, '', '{}', $6)",
            [(row.id, TENANT, row.owner, row.session, row.said, row.time) for row in some],
        )
        await connection.executemany(
            "INSERT INTO memory.passage (tenant, user_id, kind, source, session, place, terms)"
            " VALUES ($1, $2, 'interaction', $3, $4, $5, $6)",
            [(TENANT, row.owner, row.id, row.session, int(row.time.timestamp() * 1e6), pack(row.said)) for row in some],
        )
        await connection.executemany(
            f"INSERT INTO memory.{table} (tenant, user_id, kind, source, piece, session, embedding)"
            " VALUES ($1, $2, 'interaction', $3, 0, $4, $5::text::halfvec)",
            [
                (TENANT, row.owner, row.id, row.session, f"[{','.join(f'{number:.4f}' for number in vector)}]")
                for row, vector in zip(some, vectors, strict=True)
            ],
        )
        await connection.executemany(
            "INSERT INTO memory.token_vectors (source, tenant, user_id, tokens) VALUES ($1, $2, $3, $4)",
            [(row.id, TENANT, row.owner, chance.randbytes(_TOKEN_BYTES * len(row.said.split()))) for row in some],
        )


class _Row:
    """One turn."""

    def __init__(self, chance: random.Random, words: Sequence[str], owner: str, place: int) -> None:
        self.id, self.owner = new_id("int"), owner
        self.session = f"s-{place // (_SESSION_TURNS * 100)}-{owner}"
        self.said = _sentence(chance, words, chance.randint(8, 40))
        self.time = _START + timedelta(seconds=place)


def _vocabulary() -> list[str]:
    """Return English words, the frequent ones first: those that the offline model has whole."""
    model = find_model()
    if model is None:
        raise SystemExit("the offline model is not installed")
    vocabulary: dict[str, int] = json.loads((model / "tokenizer.json").read_text())["model"]["vocab"]
    return [
        word
        for word in sorted(vocabulary, key=vocabulary.__getitem__)
        if word.isalpha() and word.isascii() and len(word) > 2
    ]


async def _timed(
    calls: int, call: Callable[[], Awaitable[None]], *, before: Callable[[], Awaitable[None]] | None = None
) -> tuple[float, list[float]]:
    times = []
    for _ in range(calls + 1):
        if before:
            await before()
        began = time.perf_counter()
        await call()
        times.append(time.perf_counter() - began)
    return times[0], times[1:]


async def _write(client: MeshClient, chance: random.Random, words: Sequence[str], connection: Any) -> None:
    await _store(client, chance, words)
    for _ in range(500):  # the index follows; what is measured is the call that finds it changed
        if not await connection.fetchval("SELECT count(*) FROM memory.outbox"):
            return
        await asyncio.sleep(0.02)
    raise RuntimeError("the index does not follow")


async def _search(client: MeshClient, chance: random.Random, words: Sequence[str]) -> None:
    request = SearchInteractionsRequest(query=_sentence(chance, words, 9))
    if not (await client.interactions.SearchInteractions(request)).matches:
        raise RuntimeError("nothing was found")


async def _context(client: MeshClient, chance: random.Random, words: Sequence[str]) -> None:
    await client.context.GetContext(GetContextRequest(session="s-1", query=_sentence(chance, words, 9)))


async def _store(client: MeshClient, chance: random.Random, words: Sequence[str]) -> None:
    request = StoreInteractionRequest(request_id=new_request_id(), input=_sentence(chance, words, 9))
    await client.interactions.StoreInteraction(request)


def _sentence(chance: random.Random, words: Sequence[str], count: int) -> str:
    # Some words are said often and most seldom, as in any language.
    return " ".join(words[int(len(words) * chance.random() ** 4)] for _ in range(count)).capitalize() + "."


if __name__ == "__main__":
    main()
