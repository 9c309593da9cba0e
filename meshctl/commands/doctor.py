"""`mesh doctor`: what is wrong on this machine, and what to do about it."""

from typing import Annotated

import typer
from rich.text import Text

from meshctl.commands.call import finish
from meshctl.console import print_json, print_table
from meshctl.examination import Finding, examine
from meshctl.state import DEFAULT_STATE, State, StateOption

__all__ = ["doctor"]

_MARKS = {"good": Text("good", "green"), "note": Text("note", "yellow"), "bad": Text("bad", "red")}


def doctor(
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False, state: StateOption = DEFAULT_STATE
) -> None:
    """Check versions, environments, disk, ports, stores, the model and the parts; exits with 1 if something is bad."""

    async def look() -> list[Finding]:
        return await examine(State(state))

    findings = finish(look)
    if json:
        print_json([{"what": each.what, "verdict": each.verdict, "words": each.words} for each in findings])
    else:
        print_table(("what", "", "finding"), ((each.what, _MARKS[each.verdict], each.words) for each in findings))
    if any(each.verdict == "bad" for each in findings):
        raise typer.Exit(1)
