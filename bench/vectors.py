"""`python -m bench.vectors`: how long the vector index in Postgres takes, by how much one user has among all others.

Owns that measurement, of the index alone: no model, no service. Vectors are random, which changes no time of an exact
search.
"""

import argparse
import asyncio
import tempfile
import time
from pathlib import Path

import numpy as np

from bench.report import Table, listed, machine, spread
from memory_service.domain.model import Kind, Owner, Place
from memory_service.stores.vectors import kept, pgvector
from memory_service.stores.vectors.pgvector import PgVectors, install_pgvector
from memory_service.stores.walls import install_callers
from meshctl.embedded.postgres import start_postgres
from meshkit.sql.migrations import migrate, read_migrations
from meshkit.sql.pool import Pool, open_pool

_ROOT = Path(__file__).resolve().parents[1]
_DIMENSION = 384
_LIMIT = 100
_ROWS_AT_ONCE = 10_000
_INSERT = """
INSERT INTO {table} (tenant, user_id, kind, source, piece, session, embedding)
SELECT 'acme', 'user-' || user_number, 'interaction', 'int_' || lpad(row_number::text, 8, '0'), 0, 's', vector::halfvec
FROM unnest($1::int[], $2::int[], $3::text[]) AS new (user_number, row_number, vector)
"""


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m bench.vectors", description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000, 10_000, 50_000], help="of a measured user")
    parser.add_argument("--others", type=int, default=60_000, help="rows of everybody else")
    parser.add_argument("--calls", type=int, default=100)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mesh-vectors-") as name:
        directory = Path(name)
        directory.chmod(0o711)  # the database's own account passes through
        asyncio.run(_measure(directory, options.rows, options.others, options.calls))


async def _measure(directory: Path, sizes: list[int], others: int, calls: int) -> None:
    print(listed(machine(_ROOT)), end="\n\n", flush=True)
    postgres = await start_postgres(directory)
    try:
        async with open_pool(postgres.url, "memory") as pool:
            await install_pgvector(pool)
            await install_callers(pool)
            await migrate(pool, "memory", read_migrations("memory_service.stores.migrations"))
            store = PgVectors(pool, pool, "bench", _DIMENSION)
            await store.reset()
            await _fill(pool, sizes, others)
            table = Table(
                f"Search of {_LIMIT} among {sum(sizes) + others:,} vectors of {_DIMENSION} numbers, {calls} calls each",
                ["first ms", "p50 ms", "p95 ms"],
            )
            for number, size in enumerate(sizes):
                await _compare(table, pool, number, size, calls)
            print(table.markdown())
    finally:
        await postgres.stop()


async def _compare(table: Table, pool: Pool, number: int, size: int, calls: int) -> None:
    """Measure the vectors kept in the process, and the same with none kept: as for an owner of very many."""
    most = kept.KEPT_ROWS
    place = Place(Owner("acme", f"user-{number}"), Kind.INTERACTION)
    for where, limit in (("in the process", most), ("in Postgres", 0)):
        kept.KEPT_ROWS = pgvector.KEPT_ROWS = limit
        store = PgVectors(pool, pool, "bench", _DIMENSION)
        times = []
        for asked in _vectors(calls + 1, seed=number + 50):
            began = time.perf_counter()
            await (await store.at(place))(asked.tolist(), _LIMIT)
            times.append(time.perf_counter() - began)
        table.add(f"{size:,} of one user, {where}", [1000 * times[0], *spread(times[1:], 0.5, 0.95)])
    kept.KEPT_ROWS = pgvector.KEPT_ROWS = most


async def _fill(pool: Pool, sizes: list[int], others: int) -> None:
    """Write everybody's rows, mixed, so that one user's lie scattered as they do in life."""
    table = await pool.fetchval("SELECT tablename FROM pg_tables WHERE tablename LIKE 'vectors%'")
    users = np.repeat(np.arange(len(sizes) + 1), [*sizes, others])
    np.random.default_rng(1).shuffle(users)
    for start in range(0, len(users), _ROWS_AT_ONCE):
        some = users[start : start + _ROWS_AT_ONCE]
        texts = [f"[{','.join(f'{value:.4g}' for value in vector)}]" for vector in _vectors(len(some), seed=start)]
        await pool.execute(_INSERT.format(table=table), some.tolist(), list(range(start, start + len(some))), texts)
    await pool.execute(f"ANALYZE {table}")


def _vectors(count: int, seed: int) -> "np.typing.NDArray[np.float32]":
    raw = np.random.default_rng(seed).normal(size=(count, _DIMENSION)).astype(np.float32)
    unit: np.typing.NDArray[np.float32] = raw / np.linalg.norm(raw, axis=1, keepdims=True)
    return unit


if __name__ == "__main__":
    main()
