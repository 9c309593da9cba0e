"""The memory service as it was when the schema ended with migration 2: its statements, in its transactions.

Owns how long each took. The statements are that version's own file, and never change.
"""

import itertools
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg

from meshkit.sql.pool import Connection, Pool, transaction
from meshkit.sql.queries import parse_queries

__all__ = ["LAST_MIGRATION", "VersionBefore"]

LAST_MIGRATION = 2
STATEMENTS = parse_queries(Path(__file__).with_name("statements_before.sql").read_text())
_MOST = 2_500_000


class VersionBefore:
    """One process of it, working for one owner."""

    def __init__(self, pool: Pool, tenant: str, user: str) -> None:
        self._pool, self._owner = pool, (tenant, user)
        self._numbers = itertools.count()
        self.turns: list[str] = []
        self.facts: dict[str, str] = {}
        self.longest = 0.0
        """The seconds that the slowest call took."""
        self.calls = 0
        self.replanned = 0
        """How often a prepared statement had to be prepared anew, because its table had changed: the call failed."""

    async def seed(self, turns: int, facts: int) -> None:
        """Store much at once."""
        async with transaction(self._pool) as connection:
            for _ in range(turns):
                await self._turn(connection)
            for number in range(facts):
                await self._fact(connection, f"seeded {number}")

    async def do_everything(self) -> None:
        """Make each call once."""
        await self._call(self._turn)
        await self._call(lambda connection: self._fact(connection, f"key {next(self._numbers) % 50}"))
        await self._call(self._document)
        await self._call(self._forget_fact)
        await self._call(self._work)
        await self._call(self._read)

    async def _call(self, verb: Any) -> None:
        began = time.monotonic()
        try:
            async with self._transaction() as connection:
                await verb(connection)
        except asyncpg.InvalidCachedStatementError:
            self.replanned += 1
        self.calls += 1
        self.longest = max(self.longest, time.monotonic() - began)

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[Connection]:
        # As the driver gives it: how errors are mapped is not what that version did.
        async with self._pool.acquire() as connection, connection.transaction():
            yield connection

    async def _turn(self, connection: Connection) -> None:
        name = f"int_before_{self._owner[1]}_{next(self._numbers):06}"
        now = datetime.now(UTC)
        said = f"My kitten {name} ate herrings"
        await connection.execute(
            STATEMENTS["add_interaction"], *self._owner, name, "one", "", "", said, "How nice.", {}, now
        )
        await self._follow(connection, "interaction", name, "one", said, ["vectors", "recent"])
        self.turns.append(name)

    async def _fact(self, connection: Connection, key: str) -> None:
        await connection.fetchrow(STATEMENTS["lock_fact"], *self._owner, key)
        name, now = f"fact_before_{self._owner[1]}_{next(self._numbers):06}", datetime.now(UTC)
        row = await connection.fetchrow(
            STATEMENTS["put_fact"], *self._owner, name, key, "herrings", "KNOWLEDGE", 0.5, "CLIENT", "", now, now, name
        )
        assert row is not None
        await self._follow(connection, "fact", row["id"], "", f"{key}\nherrings", ["vectors"])
        self.facts[key] = row["id"]

    async def _document(self, connection: Connection) -> None:
        name = f"doc_before_{self._owner[1]}_{next(self._numbers):06}"
        piece = f"{name}#1"
        await connection.execute(
            STATEMENTS["add_document"], *self._owner, name, "Book", "", "text/plain", {}, "", 8, 1, datetime.now(UTC)
        )
        await connection.execute(STATEMENTS["add_passage"], *self._owner, piece, name, 1, "", "herrings", 0, 8)
        await self._follow(connection, "document", piece, name, "Book\nherrings", ["vectors"])

    async def _forget_fact(self, connection: Connection) -> None:
        key = next(iter(self.facts))
        gone = await connection.fetchrow(f"{STATEMENTS['get_fact']} FOR UPDATE", *self._owner, self.facts.pop(key))
        assert gone is not None
        await connection.execute(STATEMENTS["delete_fact"], *self._owner, gone["id"])
        await connection.execute(STATEMENTS["delete_words"], *self._owner, "fact", gone["id"])
        await connection.execute(STATEMENTS["add_changes"], *self._owner, ["vectors"], "fact", gone["id"], "")

    async def _follow(
        self, connection: Connection, kind: str, name: str, session: str, words: str, targets: list[str]
    ) -> None:
        await connection.execute(STATEMENTS["put_words"], *self._owner, kind, name, session, words)
        await connection.execute(STATEMENTS["add_changes"], *self._owner, targets, kind, name, session)

    async def _work(self, connection: Connection) -> None:
        for target in ("vectors", "recent"):
            rows = await connection.fetch(STATEMENTS["claim_changes"], target, 16)
            await connection.execute(STATEMENTS["forget_changes"], [row["id"] for row in rows])

    async def _read(self, connection: Connection) -> None:
        await connection.fetchval(STATEMENTS["read_index"])
        page = (None, "", 20, _MOST)
        assert await connection.fetch(STATEMENTS["list_interactions"], *self._owner, "one", *page)
        assert await connection.fetch(STATEMENTS["list_all_interactions"], *self._owner, *page)
        ids = self.turns[-5:]
        assert len(await connection.fetch(STATEMENTS["load_interactions"], *self._owner, ids, _MOST, _MOST)) == len(ids)
        assert len(await connection.fetch(STATEMENTS["current_interactions"], ids)) == len(ids)
        found = await connection.fetch(STATEMENTS["search_words"], *self._owner, "interaction", "", ids[-1], 100)
        assert ids[-1] in {row["source"] for row in found}
        assert await connection.fetch(STATEMENTS["list_facts"], *self._owner, None, "", 20, _MOST)
        await connection.fetch(STATEMENTS["standing_facts"], *self._owner, 10)
        assert await connection.fetch(STATEMENTS["load_facts"], *self._owner, list(self.facts.values())[:5])
        assert await connection.fetch(STATEMENTS["list_documents"], *self._owner, *page)
