"""The tool `chart`: draws a table of the conversation, and leaves the picture among its files."""

import asyncio
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import Field

from agent_service.adapters.drawing import Series, by_categories, by_numbers, draw_bars, draw_curves, draw_pie
from agent_service.adapters.tools.arguments import Arguments, check, schema_of
from agent_service.adapters.tools.tables import Table, number_of, read_table
from agent_service.domain.files import OpenFiles
from agent_service.domain.tool import ToolAnswer, ToolError, ToolRun

__all__ = ["Chart", "draw"]

_MAX_SERIES, _MAX_POINTS, _MAX_BARS, _MAX_PARTS, _MAX_BINS = 8, 5000, 100, 12, 40
_MAX_DATA = 64 * 1024


class _Arguments(Arguments):
    kind: Literal["line", "bar", "pie", "scatter", "histogram"] = Field(description="How it is drawn.")
    x: str = Field(
        min_length=1,
        max_length=100,
        description="The column of the horizontal axis; of a pie: the names of its parts; of a histogram: the numbers.",
    )
    y: tuple[str, ...] = Field(
        default=(),
        max_length=_MAX_SERIES,
        description="The columns of numbers to draw; one for a pie, none for a histogram.",
    )
    title: str = Field(default="", max_length=100, description="What is written above it.")
    file: str = Field(default="", max_length=128, description="The name of a CSV or TSV file of this conversation.")
    data: str = Field(default="", max_length=_MAX_DATA, description="In place of a file: the table itself, as CSV.")
    name: str = Field(default="", max_length=120, description="What the picture's file is called, e.g. `sales.svg`.")


class Chart:
    """Draws charts."""

    name = "chart"
    description = (
        "Draws a line, bar, pie or scatter chart or a histogram of a table (a CSV or TSV file of this conversation, or "
        "the table itself) as an SVG picture, which becomes a file of this conversation. It draws what the table says: "
        "sum up and sort with sql_query first."
    )
    input_schema: Mapping[str, Any] = schema_of(_Arguments)
    timeout = 30.0
    repeatable = True
    writes_memory = False

    def __init__(self, files: OpenFiles) -> None:
        self._files = files

    async def call(self, arguments: Mapping[str, Any], run: ToolRun) -> ToolAnswer:
        """Read the table, draw it, store the picture."""
        wanted, files = check(_Arguments, arguments), self._files(run)
        if bool(wanted.file) == bool(wanted.data):
            raise ToolError("Give either a file or data.")
        content = await files.read(wanted.file) if wanted.file else wanted.data.encode(errors="replace")
        picture = await asyncio.to_thread(_drawn, wanted, content)
        name = wanted.name or re.sub(r"[^a-z0-9]+", "-", wanted.title.lower()).strip("-") or "chart"
        file = await files.write(name if name.endswith(".svg") else f"{name}.svg", "image/svg+xml", picture.encode())
        return ToolAnswer(f"The chart is in the file {file.name} ({file.size:,} bytes).", files=(file,))


def _drawn(wanted: _Arguments, content: bytes) -> str:
    return draw(wanted.kind, read_table(wanted.file or "data", content), wanted.x, wanted.y, wanted.title)


def draw(kind: str, table: Table, x: str, y: Sequence[str], title: str) -> str:
    """Return the chart as SVG. Raises ToolError for columns that cannot be drawn so."""
    if not table.rows:
        raise ToolError("The table has no rows.")
    if kind == "histogram":
        return _histogram(table, x, y, title)
    if not y or (kind == "pie" and len(y) != 1):
        raise ToolError("A pie needs one column as y." if kind == "pie" else "Name the columns to draw as y.")
    if kind == "pie":
        return _pie(table, x, y[0], title)
    names = table.column(x)
    places = [number_of(name) for name in names]
    numbered = kind != "bar" and None not in places
    _check_count(len(names), _MAX_BARS if kind == "bar" else _MAX_POINTS)
    series = [
        Series(
            column,
            [
                (place if numbered and place is not None else float(row), value)
                for row, (place, value) in enumerate(zip(places, _numbers(table, column), strict=True))
                if value is not None
            ],
        )
        for column in y
    ]
    values = [value for each in series for _, value in each.points]
    across = by_numbers(x, [place for place in places if place is not None]) if numbered else by_categories(x, names)
    up = by_numbers(y[0] if len(y) == 1 else "", values, from_zero=kind == "bar")
    if kind == "bar":
        return draw_bars(title, across, up, series)
    return draw_curves(title, across, up, series, joined=kind == "line")


def _histogram(table: Table, x: str, y: Sequence[str], title: str) -> str:
    if y:
        raise ToolError("A histogram counts the column x; it has no y.")
    values = [value for value in _numbers(table, x) if value is not None]
    if not values:
        raise ToolError(f"The column {x!r} has no numbers.")
    axis = by_numbers(x, values)
    bins = min(_MAX_BINS, max(len(axis.labels) - 1, math.ceil(math.log2(len(values)) + 1)))
    width = (axis.high - axis.low) / bins
    counts = [0] * bins
    for value in values:
        counts[min(int((value - axis.low) / width), bins - 1)] += 1
    bars = Series("", [(axis.low + (number + 0.5) * width, float(count)) for number, count in enumerate(counts)])
    return draw_bars(title, axis, by_numbers("count", map(float, counts), from_zero=True), [bars], width=width * 0.98)


def _pie(table: Table, x: str, y: str, title: str) -> str:
    parts = [
        (name, value) for name, value in zip(table.column(x), _numbers(table, y), strict=True) if value is not None
    ]
    if any(value < 0 for _, value in parts) or not any(value > 0 for _, value in parts):
        raise ToolError("A pie shows parts of a whole: none may be negative, and one must be more than 0.")
    if len(parts) > _MAX_PARTS:
        parts.sort(key=lambda part: -part[1])
        rest = math.fsum(value for _, value in parts[_MAX_PARTS - 1 :])
        parts = [*parts[: _MAX_PARTS - 1], ("other", rest)]
    return draw_pie(title, parts)


def _numbers(table: Table, column: str) -> list[float | None]:
    """Return the numbers of a column, None for a missing one. Raises ToolError for what is none."""
    numbers: list[float | None] = []
    for line, cell in enumerate(table.column(column), 1):
        number = number_of(cell)
        if cell and number is None:
            raise ToolError(f"{cell[:40]!r} in row {line} of the column {column!r} is no number.")
        numbers.append(number)
    return numbers


def _check_count(count: int, most: int) -> None:
    if count > most:
        raise ToolError(f"The table has {count:,} rows, and such a chart shows at most {most:,}. Sum them up first.")
