"""`mesh doctor`: what is wrong on this machine, and what to do about it."""

from typing import Annotated

import typer
from rich.table import Table

from meshctl.commands.call import finish
from meshctl.console import out, print_json
from meshctl.examination import Finding, examine
from meshctl.state import DEFAULT_STATE, State, StateOption

__all__ = ["doctor"]

_MARKS = {"good": "[green]good[/green]", "note": "[yellow]note[/yellow]", "bad": "[red]bad[/red]"}


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
        table = Table("", "what", "finding", box=None, show_header=False)
        for each in findings:
            table.add_row(_MARKS[each.verdict], each.what, each.words)
        out.print(table)
    if any(each.verdict == "bad" for each in findings):
        raise typer.Exit(1)
