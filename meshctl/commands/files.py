"""`mesh files`: put, get, list, rm."""

import mimetypes
import sys
from pathlib import Path
from typing import Annotated

import typer
from agentmesh.orchestrator.v1.file_pb2 import File
from agentmesh.orchestrator.v1.file_service_pb2 import (
    CreateFileRequest,
    DeleteFileRequest,
    GetFileRequest,
    GetFileResponse,
    ListFilesRequest,
)

from meshclient import MeshClient, new_request_id
from meshctl.commands.arguments import JsonOption
from meshctl.commands.call import call
from meshctl.console import out, print_message, print_table
from meshctl.state import DEFAULT_STATE, StateOption

app = typer.Typer(help="Bring files to a session, and take from it what its agents made.", no_args_is_help=True)

SessionArgument = Annotated[str, typer.Argument(metavar="SESSION", help="The session's id.")]
NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The file's name.")]


@app.command("put")
def put_file(
    session: SessionArgument,
    path: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, readable=True, help="The file; at most 2 MiB of it.")
    ],
    name: Annotated[str, typer.Option(help="Its name in the session. Default: as it is called here.")] = "",
    media_type: Annotated[str, typer.Option(help="Its media type. Default: what its name tells.")] = "",
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Store a file; one of the same name is replaced."""
    request = CreateFileRequest(
        request_id=new_request_id(),
        session=session,
        name=name or path.name,
        media_type=media_type or mimetypes.guess_type(name or path.name)[0] or "",
        content=path.read_bytes(),
    )

    async def work(client: MeshClient) -> File:
        return await client.files.CreateFile(request)

    out.print(call(state, work).name)


@app.command("get")
def get_file(
    session: SessionArgument,
    name: NameArgument,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", dir_okay=False, help="Where to write it. Default: standard output.")
    ] = None,
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Read a file, byte by byte as it was stored."""

    async def work(client: MeshClient) -> GetFileResponse:
        return await client.files.GetFile(GetFileRequest(session=session, name=name))

    content = call(state, work).content
    if output is None:
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
    else:
        output.write_bytes(content)


@app.command("list")
def list_files(session: SessionArgument, json: JsonOption = False, state: StateOption = DEFAULT_STATE) -> None:
    """List the files of a session by name."""

    async def work(client: MeshClient) -> list[File]:
        # A session holds no more than one page of the largest size.
        return list((await client.files.ListFiles(ListFilesRequest(session=session, page_size=500))).files)

    files = call(state, work)
    if json:
        for file in files:
            print_message(file)
        return
    rows = (
        (
            file.name,
            f"{file.size:,}",
            file.media_type,
            file.run or "-",
            file.create_time.ToDatetime().isoformat(" ", "seconds"),
        )
        for file in files
    )
    print_table(("file", "bytes", "type", "made by", "when"), rows)


@app.command("rm")
def delete_file(session: SessionArgument, name: NameArgument, state: StateOption = DEFAULT_STATE) -> None:
    """Delete a file."""

    async def work(client: MeshClient) -> None:
        await client.files.DeleteFile(DeleteFileRequest(session=session, name=name))

    call(state, work)
