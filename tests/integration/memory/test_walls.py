"""The second wall: what a statement sees when its WHERE is forgotten, and what it may not write.

The statements here are bare on purpose; they are asked as the service asks for its callers, after it was filled.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from memory_service.stores.walls import CALLERS, caller_settings
from meshkit.context import ACT_AS_SCOPE, CallContext, use
from meshkit.sql.pool import Pool, open_pool
from tests.integration.memory.conftest import Mesh, until

NO_TENANT = {"vector_index", "deletion"}
"""What callers' statements may read although it is not any tenant's: the names of indexes, and marks of deletion."""

WITHOUT_WALL = """
SELECT relname FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid
WHERE relnamespace = 'memory'::regnamespace AND relkind IN ('r', 'p', 'm', 'v', 'f') AND attname = 'tenant'
  AND NOT attisdropped AND NOT (relrowsecurity AND ARRAY[true] = ARRAY(
    SELECT polcmd = '*' AND polroles = ARRAY[$1::regrole::oid]
      AND pg_get_expr(polqual, polrelid) LIKE '%(tenant = ( SELECT NULLIF(current_setting(''mesh.tenant''%'
      AND (pg_get_expr(polqual, polrelid) LIKE '% AND %mesh.user%') = (relname = 'idempotency' OR EXISTS (
        SELECT FROM pg_attribute AS other
        WHERE other.attrelid = pg_class.oid AND other.attname = 'user_id' AND NOT other.attisdropped
      ))
    FROM pg_policy WHERE polrelid = pg_class.oid
  ))
