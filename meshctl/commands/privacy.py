"""`mesh memory export`, `erase` and `purge`: what people may ask of a memory that is about them."""

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, TextIO

import typer
from agentmesh.memory.v1.privacy_service_pb2 import (
    EraseUserRequest,
    EraseUserResponse,
    ExportUserRequest,
    PurgeBySourceRequest,
    PurgeBySourceResponse,
)
from google.protobuf.json_format import MessageToJson

from meshclient import MeshClient
from meshctl.commands.arguments import UserOption
from meshctl.commands.call import call
from meshctl.console import tell
from meshctl.state import DEFAULT_STATE, StateOption

__all__ = ["erase", "export", "purge"]


def export(
    output: Annotated[
        Path | None, typer.Option(help="A file to make, readable by its owner alone. Default: it is printed.")
    ] = None,
    user: UserOption = "",
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Print everything that memory holds of somebody, a record a line (JSON)."""

    async def work(client: MeshClient) -> int:
        count = 0
        with _opened(output) as file:
            async for record in client.privacy.ExportUser(ExportUserRequest(user=user)):
                file.write(MessageToJson(record, indent=None, ensure_ascii=False) + "\n")
                count += 1
        return count

    tell(f"{call(state, work)} records")


def erase(
    user: Annotated[str, typer.Argument(help="Whose memory; another's needs the scope users.act_as.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Erase everything that memory holds of somebody, and read back that nothing is left."""
    if not yes:
        typer.confirm(f"Erase all that memory holds of {user}? Nothing brings it back.", abort=True)

    async def work(client: MeshClient) -> EraseUserResponse:
        return await client.privacy.EraseUser(EraseUserRequest(user=user))

    gone = call(state, work)
    tell(
        f"erased {gone.interactions} turns, {gone.facts} facts, {gone.documents} documents and {gone.extractions} "
        "reports; nothing is left in rows, vectors, cache and outbox"
    )
    tell("sessions and runs are kept by the orchestrator, and deleted there: SessionService.DeleteSession")


def purge(
    source: Annotated[str, typer.Argument(help="As facts and turns name it, or a document's uri.")],
    all_users: Annotated[bool, typer.Option(help="Of everybody, which needs the scope users.act_as.")] = False,
    user: UserOption = "",
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Delete what came from one source; facts go back to what they were before."""
    request = PurgeBySourceRequest(source=source, user=user, all_users=all_users)

    async def work(client: MeshClient) -> PurgeBySourceResponse:
        return await client.privacy.PurgeBySource(request)

    gone = call(state, work)
    tell(f"deleted {gone.interactions} turns and {gone.documents} documents; deleted or set back {gone.facts} facts")


@contextlib.contextmanager
def _opened(path: Path | None) -> Iterator[TextIO]:
    if path is None:
        yield sys.stdout
        return
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise typer.BadParameter(f"{path}: {error.strerror}", param_hint="--output") from error
    with os.fdopen(descriptor, "w") as file:
        yield file
