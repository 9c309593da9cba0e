"""What the commands say and how: results on standard output, everything else on standard error, colours on terminals.

Owns the two consoles, tables and the words of an error. Texts come from people and models: they are printed as they
are, never read as markup, and cannot control the terminal.

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not found, 4 not allowed, 5 not reachable, 6 the run waits for a person,
130 interrupted.
"""

import json
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TextIO

from google.protobuf.json_format import MessageToJson
from google.protobuf.message import Message
from rich.console import Console
from rich.table import Table
from rich.text import Text

from meshkit.errors import MeshError

__all__ = [
    "err",
    "exit_code",
    "explain",
    "out",
    "plain",
    "print_json",
    "print_message",
    "print_table",
    "progress",
    "tell",
]

_NO_TERMINAL_WIDTH = 1000  # a pipe has no width: nothing is cut


def _console(stream: TextIO, *, stderr: bool) -> Console:
    width = None if stream.isatty() else _NO_TERMINAL_WIDTH
    return Console(stderr=stderr, width=width, highlight=False, markup=False, emoji=False, soft_wrap=True)


out = _console(sys.stdout, stderr=False)
err = _console(sys.stderr, stderr=True)

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")

_EXIT_CODES = {
    "INVALID_ARGUMENT": 2,
    "NOT_FOUND": 3,
    "UNAUTHENTICATED": 4,
    "PERMISSION_DENIED": 4,
    "UNAVAILABLE": 5,
    "DEADLINE_EXCEEDED": 5,
}


def plain(text: str) -> str:
    """Return the text without the characters that control a terminal; line ends and tabs stay."""
    return _CONTROL.sub("", text)


def tell(text: str) -> None:
    """Say one line about what is being done."""
    err.print(Text.assemble(("mesh: ", "dim"), plain(text)))


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str | Text]]) -> None:
    """Print a table; its first column, which holds ids and names to copy, is never cut."""
    table = Table(box=None)
    for place, column in enumerate(columns):
        table.add_column(column, no_wrap=place == 0, overflow="fold")
    for row in rows:
        table.add_row(*(cell if isinstance(cell, Text) else Text(plain(cell)) for cell in row))
    out.print(table)


def print_message(message: Message) -> None:
    """Print a message as one line of JSON, in the names of the JSON door."""
    out.print(MessageToJson(message, indent=None))


def print_json(value: object) -> None:
    """Print a value as indented JSON."""
    out.print(json.dumps(value, indent=2))


@contextmanager
def progress(text: str) -> Iterator[None]:
    """Show that something is at work: a spinner on a terminal, one line elsewhere."""
    if err.is_terminal:
        with err.status(text):
            yield
    else:
        tell(text)
        yield


def explain(error: MeshError) -> None:
    """Say what failed, which fields are wrong, and when to try again."""
    err.print(Text.assemble(("error ", "red"), (error.reason, "bold"), f": {plain(error.message)}"))
    for violation in error.field_violations:
        said = "" if violation.description == error.message else f": {plain(violation.description)}"
        err.print(f"  {violation.field}{said}")
    if error.retry_after:
        err.print(f"  try again in {error.retry_after:g} s")
    if error.code == "UNAVAILABLE":
        err.print("  `mesh status` and `mesh doctor` tell what is running")


def exit_code(error: MeshError) -> int:
    """Return the exit code that tells the kind of the error."""
    return _EXIT_CODES.get(error.code, 1)
