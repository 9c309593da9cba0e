"""`mesh chat`: one question, or a conversation at the keyboard."""

import asyncio
import contextlib
import sys
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from agentmesh.orchestrator.v1.input_request_pb2 import InputRequest
from agentmesh.orchestrator.v1.run_pb2 import Run
from agentmesh.orchestrator.v1.run_service_pb2 import CreateRunRequest

from meshclient import MeshClient, new_request_id
from meshctl.asking import ask, at_keyboard
from meshctl.connection import connected
from meshctl.console import err, exit_code, explain
from meshctl.requests import remedy
from meshctl.state import DEFAULT_STATE, StateOption
from meshctl.transcript import Transcript
from meshkit.errors import MeshError

__all__ = ["chat"]

_WAITS = 6
"""The exit code for a run that waits for a person whom we cannot ask."""


class Busy(StrEnum):
    """What happens while another run of the session is not done."""

    reject = "reject"
    enqueue = "enqueue"
    interrupt = "interrupt"
    rollback = "rollback"


def chat(
    text: Annotated[str | None, typer.Argument(help="What to say. Without it, a conversation begins.")] = None,
    session: Annotated[str, typer.Option("--session", "-s", help="Go on with this session.")] = "",
    agent: Annotated[str, typer.Option("--agent", "-a", help="Ask this agent; see `mesh agents list`.")] = "",
    on_busy: Annotated[Busy, typer.Option(help="If the session is at work: refuse, wait, or end that run.")] = (
        Busy.reject
    ),
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Talk to an agent. Ctrl-C cancels the run; in a conversation, Ctrl-D ends it.

    What the agent asks of you (may I call this tool? a question) is asked at
    the keyboard; Ctrl-D leaves it open. Without a keyboard the command says how
    to answer and exits with 6; the run waits, and `mesh runs watch` follows it.
    """
    if text is None and not sys.stdin.isatty():
        text = sys.stdin.read().strip()
    if text == "":
        raise typer.BadParameter("there is nothing to say", param_hint="TEXT")

    template = CreateRunRequest(session=session, agent=agent, on_busy=f"ON_BUSY_{on_busy.upper()}")
    with asyncio.Runner() as runner, _client(runner, state) as client:
        if text is None:
            _converse(runner, client, template)
            return
        try:
            code = _Turn(runner, client, template, text).go()
        except KeyboardInterrupt:
            code = 130
    if code:
        raise typer.Exit(code)


def _converse(runner: asyncio.Runner, client: MeshClient, template: CreateRunRequest) -> None:
    """Ask for one turn after the other; the loop rests while the person types, so that Ctrl-C is theirs there."""
    err.print("Ctrl-C cancels an answer, Ctrl-D ends.", style="dim")
    while True:
        try:
            text = input("> ").strip()
        except (EOFError, KeyboardInterrupt):
            return
        if not text:
            continue
        try:
            turn = _Turn(runner, client, template, text)
            template.session = turn.run.session
            turn.go()
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


class _Turn:
    """One run, from what the person says to its end; it is followed in pieces, because the loop rests for questions."""

    def __init__(self, runner: asyncio.Runner, client: MeshClient, template: CreateRunRequest, text: str) -> None:
        """Create the run. Raises MeshError."""
        request = CreateRunRequest(request_id=new_request_id(), input=text)
        request.MergeFrom(template)
        self._runner = runner
        self._client = client
        self._asks = at_keyboard()
        self._transcript = Transcript(remedies=not self._asks)
        self.run = runner.run(self._create(request))
        self._control = client.control(self.run.id)

    def go(self) -> int:
        """Follow the run and ask what it asks; return the exit code. An interruption cancels the run at the mesh."""
        try:
            self._runner.run(self._follow())
            while self._transcript.waits and self._asks:
                self._answer(next(iter(self._transcript.requests.values())))
                self._runner.run(self._follow())
        except EOFError:
            err.print("\nIt waits. To answer:")
            for request in self._transcript.requests.values():
                err.print(f"  {remedy(request)}")
        except KeyboardInterrupt:
            with contextlib.suppress(MeshError):
                self._runner.run(self._control.cancel())
            raise
        err.print(f"session {self.run.session}", style="dim")
        if self._transcript.waits:
            return _WAITS
        return 0 if self._transcript.ok else 1

    async def _create(self, request: CreateRunRequest) -> Run:
        return await self._client.runs.CreateRun(request)

    async def _follow(self) -> None:
        """Show what comes until the run ends, or waits for an answer."""
        async with contextlib.aclosing(self._client.follow(self.run.id, self._transcript.sequence)) as events:
            async for event in events:
                self._transcript.show(event)
                if self._transcript.waits:
                    return

    def _answer(self, request: InputRequest) -> None:
        """Ask the person until the mesh has their answer, or no longer asks. Raises EOFError and MeshError."""
        while request.id in self._transcript.requests:
            decision = ask(request)
            try:
                self._runner.run(self._control.respond(request.id, decision))
            except MeshError as error:
                if error.code not in {"FAILED_PRECONDITION", "INVALID_ARGUMENT"} and not error.transient:
                    raise
                explain(error)
                if error.code != "FAILED_PRECONDITION":
                    continue
            # The event that tells of the answer comes later; until then it must not be asked again.
            del self._transcript.requests[request.id]
