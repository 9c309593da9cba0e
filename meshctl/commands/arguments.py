"""The arguments and options that several commands take."""

from typing import Annotated

import typer

__all__ = ["JsonOption", "RunArgument", "UserOption"]

RunArgument = Annotated[str, typer.Argument(metavar="RUN", help="The run's id.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
UserOption = Annotated[str, typer.Option(help="Whose memory; another's needs the scope users.act_as.")]
