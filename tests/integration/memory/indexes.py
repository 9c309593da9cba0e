"""What tests of vector indexes look at: the state in the database, and whether an index is as the rows are."""

from typing import Any

from tests.integration.memory.conftest import until

__all__ = ["Database", "in_use", "rows_are_indexed", "settled", "tables"]

Database = "asyncpg.Connection[Any]"


async def in_use(database: Database, name: str) -> None:
    """Wait until this index is in use."""
    await until(lambda: database.fetchval("SELECT name FROM memory.vector_index"), lambda now: now == name, seconds=40)


async def settled(database: Database, name: str, *, seconds: float = 40) -> None:
    """Wait until this index is in use, alone, and has heard of everything."""

    async def state() -> tuple[Any, ...]:
        row = await database.fetchrow(
            "SELECT name, building, retired, (SELECT count(*) FROM memory.outbox) FROM memory.vector_index"
        )
        return tuple(row or ())

    await until(state, lambda found: found == (name, "", [], 0), seconds=seconds)


async def tables(database: Database) -> list[str]:
    """Return the tables of vectors that there are."""
    rows = await database.fetch(
        "SELECT tablename FROM pg_tables WHERE schemaname = 'memory' AND tablename LIKE 'vectors%'"
    )
    return [row["tablename"] for row in rows]


async def rows_are_indexed(database: Database) -> int:
    """Check that the only index there is holds what the rows say and nothing else; return how many there are."""
    (table,) = await tables(database)
    indexed = {row["source"] for row in await database.fetch(f"SELECT DISTINCT source FROM memory.{table}")}
    worded = {row["source"] for row in await database.fetch("SELECT source FROM memory.passage")}
    stored = await database.fetch(
        "SELECT id FROM memory.interaction UNION ALL SELECT id FROM memory.fact"
        " UNION ALL SELECT id FROM memory.document_passage"
    )
    assert indexed == worded == {row["id"] for row in stored}
    return len(stored)
