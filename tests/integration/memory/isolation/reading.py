"""Every way to read in the test of isolation: one's own, and what is another's by its id, name, token and words."""

from typing import Any

from agentmesh.memory.v1.context_service_pb2 import GetContextRequest, RenderPromptRequest
from agentmesh.memory.v1.document_service_pb2 import (
    GetDocumentRequest,
    ListDocumentsRequest,
    SearchDocumentsRequest,
)
from agentmesh.memory.v1.extraction_service_pb2 import ExtractFactsRequest, ListExtractionsRequest
from agentmesh.memory.v1.interaction_service_pb2 import ListInteractionsRequest, SearchInteractionsRequest
from agentmesh.memory.v1.memory_service_pb2 import (
    ExplainFactRequest,
    GetFactRequest,
    ListFactsRequest,
    ListFactVersionsRequest,
    SearchFactsRequest,
)
from agentmesh.memory.v1.privacy_service_pb2 import EraseUserRequest, ExportUserRequest, PurgeBySourceRequest
from google.protobuf.message import Message

from meshkit.ids import new_id
from tests.integration.memory.isolation.people import Client, Person, Refusal, World
from tests.integration.memory.isolation.writing import SESSIONS, SOURCES, alike, whom

__all__ = ["act_for_another", "everything", "export", "extract", "list_pages", "look_at", "peep", "recall", "search"]


async def list_pages(world: World, person: Person) -> None:
    """List, sometimes from where somebody else's page ended."""
    owner, user = whom(world, person)
    fact = world.id_of("fact", person.may_see)
    session, size = world.random.choice(SESSIONS), world.random.choice((0, 1, 3))
    lists: dict[str, Any] = {
        "ListInteractions": lambda token: person.client.turns.ListInteractions(
            ListInteractionsRequest(user=user, session=session, page_size=size, page_token=token)),
        "ListFacts": lambda token: person.client.facts.ListFacts(
            ListFactsRequest(user=user, page_size=size, page_token=token)),
        "ListDocuments": lambda token: person.client.documents.ListDocuments(
            ListDocumentsRequest(user=user, page_size=size, page_token=token)),
        "ListExtractions": lambda token: person.client.extraction.ListExtractions(
            ListExtractionsRequest(user=user, page_size=size, page_token=token)),
        "ListFactVersions": lambda token: person.client.facts.ListFactVersions(
            ListFactVersionsRequest(fact=fact or new_id("fact"), page_size=size, page_token=token)),
    }  # fmt: skip
    method = world.random.choice(list(lists))
    about = None if method == "ListFactVersions" else owner
    tokens = world.tokens[method]
    token = world.random.choice(tokens) if tokens and world.random.random() < 0.4 else ""
    answers = await world.ask(person, method, lambda: lists[method](token), about)
    for answer in () if isinstance(answers, Refusal) else answers:
        if answer.next_page_token:
            tokens.append(answer.next_page_token)
            del tokens[:-50]


async def search(world: World, person: Person) -> None:
    """Search for the very words of others."""
    owner, user = whom(world, person)
    query = f"{world.other_than(person).canary} {owner.canary} vault"
    session, limit = world.random.choice(SESSIONS), world.random.choice((0, 100))
    method, call = world.random.choice((
        ("SearchInteractions", lambda: person.client.turns.SearchInteractions(
            SearchInteractionsRequest(user=user, query=query, session=session, limit=limit))),
        ("SearchFacts", lambda: person.client.facts.SearchFacts(
            SearchFactsRequest(user=user, query=query, limit=limit))),
        ("SearchDocuments", lambda: person.client.documents.SearchDocuments(
            SearchDocumentsRequest(user=user, query=query, limit=limit))),
    ))  # fmt: skip
    await world.ask(person, method, call, owner)


async def recall(world: World, person: Person) -> None:
    """Ask for a context, as a message or as text; twice for the cache."""
    owner, user = whom(world, person)
    request = GetContextRequest(
        user=user, session=world.random.choice(SESSIONS), query=f"{world.other_than(person).canary} garden vault",
        token_budget=world.random.choice((0, 20_000)),
    )  # fmt: skip
    caller: Client = person.agent if person.agent and world.random.random() < 0.3 else person.client
    if world.random.random() < 0.3:
        wanted = RenderPromptRequest(context=request)
        await world.ask(person, "RenderPrompt", lambda: caller.contexts.RenderPrompt(wanted), owner)
    else:
        await world.ask(person, "GetContext", lambda: caller.contexts.GetContext(request), owner)


