"""`mesh runtimes`: the agent frameworks that this machine can run, and those that a mesh does run."""

from typing import Annotated

import typer
from agentmesh.agent.v1.agent_service_pb2 import Capability
from agentmesh.agent.v1.team_pb2 import TeamKind
from agentmesh.orchestrator.v1.agent_catalog_service_pb2 import ListRuntimesRequest
from agentmesh.orchestrator.v1.agent_definition_pb2 import Runtime, RuntimeHealth

from meshctl.commands.arguments import JsonOption
from meshctl.commands.call import finish
from meshctl.connection import connected
from meshctl.console import err, print_json, print_table, tell
from meshctl.environments import SetupError, installed
from meshctl.runtimes import RUNTIMES, chosen, install
from meshctl.state import DEFAULT_STATE, StateOption
from meshkit.errors import InvalidArgument, NotFound, Unavailable

app = typer.Typer(help="Install agent frameworks, and see which ones run.", no_args_is_help=True)


@app.command("list")
def list_runtimes(json: JsonOption = False, state: StateOption = DEFAULT_STATE) -> None:
    """List the runtimes: whether they are installed, and what those of a running mesh can do."""

    async def running() -> dict[str, Runtime]:
        try:
            async with connected(state) as client:
                listed = await client.agents.ListRuntimes(ListRuntimesRequest())
        except (NotFound, Unavailable):  # no mesh runs: what is installed can be told all the same
            return {}
        return {runtime.name: runtime for runtime in listed.runtimes}

    serving = finish(running)
    rows = [_row(name, serving.get(name)) for name in (*RUNTIMES, *(serving.keys() - set(RUNTIMES)))]
    if json:
        print_json(rows)
        return
    columns = ("runtime", "installed", "state", "version", "teams", "capabilities")
    print_table(columns, ([_cell(row[column]) for column in columns] for row in rows))


@app.command("install")
def install_runtimes(
    names: Annotated[list[str], typer.Argument(metavar="NAME…", help="The runtimes, or `all`.")],
) -> None:
    """Make the environments of runtimes, so that `mesh up` starts them."""
    try:
        wanted = chosen(",".join(names))
        install(wanted, tell)
    except InvalidArgument as error:
        raise typer.BadParameter(error.message, param_hint="NAME") from None
    except SetupError as error:
        err.print(f"mesh: {error}", style="red")
        raise typer.Exit(1) from None
    tell(f"installed: {', '.join(wanted)}")


def _row(name: str, runtime: Runtime | None) -> dict[str, object]:
    described = runtime.description if runtime is not None else None
    return {
        "runtime": name,
        "installed": name in RUNTIMES and installed(name),
        "state": RuntimeHealth.Name(runtime.health).removeprefix("RUNTIME_HEALTH_") if runtime else "not running",
        "version": described.framework_version if described else "",
        "teams": [TeamKind.Name(kind).removeprefix("TEAM_KIND_").lower() for kind in described.team_kinds]
        if described
        else [],
        "capabilities": [Capability.Name(each).removeprefix("CAPABILITY_").lower() for each in described.capabilities]
        if described
        else [],
    }


def _cell(value: object) -> str:
    match value:
        case bool():
            return "yes" if value else "no"
        case list():
            return ", ".join(value)
    return str(value)