"""
"""Tables with a tenant that do not have exactly the one policy."""

WITHIN_REACH = """
SELECT relname FROM pg_class
WHERE relnamespace = 'memory'::regnamespace AND relkind IN ('r', 'p', 'm', 'v', 'f')
  AND has_table_privilege($1, oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE')
  AND NOT EXISTS (SELECT FROM pg_attribute WHERE attrelid = pg_class.oid AND attname = 'tenant' AND NOT attisdropped)
"""

POWERS = """
SELECT rolsuper OR rolbypassrls OR rolcanlogin OR rolcreaterole OR rolcreatedb
  OR EXISTS (SELECT FROM pg_class WHERE relowner = pg_roles.oid)
  OR EXISTS (SELECT FROM pg_auth_members WHERE member = pg_roles.oid)
FROM pg_roles WHERE rolname = $1
"""

WALLED = """
SELECT relname, EXISTS (
  SELECT FROM pg_attribute WHERE attrelid = pg_class.oid AND attname = 'user_id' AND NOT attisdropped
) AS has_user FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid
WHERE relnamespace = 'memory'::regnamespace AND relkind = 'r' AND attname = 'tenant' AND NOT attisdropped
"""


@dataclass(frozen=True)
class Filled:
    """A service with turns, facts that changed, documents and vectors of three people in two tenants."""

    callers: Pool
    owner: "asyncpg.Connection[Any]"
    tenant: str
    other: str
    tables: dict[str, bool]
    """By name, whether the rows have a user."""

    def caller(self, user: str, *scopes: str, tenant: str = "") -> CallContext:
        return CallContext(tenant or self.tenant, user, frozenset(scopes))

    async def seen(self, table: str, pool: Any = None) -> set[tuple[str, str]]:
        """Return whose rows of the table a bare statement sees, each row as its tenant and user."""
        user = "user_id" if self.tables[table] else "''"
        if table == "idempotency":
            user = "split_part(request_id, chr(10), 1)"
        found = await (pool or self.callers).fetch(f"SELECT tenant, {user} FROM memory.{table}")
        return {tuple(row) for row in found}


@pytest_asyncio.fixture
async def filled(
    mesh: Mesh, tenant: str, postgres_url: str, database: "asyncpg.Connection[Any]"
) -> AsyncIterator[Filled]:
    server, other = await mesh.serve(), f"{tenant}-rival"
    for who, whose_tenant in (("ada", tenant), ("bob", tenant), ("eve", other)):
        client = await mesh.client(server, subject=who, tenant=whose_tenant)
        await client.say(f"I am {who}", session="one")
        for home in ("Lyon", "Paris"):
            await client.know("home", f"{who} lives in {home}")
        await client.read(f"# The book of {who}", uri="file:book")
        await until(lambda client=client: client.recall("book home"), lambda answer: not answer.degraded)
    tables = {row["relname"]: row["has_user"] for row in await database.fetch(WALLED)}
    empty = "SELECT count(*) = 0 FROM memory.outbox"
    await until(lambda: database.fetchval(empty), bool)
    async with open_pool(postgres_url, "memory", max_size=4, role=CALLERS, settings=caller_settings) as callers:
        yield Filled(callers, database, tenant, other, tables)


async def test_every_table_with_a_tenant_has_its_wall(filled: Filled) -> None:
    assert {"interaction", "fact", "fact_version", "document", "passage", "outbox", "idempotency"} <= set(filled.tables)
    assert any(name.startswith("vectors_") for name in filled.tables), "what is made at run time too"
    assert not await filled.owner.fetch(WITHOUT_WALL, CALLERS), "whoever makes a table with a tenant calls build_wall"
    assert {row["relname"] for row in await filled.owner.fetch(WITHIN_REACH, CALLERS)} == NO_TENANT
    assert not await filled.owner.fetchval(POWERS, CALLERS)


@pytest.mark.parametrize(
    "forgotten",
    [
        "CREATE TABLE memory.late (tenant text, user_id text)",
        "CREATE TABLE memory.late (tenant text); ALTER TABLE memory.late ENABLE ROW LEVEL SECURITY",
        "ALTER TABLE memory.fact DISABLE ROW LEVEL SECURITY",
        "DROP POLICY of_caller ON memory.fact",
        "CREATE POLICY wide ON memory.fact TO agentmesh_memory USING (true)",
        "ALTER POLICY of_caller ON memory.fact USING (tenant = current_setting('mesh.tenant', true))",
        "CREATE VIEW memory.late AS SELECT * FROM memory.fact",
    ],
)
async def test_a_wall_that_is_forgotten_is_found(filled: Filled, forgotten: str) -> None:
    change = filled.owner.transaction()
    await change.start()
    await filled.owner.execute(forgotten)
    assert len(await filled.owner.fetch(WITHOUT_WALL, CALLERS)) == 1
    await change.rollback()


async def test_a_bare_select_shows_the_callers_rows_and_no_others(filled: Filled) -> None:
    for table in filled.tables:
        everything = await filled.seen(table, filled.owner)
        for user, tenant in (("ada", filled.tenant), ("bob", filled.tenant), ("eve", filled.other)):
            mine = everything & {(tenant, user), (tenant, "")}
            assert mine or not everything, f"{table} has rows, and none of {user}'s"
            with use(filled.caller(user, tenant=tenant)):
                assert await filled.seen(table) == mine, f"{user} in {table}"
        with use(filled.caller("clerk", ACT_AS_SCOPE)):
            assert await filled.seen(table) == {row for row in everything if row[0] == filled.tenant}, table


async def test_a_statement_of_nobody_sees_nothing(filled: Filled, postgres_url: str) -> None:
    with pytest.raises(LookupError):
        await filled.callers.fetch("SELECT * FROM interaction")
    for caller in (CallContext("", ""), CallContext("", "ada"), CallContext("", "clerk", frozenset({ACT_AS_SCOPE}))):
        with use(caller):
            assert not any([await filled.seen(table) for table in filled.tables])
    async with open_pool(postgres_url, "memory", role=CALLERS) as untold:
        assert not any([await filled.seen(table, untold) for table in filled.tables])


async def test_rows_of_others_are_neither_made_nor_changed(filled: Filled) -> None:
    for table, has_user in filled.tables.items():
        whole = await filled.owner.fetchval(f"SELECT count(*) FROM memory.{table}")
        with use(filled.caller("ada")):
            mine = await filled.callers.fetchval(f"SELECT count(*) FROM {table}")
            others = [{"tenant": filled.other}, *([{"user_id": "bob"}] if has_user else [])]
            if table == "idempotency":
                others.append({"request_id": "bob\nreq-1"})
            for changed in others if mine else []:
                (column, value), *_ = changed.items()
                # A copy of a row of one's own, but for that it is somebody else's; and the row itself.
                copy = f"SELECT (jsonb_populate_record(mine, jsonb_build_object('{column}', $1::text))).*"
                for statement in (
                    f"INSERT INTO {table} OVERRIDING SYSTEM VALUE {copy} FROM {table} AS mine",
                    f"UPDATE {table} SET {column} = $1",
                ):
                    with pytest.raises(asyncpg.InsufficientPrivilegeError):
                        await filled.callers.execute(statement, value)
            if await filled.callers.fetchval("SELECT has_table_privilege($1, 'DELETE')", table):
                async with filled.callers.acquire() as connection:
                    change = connection.transaction()
                    await change.start()
                    assert await connection.execute(f"DELETE FROM {table}") == f"DELETE {mine}"
                    await change.rollback()
            for statement in (
                f"TRUNCATE {table}",
                f"DROP POLICY of_caller ON {table}",
                f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY",
                f"DROP TABLE {table}",
            ):
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await filled.callers.execute(statement)
        assert await filled.owner.fetchval(f"SELECT count(*) FROM memory.{table}") == whole


async def test_a_connection_that_changes_hands_shows_each_their_own(filled: Filled) -> None:
    async def ask(user: str, tenant: str) -> None:
        with use(filled.caller(user, tenant=tenant)):
            for _ in range(50):
                assert await filled.seen("interaction") == {(tenant, user)}

    async with asyncio.TaskGroup() as together:
        for user, tenant in (("ada", filled.tenant), ("bob", filled.tenant), ("eve", filled.other)) * 3:
            together.create_task(ask(user, tenant))


async def test_names_that_are_no_plain_words_are_told_apart(filled: Filled) -> None:
    names = ["ada\n", "ada ", "ADA", "ada' OR true --", "'", "\\", "ada\nreq", "*", "%", "💡", "a" * 256]
    for name in names:
        with use(filled.caller(name)):
            assert not any([await filled.seen(table) for table in ("interaction", "fact", "idempotency")])
