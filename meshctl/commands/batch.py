"""`mesh runs batch`: many tasks from a file."""

import json
from collections.abc import Iterable, Iterator
from typing import Annotated

import typer
from agentmesh.errors.v1.reason_pb2 import ErrorReason
from agentmesh.orchestrator.v1.run_service_pb2 import CreateRunRequest
from google.protobuf.json_format import ParseDict, ParseError

from meshclient import MeshClient, new_request_id
from meshctl.commands.call import call
from meshctl.console import err, out, plain
from meshctl.state import DEFAULT_STATE, StateOption

__all__ = ["batch"]


def batch(
    file: Annotated[
        typer.FileText, typer.Argument(metavar="FILE", help="A task a line, as JSON. - reads standard input.")
    ],
    agent: Annotated[str, typer.Option("--agent", "-a", help="The agent of lines that name none.")] = "",
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Create many runs and print their ids in order; they are worked on behind what people ask one by one.

    A line is an object like {"input": "…", "agent": "research"}, or a JSON
    string. With a `request_id` in each line the command may be repeated: a task
    is accepted once. Refused ones are told with their line; the exit code is 1.
    """
    tasks = list(_tasks(file, agent))
    if not tasks:
        raise typer.BadParameter("it holds no task", param_hint="FILE")

    async def work(client: MeshClient) -> bool:
        accepted = True
        lines = iter(line for line, _ in tasks)
        async for result in client.create_runs(request for _, request in tasks):
            line = next(lines)
            if result.HasField("run"):
                out.print(result.run.id)
                continue
            accepted = False
            reason = ErrorReason.Name(result.failure.reason).removeprefix("ERROR_REASON_")
            err.print(plain(f"line {line} refused: {reason}: {result.failure.message}"), style="red")
        return accepted

    if not call(state, work):
        raise typer.Exit(1)


def _tasks(lines: Iterable[str], agent: str) -> Iterator[tuple[int, CreateRunRequest]]:
    """Yield the tasks with their line numbers; all are read before any is sent, so that a wrong line stops them all."""
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            told = json.loads(line)
            request = ParseDict(told if isinstance(told, dict) else {"input": told}, CreateRunRequest())
        except (ValueError, ParseError) as error:
            raise typer.BadParameter(f"line {number}: {error}", param_hint="FILE") from None
        request.request_id = request.request_id or new_request_id()
        request.agent = request.agent or agent
        yield number, request
