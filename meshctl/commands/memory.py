"""`mesh memory`: search, list, put, delete; what concerns documents is `documents`."""

from typing import Annotated

import typer
from agentmesh.memory.v1.context_pb2 import ContextItem
from agentmesh.memory.v1.context_service_pb2 import GetContextRequest, GetContextResponse
from agentmesh.memory.v1.document_service_pb2 import DeleteDocumentRequest
from agentmesh.memory.v1.fact_pb2 import Fact, FactCategory
from agentmesh.memory.v1.memory_service_pb2 import DeleteFactRequest, ListFactsRequest, PutFactRequest

from meshclient import MeshClient, new_request_id
from meshctl.commands.arguments import JsonOption
from meshctl.commands.call import call
from meshctl.commands.documents import UserOption, ingest, list_documents
from meshctl.console import err, out, print_message, print_table
from meshctl.state import DEFAULT_STATE, StateOption
from meshkit.ids import is_id

app = typer.Typer(help="Look at what the mesh remembers, and change it.", no_args_is_help=True)
app.command("ingest")(ingest)
app.command("documents")(list_documents)

CATEGORIES = {
    "profile": FactCategory.FACT_CATEGORY_PROFILE,
    "preference": FactCategory.FACT_CATEGORY_PREFERENCE,
    "goal": FactCategory.FACT_CATEGORY_GOAL,
    "knowledge": FactCategory.FACT_CATEGORY_KNOWLEDGE,
}


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


@app.command("list")
def list_facts(
    user: UserOption = "",
    limit: Annotated[int, typer.Option(min=1, max=500, help="How many at most.")] = 50,
    json: JsonOption = False,
    state: StateOption = DEFAULT_STATE,
) -> None:
    """List facts by key."""

    async def work(client: MeshClient) -> list[Fact]:
        return list((await client.facts.ListFacts(ListFactsRequest(user=user, page_size=limit))).facts)

    facts = call(state, work)
    if json:
        for fact in facts:
            print_message(fact)
        return
    rows = (
        (fact.id, fact.key, fact.value, _category(fact), fact.update_time.ToDatetime().isoformat(" ", "seconds"))
        for fact in facts
    )
    print_table(("fact", "key", "value", "category", "changed"), rows)


@app.command("put")
def put_fact(
    key: Annotated[str, typer.Argument(help="What it tells, e.g. city.")],
    value: Annotated[str, typer.Argument(help="The value, e.g. Paris.")],
    category: Annotated[str, typer.Option(help="profile, preference, goal or knowledge.")] = "knowledge",
    importance: Annotated[float, typer.Option(min=0, max=1, help="How much it matters.")] = 0.5,
    user: UserOption = "",
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Store a fact, or replace the one with the same key."""
    if category not in CATEGORIES:
        raise typer.BadParameter(f"one of {', '.join(sorted(CATEGORIES))}", param_hint="--category")

    async def work(client: MeshClient) -> Fact:
        request = PutFactRequest(
            request_id=new_request_id(),
            user=user,
            key=key,
            value=value,
            category=CATEGORIES[category],
            importance=importance,
        )
        return await client.facts.PutFact(request)

    out.print(call(state, work).id)


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


def _category(fact: Fact) -> str:
    return FactCategory.Name(fact.category).removeprefix("FACT_CATEGORY_").lower()
