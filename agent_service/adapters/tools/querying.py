"""The program that `sql_query` runs in the sandbox: it fills a database in memory, or opens one, and asks it.

Owns what a query may do: read. SQLite asks for each thing that a statement would touch, and its work is counted; what
it does not count, as a function that never ends, the sandbox ends. It imports the standard library alone.

It reads the files `order.json`, `{"query": text, "names": [...], "rows": [[...]]}`, or `database` in place of names and
rows, and leaves `out/answer`, or `out/refusal` with words for the model.
"""

import json
import sqlite3
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

__all__ = ["MAX_ROWS", "SECONDS"]

SECONDS = 5.0
MAX_ROWS = 200
_MAX_CELL = 200
_STEPS = 5000  # of SQLite's machine between two looks at the clock

_LIMITS = {
    sqlite3.SQLITE_LIMIT_LENGTH: 1024 * 1024,
    sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH: 200,
    sqlite3.SQLITE_LIMIT_ATTACHED: 0,
}
# A database may be made with malice: its own views may call nothing harmful, its pages must fit together.
_PRECAUTIONS = (
    "pragma trusted_schema = off",
    "pragma cell_size_check = on",
    "pragma temp_store = memory",
    "pragma quick_check(1)",
)
_READING = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE}
_TABLES = """
select t.name, group_concat(c.name, ', ') from sqlite_schema t, pragma_table_info(t.name) c
where t.type in ('table', 'view') and t.name not like 'sqlite_%' group by t.name limit 20
"""


class _RefusedError(Exception):
    """A query that is not answered; the message is for the model."""


def _main() -> None:
    try:
        name, text = "answer", _asked(json.loads(Path("order.json").read_text()))
    except _RefusedError as error:
        name, text = "refusal", str(error)
    (Path("out") / name).write_text(text, errors="replace")


def _asked(order: dict[str, Any]) -> str:
    with closing(sqlite3.connect(":memory:")) as database:
        try:
            if "names" in order:
                _fill(database, order["names"], order["rows"])
            else:
                content = Path("database").read_bytes()
                # One that keeps a log of its writes cannot be read from memory; its header says so, twice.
                database.deserialize(content[:18] + b"\x01\x01" + content[20:])
            return _answer(database, order["query"])
        except sqlite3.OperationalError as error:
            if str(error) == "interrupted":
                raise _RefusedError(f"The query took longer than {SECONDS:g} s.") from None
            raise _RefusedError(f"SQLite says: {error}. {_tables(database)}") from None
        except sqlite3.DatabaseError as error:
            only = " Only reading is possible." if str(error) == "not authorized" else ""
            raise _RefusedError(f"SQLite says: {error}.{only}") from None
        except (sqlite3.Error, sqlite3.Warning, ValueError, OverflowError) as error:
            raise _RefusedError(f"SQLite says: {str(error).rstrip('.')}.") from None
        except MemoryError:
            raise _RefusedError("The query needs too much memory.") from None


def _fill(database: sqlite3.Connection, names: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    database.execute(f"create table data ({', '.join(map(_quoted, names))})")
    marks = ", ".join("?" * len(names))
    database.executemany(f"insert into data values ({marks})", rows)  # noqa: S608 - question marks alone


def _answer(database: sqlite3.Connection, query: str) -> str:
    for limit, value in _LIMITS.items():
        database.setlimit(limit, value)
    late = time.monotonic() + SECONDS
    database.set_progress_handler(lambda: time.monotonic() > late, _STEPS)
    for precaution in _PRECAUTIONS:
        database.execute(precaution)
    database.set_authorizer(lambda action, *_: sqlite3.SQLITE_OK if action in _READING else sqlite3.SQLITE_DENY)
    cursor = database.execute(query)
    if cursor.description is None:
        raise _RefusedError("That is no query: it has no result.")
    return _shown([column[0] for column in cursor.description], cursor.fetchmany(MAX_ROWS + 1))


def _shown(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    lines = [" | ".join(map(_cell, names)), " | ".join("---" for _ in names)]
    lines += [" | ".join(map(_cell, row)) for row in rows[:MAX_ROWS]]
    if not rows:
        lines.append("(no rows)")
    if len(rows) > MAX_ROWS:
        lines.append(f"(the first {MAX_ROWS} rows; there are more)")
    return "\n".join(lines)


def _cell(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, bytes):
        return f"({len(value):,} bytes)"
    text = f"{value:.10g}" if isinstance(value, float) else str(value)
    text = text.replace("\r", " ").replace("\n", " ").replace("|", "\\|")
    return text if len(text) <= _MAX_CELL else f"{text[:_MAX_CELL]}…"


def _tables(database: sqlite3.Connection) -> str:
    """Return what there is to ask, for a query that asked for something else."""
    database.set_authorizer(None)
    database.set_progress_handler(None, 0)
    try:
        found = database.execute(_TABLES).fetchall()
    except sqlite3.Error:
        return ""
    return "The tables are: " + "; ".join(f"{table} ({columns})" for table, columns in found) + "."


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


if __name__ == "__main__":
    _main()
