"""The tool `sql_query`: asks a table or a database of the conversation, in the sandbox.

SQLite reads files that somebody may have made with malice, and some of its functions can be kept busy without end.
"""

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field

from agent_service.adapters.sandbox.box import Sandbox, SandboxRefusedError
from agent_service.adapters.tools import querying
from agent_service.adapters.tools.arguments import Arguments, check, schema_of
from agent_service.adapters.tools.tables import number_of, read_table
from agent_service.domain.files import OpenFiles
from agent_service.domain.tool import ToolAnswer, ToolError, ToolRun

__all__ = ["SqlQuery", "ask"]

_MAX_QUERY = 16 * 1024
_SQLITE = b"SQLite format 3\0"
_PROGRAM = Path(querying.__file__).read_text()


class _Arguments(Arguments):
    file: str = Field(
        min_length=1, max_length=128, description="The name of a CSV, TSV or SQLite file of this conversation."
    )
    query: str = Field(
        min_length=1,
        max_length=_MAX_QUERY,
        description="One SELECT in SQLite's words. A CSV or TSV file is the table `data`.",
    )


class SqlQuery:
    """Answers queries."""

    name = "sql_query"
    description = (
        f"Asks a file of this conversation with SQL and returns up to {querying.MAX_ROWS} rows. A CSV or TSV file is "
        "the table `data`, with the names of its first line; a SQLite database has its own tables. It only reads."
    )
    input_schema: Mapping[str, Any] = schema_of(_Arguments)
    timeout = 60.0  # a query has 5 s; before that it may wait for programs to end
    repeatable = True
    writes_memory = False

    def __init__(self, sandbox: Sandbox, files: OpenFiles) -> None:
        self._sandbox, self._files = sandbox, files

    async def call(self, arguments: Mapping[str, Any], run: ToolRun) -> ToolAnswer:
        """Read the file and ask it."""
        wanted = check(_Arguments, arguments)
        content = await self._files(run).read(wanted.file)
        return ToolAnswer(await ask(self._sandbox, wanted.file, content, wanted.query))


async def ask(sandbox: Sandbox, name: str, content: bytes, query: str) -> str:
    """Return what the query finds, as a small table. Raises ToolError with SQLite's words, or for a slow query."""
    order = {"query": query}
    files = {"database": content}
    if not content.startswith(_SQLITE):
        order, files = await asyncio.to_thread(_order_of, name, content, query), {}
    try:
        ran = await sandbox.run(_PROGRAM, {**files, "order.json": json.dumps(order).encode()})
    except SandboxRefusedError as refused:
        raise ToolError(f"Queries cannot be run here, and trying again will not help: {refused}.") from None
    if (answer := ran.files.get("answer")) is not None:
        return answer.decode()
    if (refusal := ran.files.get("refusal")) is not None:
        raise ToolError(refusal.decode())
    raise ToolError("The query was ended: it took too long, or too much memory.")


def _order_of(name: str, content: bytes, query: str) -> dict[str, Any]:
    table = read_table(name, content)
    return {"query": query, "names": table.names, "rows": [[_value(cell) for cell in row] for row in table.rows]}


def _value(cell: str) -> str | float | int | None:
    """Return the value that a cell holds: a missing one is NULL, what reads as a number is one."""
    if not cell:
        return None
    number = number_of(cell)
    digits = cell.lstrip("+-")
    if number is None or (digits[0] == "0" and digits[1:2].isdigit()):  # 007 names somebody
        return cell
    return int(cell) if digits.isascii() and digits.isdecimal() and abs(number) < 2**53 else number
