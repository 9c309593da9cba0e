"""`mesh bench`: measures a whole mesh on this machine; what and how is told by the `bench` folder of the checkout."""

import os

import typer

from meshctl.console import tell
from meshctl.environments import ROOT, ensure

__all__ = ["bench"]


def bench(context: typer.Context) -> None:
    """Measure latency and throughput on this machine; `--quick` for a minute, `--json FILE` to keep the numbers."""
    ensure("langchain", tell)
    python = ensure("mesh", tell)
    os.chdir(ROOT)
    os.execv(python, [str(python), "-m", "bench", *context.args])
