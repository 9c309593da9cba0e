"""`mesh memory ingest` and `documents`: bring texts that agents may look things up in, and look at them."""

import mimetypes
from pathlib import Path
from typing import Annotated

import typer
from agentmesh.memory.v1.document_pb2 import Document
from agentmesh.memory.v1.document_service_pb2 import (
    IngestDocumentRequest,
    ListDocumentsRequest,
    SearchDocumentsRequest,
    SearchDocumentsResponse,
)

from meshclient import MeshClient, new_request_id
from meshctl.commands.arguments import JsonOption, UserOption
from meshctl.commands.call import call
from meshctl.console import err, out, plain, print_message, print_table
from meshctl.state import DEFAULT_STATE, StateOption

__all__ = ["ingest", "list_documents"]

_MOST = 3_145_728
_READABLE = {"text/markdown", "text/html", "application/pdf"}
_SUFFIXES = {".md": "text/markdown", ".markdown": "text/markdown"}  # which not every system knows


def ingest(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE...",
            exists=True,
            dir_okay=False,
            readable=True,
            help="Text, Markdown, HTML or PDF, each at most 3 MiB.",
        ),
    ],
    title: Annotated[str, typer.Option(help="What people call it, if it is one file. Default: the file's name.")] = "",
    user: UserOption = "",
    json: JsonOption = False,
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Ingest documents; a file that was ingested before from the same place is replaced."""
    if title and len(files) > 1:
        raise typer.BadParameter("several files need several titles", param_hint="--title")
    requests = [
        IngestDocumentRequest(
            request_id=new_request_id(),
            user=user,
            title=title or path.name,
            uri=path.resolve().as_uri(),
            media_type=_media_type(path),
            content=_content(path),
        )
        for path in files
    ]

    async def work(client: MeshClient) -> None:
        for request in requests:
            document = await client.documents.IngestDocument(request)
            if json:
                print_message(document)
            else:
                out.print(plain(f"{document.id}  {document.title}: {document.passages} passages"))

    call(state, work)


def list_documents(
    search: Annotated[str, typer.Option(help="Find passages that fit these words instead.")] = "",
    user: UserOption = "",
    limit: Annotated[int, typer.Option(min=1, max=100, help="How many at most.")] = 50,
    json: JsonOption = False,
    state: StateOption = DEFAULT_STATE,
) -> None:
    """List documents, newest first, or find passages in them."""
    if search:
        _print_passages(search, user, limit, json, state)
        return

    async def work(client: MeshClient) -> list[Document]:
        return list((await client.documents.ListDocuments(ListDocumentsRequest(user=user, page_size=limit))).documents)

    documents = call(state, work)
    if json:
        for document in documents:
            print_message(document)
        return
    rows = (
        (each.id, each.title, each.uri, str(each.passages), each.create_time.ToDatetime().isoformat(" ", "seconds"))
        for each in documents
    )
    print_table(("document", "title", "from", "passages", "ingested"), rows)


def _print_passages(query: str, user: str, limit: int, json: bool, state: Path) -> None:
    async def work(client: MeshClient) -> SearchDocumentsResponse:
        return await client.documents.SearchDocuments(SearchDocumentsRequest(user=user, query=query, limit=limit))

    answer = call(state, work)
    if json:
        print_message(answer)
        return
    rows = (
        (
            f"{match.score:.2f}",
            f"{match.passage.document}#{match.passage.number}",
            match.passage.title,
            match.passage.text,
        )
        for match in answer.matches
    )
    print_table(("score", "passage", "title", "text"), rows)
    if answer.degraded:
        err.print("the vector index did not answer: only words were compared", style="yellow")


def _media_type(path: Path) -> str:
    kind = _SUFFIXES.get(path.suffix.lower()) or mimetypes.guess_type(path.name)[0] or "text/plain"
    if kind in _READABLE:
        return kind
    if kind.startswith("text/"):
        return "text/plain"
    raise typer.BadParameter(f"{path.name} is {kind}, which cannot be read", param_hint="FILE")


def _content(path: Path) -> bytes:
    if path.stat().st_size > _MOST:
        raise typer.BadParameter(f"{path.name} is larger than 3 MiB", param_hint="FILE")
    return path.read_bytes()
