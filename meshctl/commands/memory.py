"""`mesh memory`: search, context and delete; what concerns facts is `facts`, documents `documents`."""

from typing import Annotated

import typer
from agentmesh.memory.v1.context_pb2 import ContextItem, MemoryLayer
from agentmesh.memory.v1.context_service_pb2 import (
    GetContextRequest,
    GetContextResponse,
    RenderPromptRequest,
    RenderPromptResponse,
)
from agentmesh.memory.v1.document_service_pb2 import DeleteDocumentRequest
from agentmesh.memory.v1.memory_service_pb2 import DeleteFactRequest
from agentmesh.memory.v1.origin_pb2 import Origin
from google.protobuf.timestamp_pb2 import Timestamp
from rich.text import Text

from meshclient import MeshClient
from meshctl.commands.arguments import JsonOption, UserOption
from meshctl.commands.call import call
from meshctl.commands.documents import ingest, list_documents
from meshctl.commands.extraction import list_extractions, settings
from meshctl.commands.facts import explain, list_facts, origin_of, put_fact, supersede
from meshctl.commands.privacy import erase, export, purge
from meshctl.console import err, out, plain, print_message, print_table
from meshctl.state import DEFAULT_STATE, StateOption
from meshkit.ids import is_id

app = typer.Typer(help="Look at what the mesh remembers, and change it.", no_args_is_help=True)
app.command("ingest")(ingest)
app.command("documents")(list_documents)

app.command("facts")(list_facts)
app.command("put")(put_fact)
app.command("supersede")(supersede)
app.command("explain")(explain)
app.command("extractions")(list_extractions)
app.command("settings")(settings)
app.command("export")(export)
app.command("erase")(erase)
app.command("purge")(purge)


@app.command("search")
def search(
    query: Annotated[str, typer.Argument(help="What to look for, in plain words.")],
    limit: Annotated[int, typer.Option(min=1, max=100, help="How many of each kind at most.")] = 10,
    user: UserOption = "",
    json: JsonOption = False,
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Find facts, turns of conversations and passages of documents, by words and by meaning."""
    request = GetContextRequest(
        user=user,
        query=query,
        token_budget=100_000,
        recent_limit=0,
        semantic_limit=limit,
        fact_limit=limit,
        document_limit=limit,
    )

    async def work(client: MeshClient) -> GetContextResponse:
        return await client.context.GetContext(request)

    _show(call(state, work), json=json)


@app.command("context")
def context(
    query: Annotated[str, typer.Argument(help="The question or message to be answered.")],
    session: Annotated[str, typer.Option(help="The session whose latest turns are wanted.")] = "",
    budget: Annotated[int, typer.Option(min=1, max=100_000, help="How many tokens all items may take.")] = 2000,
    prompt: Annotated[bool, typer.Option("--prompt", help="Print the text that a model would be given.")] = False,
    user: UserOption = "",
    json: JsonOption = False,
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Show what an agent would be given before it answers: with scores, sources and what it costs."""
    request = GetContextRequest(user=user, query=query, session=session, token_budget=budget)

    async def work(client: MeshClient) -> RenderPromptResponse:
        return await client.context.RenderPrompt(RenderPromptRequest(context=request))

    answer = call(state, work)
    if prompt:
        out.print(Text(plain(answer.text)), soft_wrap=True)
        return
    _show(answer.context, json=json)


@app.command("delete")
def delete(
    thing: Annotated[str, typer.Argument(metavar="ID", help="The id of a fact or a document.")],
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Delete a fact or a document from rows and index."""

    async def work(client: MeshClient) -> None:
        if is_id(thing, "doc"):
            await client.documents.DeleteDocument(DeleteDocumentRequest(document=thing))
        else:
            await client.facts.DeleteFact(DeleteFactRequest(fact=thing))

    call(state, work)


def _show(answer: GetContextResponse, *, json: bool) -> None:
    if json:
        print_message(answer)
        return
    rows = (
        (f"{item.score:.2f}", MemoryLayer.Name(item.layer).removeprefix("MEMORY_LAYER_").lower(), *_row(item))
        for item in answer.items
    )
    print_table(("score", "layer", "what", "said by", "when", "tokens"), rows)
    if answer.degraded:
        err.print("the vector index did not answer: only words were compared", style="yellow")


def _row(item: ContextItem) -> tuple[str, str, str, str]:
    match item.WhichOneof("source"):
        case "fact":
            fact = item.fact
            told = f"{fact.key}: {fact.value}", origin_of(fact), _day(fact.update_time)
        case "passage":
            passage = item.passage
            told = passage.text, f"{passage.title} [{passage.document}#{passage.number}]", ""
        case _:
            turn = item.interaction
            said_by = Origin.Name(turn.origin).removeprefix("ORIGIN_").lower()
            told = turn.input, turn.speaker or turn.source or said_by, _day(turn.create_time)
    return (*told, str(item.tokens))


def _day(time: Timestamp) -> str:
    return time.ToDatetime().strftime("%Y-%m-%d")
