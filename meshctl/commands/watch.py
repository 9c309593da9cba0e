"""`mesh runs watch`: a run's events, to its end."""

from typing import Annotated

import typer
from agentmesh.orchestrator.v1.run_pb2 import RunState

from meshclient import MeshClient
from meshctl.commands.arguments import JsonOption, RunArgument
from meshctl.commands.call import call
from meshctl.console import print_message
from meshctl.state import DEFAULT_STATE, StateOption
from meshctl.transcript import Transcript

__all__ = ["watch", "watch_run"]


def watch_run(
    run: RunArgument,
    after: Annotated[int, typer.Option(min=0, help="Begin after this sequence.")] = 0,
    json: JsonOption = False,
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Follow a run to its end, also through pauses and questions; exits with 1 if it does not succeed."""
    if call(state, lambda client: watch(client, run, after, json=json)) != RunState.RUN_STATE_SUCCEEDED:
        raise typer.Exit(1)


async def watch(client: MeshClient, run: str, after: int = 0, *, json: bool = False) -> RunState:
    """Print what happens in a run after a sequence; return the state in which it ended."""
    transcript = Transcript()
    async for event in client.follow(run, after):
        if json:
            print_message(event)
        else:
            transcript.show(event)
    return (await client.control(run).get()).state
