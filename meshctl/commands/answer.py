"""`mesh runs`: approve, deny, answer: what a run asks of people.

Owns the choice of the request and the question whether the person means it; what is asked is `meshctl.requests`.
"""

import sys
from collections.abc import Collection
from pathlib import Path
from typing import Annotated

import typer
from agentmesh.orchestrator.v1.input_request_pb2 import InputKind, InputRequest
from agentmesh.orchestrator.v1.run_control_pb2 import Answer, Deny
from agentmesh.orchestrator.v1.run_pb2 import Run

from meshclient import Decision, MeshClient, approval
from meshctl.commands.arguments import RunArgument
from meshctl.commands.call import call
from meshctl.commands.control import state_name
from meshctl.console import err, out
from meshctl.requests import is_object, show_request, visible
from meshctl.state import DEFAULT_STATE, StateOption

__all__ = ["answer", "approve", "deny"]

RequestArgument = Annotated[
    str, typer.Argument(metavar="REQUEST", help="The request's id. Without it: the only one that is open.")
]

_CALLS = {InputKind.INPUT_KIND_APPROVAL, InputKind.INPUT_KIND_UNCERTAIN}
_TEXTS = {InputKind.INPUT_KIND_QUESTION, InputKind.INPUT_KIND_UNCERTAIN}
_ALL = _CALLS | _TEXTS


def approve(
    run: RunArgument,
    request: RequestArgument = "",
    edit: Annotated[str, typer.Option(metavar="JSON", help="Call it with these arguments instead.")] = "",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Let a tool be called with exactly the arguments shown, once; or call an interrupted one again."""
    if edit and not is_object(edit):
        raise typer.BadParameter("this is no JSON object", param_hint="--edit")
    asked = _open_request(state, run, request, _CALLS)
    show_request(asked)
    if edit:
        err.print(f"  with these arguments instead: {visible(edit)}", style="yellow")
    if not yes:
        if not sys.stdin.isatty():
            raise typer.BadParameter("there is no keyboard to ask at: say --yes", param_hint="--yes")
        typer.confirm("Approve?", abort=True, err=True)
    _respond(state, run, asked, approval(asked, edit))


def deny(
    run: RunArgument,
    request: RequestArgument = "",
    reason: Annotated[str, typer.Option(help="Why; the model is told.")] = "",
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Refuse a call; the agent goes on without it."""
    _respond(state, run, _open_request(state, run, request, _ALL), Deny(reason=reason))


def answer(
    run: RunArgument,
    text: Annotated[str, typer.Argument(help="The answer; for an interrupted tool, what it did.")],
    request: RequestArgument = "",
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Answer a question of the agent, or tell what an interrupted tool did."""
    if not text:
        raise typer.BadParameter("there is nothing to say", param_hint="TEXT")
    _respond(state, run, _open_request(state, run, request, _TEXTS), Answer(text=text))


def _open_request(state: Path, run: str, request: str, kinds: Collection[InputKind]) -> InputRequest:
    """Return the request that is meant; says what is open and exits if that is not clear."""

    async def work(client: MeshClient) -> Run:
        return await client.control(run).get()

    found = [each for each in call(state, work).requests if (each.id == request if request else each.kind in kinds)]
    if len(found) == 1:
        return found[0]
    if not found:
        err.print(f"the run does not ask this: {request}" if request else "the run asks nothing of this kind")
        raise typer.Exit(3)
    err.print("the run asks several things: name one")
    for each in found:
        show_request(each)
    raise typer.Exit(2)


def _respond(state: Path, run: str, request: InputRequest, decision: Decision) -> None:
    async def work(client: MeshClient) -> Run:
        return await client.control(run).respond(request.id, decision)

    out.print(state_name(call(state, work).state))
