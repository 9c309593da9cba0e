"""`mesh chat`: one question, or a conversation at the keyboard."""

import asyncio
import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from agentmesh.orchestrator.v1.run_service_pb2 import CancelRunRequest, CreateRunRequest

from meshclient import MeshClient, new_request_id
from meshctl.commands.call import call
from meshctl.connection import connected
from meshctl.console import err, exit_code, explain
from meshctl.state import DEFAULT_STATE, StateOption
from meshctl.transcript import Transcript
from meshkit.errors import MeshError

__all__ = ["chat"]


def chat(
    text: Annotated[str | None, typer.Argument(help="What to say. Without it, a conversation begins.")] = None,
    session: Annotated[str, typer.Option("--session", "-s", help="Go on with this session.")] = "",
    agent: Annotated[str, typer.Option("--agent", "-a", help="Ask this agent; see `mesh agents list`.")] = "",
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Talk to an agent. Ctrl-C cancels the run; in a conversation, Ctrl-D ends it."""
    if text is None and not sys.stdin.isatty():
        text = sys.stdin.read().strip()
    if text == "":
        raise typer.BadParameter("there is nothing to say", param_hint="TEXT")

    if text is None:
        _converse(state, session, agent)
        return

    async def talk(client: MeshClient) -> bool:
        _, ok = await _say(client, text, session, agent)
        return ok

    if not call(state, talk):
        raise typer.Exit(1)


def _converse(state: Path, session: str, agent: str) -> None:
    """Ask for one turn after the other; the loop rests while the person types, so that Ctrl-C is theirs there."""
    err.print("Ctrl-C cancels an answer, Ctrl-D ends.", style="dim")
    with asyncio.Runner() as runner, _client(runner, state) as client:
        while True:
            try:
                text = input("> ").strip()
            except (EOFError, KeyboardInterrupt):
                return
            if not text:
                continue
            try:
                session, _ = runner.run(_say(client, text, session, agent))
            except KeyboardInterrupt:
                continue
            except MeshError as error:
                explain(error)


@contextlib.contextmanager
def _client(runner: asyncio.Runner, state: Path) -> Iterator[MeshClient]:
    resources = contextlib.AsyncExitStack()
    try:
        yield runner.run(resources.enter_async_context(connected(state)))
    except MeshError as error:
        explain(error)
        raise typer.Exit(exit_code(error)) from None
    finally:
        runner.run(resources.aclose())


async def _say(client: MeshClient, text: str, session: str, agent: str) -> tuple[str, bool]:
    """Run one turn; return its session and whether it succeeded. An interruption cancels the run at the mesh."""
    request = CreateRunRequest(request_id=new_request_id(), session=session, agent=agent, input=text)
    run = await client.runs.CreateRun(request)
    transcript = Transcript()
    try:
        async for event in client.follow(run.id):
            transcript.show(event)
    except asyncio.CancelledError:
        with contextlib.suppress(MeshError):
            await asyncio.shield(client.runs.CancelRun(CancelRunRequest(run=run.id)))
        raise
    err.print(f"session {run.session}", style="dim")
    return run.session, transcript.ok
