"""`mesh memory`: search and delete; what concerns facts is `facts`, documents `documents`."""

from typing import Annotated

import typer
from agentmesh.memory.v1.context_pb2 import ContextItem
from agentmesh.memory.v1.context_service_pb2 import GetContextRequest, GetContextResponse
from agentmesh.memory.v1.document_service_pb2 import DeleteDocumentRequest
from agentmesh.memory.v1.memory_service_pb2 import DeleteFactRequest

from meshclient import MeshClient
from meshctl.commands.arguments import JsonOption, UserOption
from meshctl.commands.call import call
from meshctl.commands.documents import ingest, list_documents
from meshctl.commands.facts import explain, list_facts, put_fact, supersede
from meshctl.console import err, print_message, print_table
from meshctl.state import DEFAULT_STATE, StateOption
from meshkit.ids import is_id

app = typer.Typer(help="Look at what the mesh remembers, and change it.", no_args_is_help=True)
app.command("ingest")(ingest)
app.command("documents")(list_documents)

app.command("facts")(list_facts)
app.command("put")(put_fact)
app.command("supersede")(supersede)
app.command("explain")(explain)


@app.command("search")
def search(
    query: Annotated[str, typer.Argument(help="What to look for, in plain words.")],
    limit: Annotated[int, typer.Option(min=1, max=100, help="How many turns and how many facts at most.")] = 10,
    user: UserOption = "",
    json: JsonOption = False,
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Find facts and turns of conversations by meaning: what an agent would be given."""

    async def work(client: MeshClient) -> GetContextResponse:
        request = GetContextRequest(
            user=user, query=query, token_budget=100_000, recent_limit=0, semantic_limit=limit, fact_limit=limit
        )
        return await client.context.GetContext(request)

    answer = call(state, work)
    if json:
        print_message(answer)
        return
    found = sorted(answer.items, key=lambda item: -item.score)
    print_table(("score", "kind", "what", "when"), ((f"{item.score:.2f}", *_row(item)) for item in found))
    if answer.degraded:
        err.print("the vector index did not answer: only words were compared", style="yellow")


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


def _row(item: ContextItem) -> tuple[str, str, str]:
    if item.HasField("fact"):
        return "fact", f"{item.fact.key}: {item.fact.value}", item.fact.update_time.ToDatetime().strftime("%Y-%m-%d")
    return "turn", item.interaction.input, item.interaction.create_time.ToDatetime().strftime("%Y-%m-%d")
