"""`mesh runs`: pause, resume, step, steer, cancel."""

import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated

import typer
from agentmesh.orchestrator.v1.run_pb2 import Run, RunState

from meshclient import MeshClient, RunControl
from meshctl.commands.arguments import RunArgument
from meshctl.commands.call import call
from meshctl.console import out
from meshctl.state import DEFAULT_STATE, StateOption

__all__ = ["cancel", "pause", "resume", "state_name", "steer", "step"]


def pause(run: RunArgument, state: StateOption = DEFAULT_STATE) -> None:
    """Pause a run: no step begins any more; one that is under way ends. A pause may last days."""
    _control(state, run, lambda control: control.pause())


def resume(run: RunArgument, state: StateOption = DEFAULT_STATE) -> None:
    """Let a paused run go on."""
    _control(state, run, lambda control: control.resume())


def step(run: RunArgument, state: StateOption = DEFAULT_STATE) -> None:
    """Let a run begin exactly one more step, a call of its model or of a tool; then it is paused."""
    _control(state, run, lambda control: control.step())


def cancel(run: RunArgument, state: StateOption = DEFAULT_STATE) -> None:
    """Cancel a run: its agent and its model are stopped at once."""
    _control(state, run, lambda control: control.cancel())


def steer(
    run: RunArgument,
    text: Annotated[str | None, typer.Argument(help="What to say. Without it: what standard input holds.")] = None,
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Say something to an agent while it works; it reads it with its next question to the model."""
    said = sys.stdin.read().strip() if text is None else text
    if not said:
        raise typer.BadParameter("there is nothing to say", param_hint="TEXT")
    _control(state, run, lambda control: control.steer(said))


def state_name(state: RunState) -> str:
    """Return a state as people read it."""
    return RunState.Name(state).removeprefix("RUN_STATE_")


def _control(state: Path, run: str, verb: Callable[[RunControl], Awaitable[Run]]) -> None:
    """Carry out the verb and print the state that the run has then."""

    async def work(client: MeshClient) -> Run:
        return await verb(client.control(run))

    out.print(state_name(call(state, work).state))
