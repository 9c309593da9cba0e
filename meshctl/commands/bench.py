"""`mesh bench`: measures a whole mesh on this machine; what and how is told by the `bench` folder of the checkout."""

import os
from pathlib import Path
from typing import Annotated

import typer

from meshctl.console import tell
from meshctl.environments import ROOT, ensure
from meshctl.runtimes import RUNTIMES, install

__all__ = ["bench"]


def bench(
    quick: Annotated[bool, typer.Option(help="A minute instead of several; the numbers say little.")] = False,
    json: Annotated[Path | None, typer.Option(metavar="FILE", help="Also write the numbers to a file.")] = None,
) -> None:
    """Measure latency, throughput and processor time of a mesh made for it, and print them as tables."""
    install(RUNTIMES, tell)
    python = ensure("mesh", tell)
    options = [*(["--quick"] if quick else []), *(["--json", str(json.absolute())] if json else [])]
    os.chdir(ROOT)
    os.execv(python, [str(python), "-m", "bench", *options])
