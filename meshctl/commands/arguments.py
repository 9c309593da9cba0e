"""The arguments and options that several commands take."""

from typing import Annotated

import typer

__all__ = ["JsonOption", "RunArgument"]

RunArgument = Annotated[str, typer.Argument(metavar="RUN", help="The run's id.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