async def look_at(world: World, person: Person) -> None:
    """Read something that is open to the person, by its id."""
    kind = world.random.choice(("fact", "fact", "doc"))
    if name := world.id_of(kind, person.may_see):
        method, call = world.random.choice(_by_id(person.client)[kind])
        await world.ask(person, method, lambda: call(name), world.owners[name])


async def peep(world: World, person: Person) -> None:
    """Read something that is closed to the person, by its id."""
    kind = world.random.choice(("int", "fact", "doc"))
    name = world.id_of(kind, lambda owner: not person.may_see(owner))
    if name and kind != "int":
        method, call = world.random.choice(_by_id(person.client)[kind])
        await alike(world, person, method, call, name, new_id(kind))
        if kind == "doc":
            request = SearchDocumentsRequest(query=world.owners[name].canary, document=name, limit=100)
            answers = await world.ask(
                person, "SearchDocuments", lambda: person.client.documents.SearchDocuments(request), person
            )
            if isinstance(answers, list) and any(answer.matches for answer in answers):
                world.problems.append(f"SearchDocuments of {person} finds {answers} in {name}")
    elif name:
        call = person.client.extraction.ExtractFacts
        await alike(
            world, person, "ExtractFacts", lambda each: call(ExtractFactsRequest(interaction=each, dry_run=True)),
            name, new_id("int"),
        )  # fmt: skip


def _by_id(client: Client) -> dict[str, list[tuple[str, Any]]]:
    return {
        "fact": [
            ("GetFact", lambda name: client.facts.GetFact(GetFactRequest(fact=name))),
            ("ExplainFact", lambda name: client.facts.ExplainFact(ExplainFactRequest(fact=name))),
            ("ListFactVersions", lambda name: client.facts.ListFactVersions(ListFactVersionsRequest(fact=name))),
        ],
        "doc": [("GetDocument", lambda name: client.documents.GetDocument(GetDocumentRequest(document=name)))],
    }


async def extract(world: World, person: Person) -> None:
    """Have a turn of one's own looked through."""
    name = world.id_of("int", lambda owner: owner is person)
    if name is None:
        return
    request = ExtractFactsRequest(interaction=name, dry_run=world.random.random() < 0.5)
    await world.ask(person, "ExtractFacts", lambda: person.client.extraction.ExtractFacts(request), person)


async def everything(client: Client, user: str = "") -> list[Message]:
    """Return what is exported of a user."""
    return [record async for record in client.privacy.ExportUser(ExportUserRequest(user=user))]


async def export(world: World, person: Person) -> None:
    """Take everything out."""
    owner, user = whom(world, person)
    await world.ask(person, "ExportUser", lambda: everything(person.client, user), owner)


async def act_for_another(world: World, person: Person) -> None:
    """Name another user without the right to: whoever it is, and whether there is one, is not told."""
    if person.is_clerk:
        return
    named = [
        other.user for other in world.people
        if other is not person and other.user != person.user and other.user.isprintable()
    ]  # fmt: skip
    word, client = world.other_than(person).canary, person.client
    method, call = world.random.choice((
        ("ListInteractions", lambda user: client.turns.ListInteractions(ListInteractionsRequest(user=user))),
        ("SearchInteractions", lambda user: client.turns.SearchInteractions(
            SearchInteractionsRequest(user=user, query=word))),
        ("ListFacts", lambda user: client.facts.ListFacts(ListFactsRequest(user=user))),
        ("SearchFacts", lambda user: client.facts.SearchFacts(SearchFactsRequest(user=user, query=word))),
        ("ListDocuments", lambda user: client.documents.ListDocuments(ListDocumentsRequest(user=user))),
        ("SearchDocuments", lambda user: client.documents.SearchDocuments(
            SearchDocumentsRequest(user=user, query=word))),
        ("GetContext", lambda user: client.contexts.GetContext(GetContextRequest(user=user, query=word))),
        ("RenderPrompt", lambda user: client.contexts.RenderPrompt(
            RenderPromptRequest(context=GetContextRequest(user=user, query=word)))),
        ("ListExtractions", lambda user: client.extraction.ListExtractions(ListExtractionsRequest(user=user))),
        ("ExportUser", lambda user: everything(client, user)),
        ("EraseUser", lambda user: client.privacy.EraseUser(EraseUserRequest(user=user))),
        ("PurgeBySource", lambda user: client.privacy.PurgeBySource(
            PurgeBySourceRequest(user=user, source=SOURCES[0]))),
    ))  # fmt: skip
    await alike(world, person, method, call, world.random.choice(named), f"nobody-{word}")
