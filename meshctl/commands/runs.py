"""`mesh runs`: list and get, and the group of all commands on runs."""

from enum import StrEnum
from typing import Annotated

import typer
from agentmesh.orchestrator.v1.run_pb2 import Run
from agentmesh.orchestrator.v1.run_service_pb2 import GetRunRequest, ListRunsRequest

from meshclient import MeshClient
from meshctl.commands.answer import answer, approve, deny
from meshctl.commands.arguments import JsonOption, RunArgument
from meshctl.commands.batch import batch
from meshctl.commands.call import call
from meshctl.commands.control import cancel, pause, resume, state_name, steer, step
from meshctl.commands.history import fork, steps
from meshctl.commands.watch import watch_run
from meshctl.console import err, print_message, print_table
from meshctl.requests import remedy, show_request
from meshctl.state import DEFAULT_STATE, StateOption

app = typer.Typer(help="Look at runs, control them and answer what they ask.", no_args_is_help=True)


class Where(StrEnum):
    """A state to filter by."""

    queued = "queued"
    running = "running"
    paused = "paused"
    waiting = "waiting"
    succeeded = "succeeded"
    failed = "failed"
    cancelled = "cancelled"


@app.command("list")
def list_runs(
    session: Annotated[str, typer.Option(help="Only this session's.")] = "",
    only: Annotated[Where | None, typer.Option(help="Only those in this state, e.g. waiting.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=500, help="How many at most.")] = 20,
    json: JsonOption = False,
    state: StateOption = DEFAULT_STATE,
) -> None:
    """List the newest runs."""
    where = f"RUN_STATE_{only.upper() if only else 'UNSPECIFIED'}"

    async def work(client: MeshClient) -> list[Run]:
        request = ListRunsRequest(session=session, state=where, page_size=limit)
        return list((await client.runs.ListRuns(request)).runs)

    runs = call(state, work)
    if json:
        for run in runs:
            print_message(run)
        return
    rows = (
        (run.id, state_name(run.state), run.agent, run.session, run.create_time.ToDatetime().isoformat(" ", "seconds"))
        for run in runs
    )
    print_table(("run", "state", "agent", "session", "created"), rows)


@app.command("get")
def get_run(run: RunArgument, state: StateOption = DEFAULT_STATE) -> None:
    """Print a run as JSON, and what it asks of people with how to answer."""

    async def work(client: MeshClient) -> Run:
        return await client.runs.GetRun(GetRunRequest(run=run))

    found = call(state, work)
    print_message(found)
    for request in found.requests:
        show_request(request)
        err.print(f"  {remedy(request)}")


app.command("watch")(watch_run)
for verb in (cancel, pause, resume, step, steer, approve, deny, answer, steps, fork, batch):
    app.command(verb.__name__)(verb)
