"""Tables from text: comma or tab separated values, as files hold them.

Owns how a table's separator, names and encoding are found, and the words that tell a model what is wrong with a file.
"""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass

from agent_service.domain.tool import ToolError

__all__ = ["Table", "number_of", "read_table"]

_SAMPLE = 16 * 1024
_MAX_COLUMNS = 200
_MAX_CELL = 32 * 1024  # characters
_LARGEST = 1e300  # what is larger cannot be reckoned with


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of text under names. Each row has as many cells as there are names; an empty cell is a missing value."""

    names: Sequence[str]
    rows: Sequence[Sequence[str]]

    def column(self, name: str) -> list[str]:
        """Return the cells of a column. Raises ToolError if there is none of that name."""
        if name not in self.names:
            raise ToolError(f"There is no column {name!r}. The columns are: {', '.join(self.names)}.")
        place = self.names.index(name)
        return [row[place] for row in self.rows]


def read_table(name: str, content: bytes) -> Table:
    """Return the table that a file holds; its first line tells the names. Raises ToolError."""
    text = _text(name, content)
    if not text.strip():
        raise ToolError(f"{name} is empty.")
    lines = csv.reader(io.StringIO(text, newline=""), _dialect(text), strict=True)
    try:
        head = next(lines)
        names = _names(head, name)
        rows = [_row(row, len(names), lines.line_num, name) for row in lines if any(cell.strip() for cell in row)]
    except csv.Error as error:
        raise ToolError(f"{name} cannot be read as a table: {error} (line {lines.line_num}).") from None
    return Table(names, rows)


def number_of(cell: str) -> float | None:
    """Return the number that a cell holds; None: it holds none. `nan`, `1_000` and `1e300` are no numbers here."""
    if not cell or "_" in cell:
        return None
    try:
        value = float(cell)
    except ValueError:
        return None
    return value if abs(value) < _LARGEST else None


def _text(name: str, content: bytes) -> str:
    encoding = "utf-16" if content.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError:
        text = content.decode("cp1252", errors="replace")
    if "\0" in text:
        raise ToolError(f"{name} is no text, so it holds no table of comma or tab separated values.")
    return text


def _dialect(text: str) -> type[csv.Dialect]:
    """Return how cells are separated: by what parts the first lines alike."""
    head = text[:_SAMPLE].splitlines()[:20]

    class Found(csv.excel):
        delimiter = max(",\t;|", key=lambda mark: (min(line.count(mark) for line in head), head[0].count(mark)))

    return Found


def _names(head: Sequence[str], file: str) -> list[str]:
    if len(head) > _MAX_COLUMNS:
        raise ToolError(f"{file} has more than {_MAX_COLUMNS} columns.")
    names: list[str] = []
    for place, cell in enumerate(head, 1):
        wanted = name = " ".join(cell.split())[:100] or f"column {place}"
        again = 1
        while name in names:
            again += 1
            name = f"{wanted} {again}"
        names.append(name)
    return names


def _row(cells: Sequence[str], width: int, line: int, file: str) -> list[str]:
    if any(cell.strip() for cell in cells[width:]):
        raise ToolError(f"{file} has {len(cells)} cells in line {line}, and only {width} columns.")
    return [*(cell.strip()[:_MAX_CELL] for cell in cells[:width]), *[""] * (width - len(cells))]
