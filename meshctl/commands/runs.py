"""`mesh runs`: list, get, watch, cancel."""

from typing import Annotated

import typer
from agentmesh.orchestrator.v1.run_pb2 import Run, RunState, RunView
from agentmesh.orchestrator.v1.run_service_pb2 import CancelRunRequest, GetRunRequest, ListRunsRequest

from meshclient import MeshClient
from meshctl.commands.call import call
from meshctl.console import out, print_message, print_table
from meshctl.state import DEFAULT_STATE, StateOption
from meshctl.transcript import Transcript

app = typer.Typer(help="Look at runs and cancel them.", no_args_is_help=True)

RunArgument = Annotated[str, typer.Argument(metavar="RUN", help="The run's id.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command("list")
def list_runs(
    session: Annotated[str, typer.Option(help="Only this session's.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=500, help="How many at most.")] = 20,
    json: JsonOption = False,
    state: StateOption = DEFAULT_STATE,
) -> None:
    """List the newest runs."""

    async def work(client: MeshClient) -> list[Run]:
        return list((await client.runs.ListRuns(ListRunsRequest(session=session, page_size=limit))).runs)

    runs = call(state, work)
    if json:
        for run in runs:
            print_message(run)
        return
    rows = (
        (run.id, _word(run.state), run.agent, run.session, run.create_time.ToDatetime().isoformat(" ", "seconds"))
        for run in runs
    )
    print_table(("run", "state", "agent", "session", "created"), rows)


@app.command("get")
def get_run(run: RunArgument, state: StateOption = DEFAULT_STATE) -> None:
    """Print a run as JSON."""

    async def work(client: MeshClient) -> Run:
        return await client.runs.GetRun(GetRunRequest(run=run))

    print_message(call(state, work))


@app.command("watch")
def watch_run(
    run: RunArgument,
    after: Annotated[int, typer.Option(min=0, help="Begin after this sequence.")] = 0,
    json: JsonOption = False,
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Follow a run to its end; exits with 1 if it does not succeed."""

    async def work(client: MeshClient) -> bool:
        transcript = Transcript()
        async for event in client.follow(run, after):
            if json:
                print_message(event)
            else:
                transcript.show(event)
        ended = await client.runs.GetRun(GetRunRequest(run=run, view=RunView.RUN_VIEW_BASIC))
        return ended.state == RunState.RUN_STATE_SUCCEEDED

    if not call(state, work):
        raise typer.Exit(1)


@app.command("cancel")
def cancel_run(run: RunArgument, state: StateOption = DEFAULT_STATE) -> None:
    """Cancel a run."""

    async def work(client: MeshClient) -> Run:
        return await client.runs.CancelRun(CancelRunRequest(run=run))

    out.print(_word(call(state, work).state))


def _word(state: RunState) -> str:
    return RunState.Name(state).removeprefix("RUN_STATE_")
