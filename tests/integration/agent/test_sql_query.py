"""Queries in the sandbox: of good files, broken ones, and with malice."""

import sqlite3
import time
from pathlib import Path

import pytest

from agent_service.adapters.sandbox.box import Sandbox
from agent_service.adapters.tools import sql_query
from agent_service.domain.tool import ToolError

SALES = b"""region,month,sales,note
north,2026-01-31,10.5,ok
south,2026-02-28,20,"a, b"
west,2026-04-30,30,ok
"""


async def ask(name: str, content: bytes, query: str) -> str:
    return await sql_query.ask(Sandbox(), name, content, query)


def database(path: Path, *statements: str) -> bytes:
    with sqlite3.connect(path) as made:
        for statement in statements:
            made.execute(statement)
    made.close()
    return path.read_bytes()


async def test_a_query_reads_a_table() -> None:
    answer = await ask("sales.csv", SALES, "select region, sum(sales) as total from data group by region order by 1")
    assert answer == "region | total\n--- | ---\nnorth | 10.5\nsouth | 20\nwest | 30"
    assert (await ask("t", b"id,n\n007,1e3\n8,\n", "select typeof(id), id, n from data")).splitlines()[2:] == [
        "text | 007 | 1000",
        "integer | 8 | NULL",
    ]
    assert (await ask("sales.csv", SALES, "select note from data where sales > 25;")).splitlines()[2:] == ["ok"]
    assert "(no rows)" in await ask("sales.csv", SALES, "select * from data where 0")
    assert (await ask("t", b'a "b\n1\n', 'select "a ""b" from data')).endswith("\n1")


async def test_a_query_reads_a_database(tmp_path: Path) -> None:
    content = database(
        tmp_path / "a.db",
        "pragma journal_mode = wal",
        "create table item (id integer primary key, name text, data blob)",
        "insert into item values (1, 'a | b', x'0001'), (2, null, null)",
        "create view names as select name from item",
    )
    answer = await ask("a.db", content, "select * from item")
    assert answer.splitlines()[2:] == ["1 | a \\| b | (2 bytes)", "2 | NULL | NULL"]
    assert (await ask("a.db", content, "select count(*) from names")).endswith("\n2")
    with pytest.raises(ToolError, match=r"no such table: x. The tables are: item \(id, name, data\); names"):
        await ask("a.db", content, "select * from x")


async def test_no_more_rows_than_are_shown() -> None:
    content = b"n\n" + b"".join(b"%d\n" % n for n in range(500))
    lines = (await ask("t", content, "select n, hex(zeroblob(500)) from data")).splitlines()
    assert len(lines) == 203
    assert lines[-1] == "(the first 200 rows; there are more)"
    assert len(lines[2]) < 210


@pytest.mark.parametrize(
    "query",
    [
        "attach database '/tmp/stolen.db' as x",
        "attach ':memory:' as x",
        "pragma table_list",
        "pragma journal_mode = wal",
        "select * from pragma_database_list",
        "insert into data values (1,2,3,4)",
        "update data set sales = 0",
        "delete from data",
        "drop table data",
        "create table x (a)",
        "create temp view x as select 1",
        "vacuum into '/tmp/stolen.db'",
        "begin",
        "reindex",
        "select load_extension('/tmp/x.so')",
        "with x as (select 1) insert into data select 1,2,3,4",
        "explain delete from data",
        "select 1; delete from data",
        "select 1; select 2",
        "not sql",
        "",
        "-- nothing",
        "select '\0'",
        "select '\ud800'",
        "select " + "(" * 5000 + "1" + ")" * 5000,
        "select zeroblob(1e9)",
        "select abs(-9223372036854775808)",
        "select sum(9223372036854775807 + 0) over () + 1, x from data",
    ],
)
async def test_what_is_no_reading_is_refused(query: str) -> None:
    with pytest.raises(ToolError):
        await ask("sales.csv", SALES, query)
    assert not Path("/tmp/stolen.db").exists()


@pytest.mark.parametrize(
    "query",
    [
        "with recursive n(i) as (select 1 union all select i + 1 from n) select count(*) from n",
        "with recursive n(i) as (select 1 union all select i + 1 from n) select i from n where i < 0",
        "with recursive n(i) as (select 1 union all select i + 1 from n limit 9999) select max(a.i) from n a, n b, n c",
    ],
)
async def test_a_query_without_end_is_ended(query: str) -> None:
    began = time.perf_counter()
    with pytest.raises(ToolError, match="longer than 5 s"):
        await ask("sales.csv", SALES, query)
    assert time.perf_counter() - began < 8


async def test_a_function_without_end_is_ended() -> None:
    began = time.perf_counter()
    with pytest.raises(ToolError, match="it took too long"):
        await ask("t", b"a\n1\n", "select printf('%.*c', 2147483000, 'x')")
    assert time.perf_counter() - began < 25


async def test_a_query_has_so_much_memory() -> None:
    many = "with recursive n(i) as (select 1 union all select i + 1 from n limit 100000)"
    with pytest.raises(ToolError, match=r"memory|longer"):
        await ask("t", b"a\n1\n", f"{many} select i from n order by randomblob(100000)")


async def test_a_broken_database_is_refused(tmp_path: Path) -> None:
    whole = database(
        tmp_path / "a.db", "create table t (a text)", "create index i on t (a)",
        "with recursive n(i) as (select 1 union all select i + 1 from n limit 500) insert into t select hex(i) from n",
    )  # fmt: skip
    for broken in (whole[:16], whole[:100], whole[: len(whole) // 2], whole[:4096] + b"\xff" * (len(whole) - 4096)):
        with pytest.raises(ToolError, match="SQLite says"):
            await ask("a.db", broken, "select count(*) from t where a > '0' order by a")


async def test_what_a_database_does_by_itself_is_not_done(tmp_path: Path) -> None:
    content = database(
        tmp_path / "a.db",
        "create table t (a)",
        "insert into t values (1)",
        "create view evil as select load_extension('/tmp/x.so') from t",
    )
    with pytest.raises(ToolError):
        await ask("a.db", content, "select * from evil")
