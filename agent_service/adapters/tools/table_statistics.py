"""The tool `table_statistics`: what is in each column of a table."""

import asyncio
import math
import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from pydantic import Field

from agent_service.adapters.tools.arguments import Arguments, check, schema_of
from agent_service.adapters.tools.tables import Table, number_of, read_table
from agent_service.domain.files import OpenFiles
from agent_service.domain.tool import ToolAnswer, ToolRun

__all__ = ["TableStatistics", "describe"]

_TOP = 5
_MAX_VALUE = 40
_MAX_SHOWN = 60


class _Arguments(Arguments):
    file: str = Field(min_length=1, max_length=128, description="The name of a CSV or TSV file of this conversation.")


class TableStatistics:
    """Describes tables."""

    name = "table_statistics"
    description = (
        "Describes a table (a CSV or TSV file of this conversation with names in its first line): rows, and of each "
        "column its type, missing values, and minimum, quartiles, mean, deviation, maximum or the most frequent values."
    )
    input_schema: Mapping[str, Any] = schema_of(_Arguments)
    timeout = 30.0
    repeatable = True
    writes_memory = False

    def __init__(self, files: OpenFiles) -> None:
        self._files = files

    async def call(self, arguments: Mapping[str, Any], run: ToolRun) -> ToolAnswer:
        """Read the file and describe it."""
        wanted = check(_Arguments, arguments)
        content = await self._files(run).read(wanted.file)
        return ToolAnswer(await asyncio.to_thread(lambda: describe(read_table(wanted.file, content))))


def describe(table: Table) -> str:
    """Return the table's description, a line for each column."""
    shown = table.names[:_MAX_SHOWN]
    lines = [f"{len(table.rows):,} rows, {len(table.names)} columns"]
    lines += [f"- {name}: {_column([row[place] for row in table.rows])}" for place, name in enumerate(shown)]
    if len(table.names) > len(shown):
        lines.append(f"and {len(table.names) - len(shown)} more columns: {', '.join(table.names[len(shown) :])}")
    return "\n".join(lines)


def _column(cells: Sequence[str]) -> str:
    values = [cell for cell in cells if cell]
    missing = f", {len(cells) - len(values):,} missing" if len(values) < len(cells) else ""
    if not values:
        return f"empty{missing}"
    numbers = [number for cell in values if (number := number_of(cell)) is not None]
    if len(numbers) == len(values):
        return f"number{missing}; {_numbers(numbers)}"
    if times := _times(values):
        return f"time{missing}; {min(times)} to {max(times)}"
    counted = Counter(values)
    most = ", ".join(f"{value[:_MAX_VALUE]!r} ({count:,})" for value, count in counted.most_common(_TOP))
    return f"text{missing}; {len(counted):,} different, most frequent: {most}"


def _numbers(numbers: Sequence[float]) -> str:
    told = {"min": min(numbers)}
    if len(numbers) > 1:
        low, median, high = statistics.quantiles(numbers, n=4, method="inclusive")
        told |= {"25%": low, "median": median, "75%": high}
    told["max"] = max(numbers)
    mean = told["mean"] = statistics.fmean(numbers)
    if len(numbers) > 1:  # in floats: exact fractions, as in `statistics`, take seconds for a large file
        told["stdev"] = math.hypot(*(number - mean for number in numbers)) / math.sqrt(len(numbers) - 1)
    told["sum"] = math.fsum(numbers)
    return ", ".join(f"{name} {value:.6g}" for name, value in told.items())


def _times(values: Sequence[str]) -> list[str]:
    """Return the values as times, all of them or none."""
    try:
        return [value for value in values if datetime.fromisoformat(value)]
    except ValueError:
        return []
