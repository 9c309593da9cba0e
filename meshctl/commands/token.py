"""`mesh token`: credentials for the clients of a local mesh."""

from typing import Annotated

import typer

from meshctl.console import exit_code, explain, out
from meshctl.credentials import ALL_SCOPES, TENANT, local_token, local_user
from meshctl.state import DEFAULT_STATE, State, StateOption
from meshkit.errors import MeshError

app = typer.Typer(help="Make credentials.", no_args_is_help=True)

LONGEST_HOURS = 24.0 * 365


@app.command("create")
def create_token(
    subject: Annotated[str, typer.Option(help="The person or client; default: your account.")] = "",
    tenant: Annotated[str, typer.Option(help="The tenant.")] = TENANT,
    scope: Annotated[
        list[str] | None, typer.Option("--scope", help="A scope, e.g. runs.read; repeat it. Default: all but act_as.")
    ] = None,
    hours: Annotated[float, typer.Option(min=0.01, max=LONGEST_HOURS, help="How long it is valid.")] = 1.0,
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Print a token, signed with the local mesh's key. Whoever holds it is its subject: keep it secret."""
    try:
        token = local_token(
            State(state),
            subject=subject or local_user(),
            tenant=tenant,
            scopes=tuple(scope or ALL_SCOPES),
            lifetime=hours * 3600,
        )
    except MeshError as error:
        explain(error)
        raise typer.Exit(exit_code(error)) from None
    out.print(token)
