"""What the commands say and how: results on standard output, everything else on standard error, colours on terminals.

Owns the two consoles and the words of an error. Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not found, 4 not
allowed, 5 not reachable, 130 interrupted.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager

from google.protobuf.json_format import MessageToJson
from google.protobuf.message import Message
from rich.console import Console

from meshkit.errors import MeshError

__all__ = ["err", "exit_code", "explain", "out", "print_json", "print_message", "progress", "tell"]

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)

_EXIT_CODES = {
    "INVALID_ARGUMENT": 2,
    "NOT_FOUND": 3,
    "UNAUTHENTICATED": 4,
    "PERMISSION_DENIED": 4,
    "UNAVAILABLE": 5,
    "DEADLINE_EXCEEDED": 5,
}


def tell(text: str) -> None:
    """Say one line about what is being done."""
    err.print(f"[dim]mesh:[/dim] {text}")


def print_message(message: Message) -> None:
    """Print a message as one line of JSON, in the names of the JSON door."""
    out.print(MessageToJson(message, indent=None), markup=False)


def print_json(value: object) -> None:
    """Print a value as indented JSON."""
    out.print(json.dumps(value, indent=2), markup=False)


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
    err.print(f"[red]error[/red] [bold]{error.reason}[/bold]: ", end="")
    err.print(error.message, markup=False)
    for violation in error.field_violations:
        if violation.description != error.message:
            err.print(f"  {violation.field}: {violation.description}", markup=False)
    if error.retry_after:
        err.print(f"  try again in {error.retry_after:g} s", markup=False)


def exit_code(error: MeshError) -> int:
    """Return the exit code that tells the kind of the error."""
    return _EXIT_CODES.get(error.code, 1)
