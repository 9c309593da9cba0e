"""`mesh keys`: API keys, for clients that cannot fetch a fresh token every hour."""

from typing import Annotated

import typer

from meshctl.console import err, out, print_table
from meshctl.credentials import ALL_SCOPES, TENANT, local_user
from meshctl.state import DEFAULT_STATE, State, StateOption
from meshkit.auth.api_keys import FileApiKeys, new_api_key

app = typer.Typer(help="Make, list and revoke API keys.", no_args_is_help=True)


@app.command("create")
def create_key(
    subject: Annotated[str, typer.Option(help="The person or client; default: your account.")] = "",
    tenant: Annotated[str, typer.Option(help="The tenant.")] = TENANT,
    scope: Annotated[
        list[str] | None, typer.Option("--scope", help="A scope, e.g. runs.read; repeat it. Default: all but act_as.")
    ] = None,
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Print a new key. It is shown this once; the mesh keeps only a digest."""
    store = _store(state)
    try:
        key, record = new_api_key(tenant=tenant, subject=subject or local_user(), scopes=frozenset(scope or ALL_SCOPES))
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--subject") from None
    store.save([*store.records(), record])
    out.print(key)


@app.command("list")
def list_keys(state: StateOption = DEFAULT_STATE) -> None:
    """List the keys, without what would let anybody use them."""
    rows = ((each.id, each.tenant, each.subject, " ".join(sorted(each.scopes))) for each in _store(state).records())
    print_table(("key", "tenant", "subject", "scopes"), rows)


@app.command("revoke")
def revoke_key(
    key: Annotated[str, typer.Argument(metavar="KEY", help="The key's id, as `list` shows it.")],
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Make a key useless, everywhere within five seconds."""
    store = _store(state)
    records = store.records()
    kept = [record for record in records if record.id != key]
    if len(kept) == len(records):
        err.print(f"there is no key {key}", style="red")
        raise typer.Exit(3)
    store.save(kept)


def _store(directory: StateOption) -> FileApiKeys:
    state = State(directory)
    state.create()
    return FileApiKeys(state.api_keys)
