"""Nobody reads another's memory: other users and other tenants, over every path, like ids that never were."""

import secrets
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from agentmesh.memory.v1.document_service_pb2 import (
    DeleteDocumentRequest,
    GetDocumentRequest,
    ListDocumentsRequest,
    SearchDocumentsRequest,
)
from agentmesh.memory.v1.interaction_service_pb2 import ListInteractionsRequest, SearchInteractionsRequest
from agentmesh.memory.v1.memory_service_pb2 import (
    DeleteFactRequest,
    GetFactRequest,
    ListFactsRequest,
    SearchFactsRequest,
)

from meshkit.errors import NotFound, PermissionDenied
from meshkit.ids import new_id
from tests.integration.memory.conftest import READ_WRITE, Client, Mesh, until

SECRET = "the vault code is swordfish"

READS: dict[str, Callable[[Client], Awaitable[Any]]] = {
    "list turns": lambda client: client.turns.ListInteractions(ListInteractionsRequest()),
    "list a session": lambda client: client.turns.ListInteractions(ListInteractionsRequest(session="s")),
    "search turns": lambda client: client.turns.SearchInteractions(SearchInteractionsRequest(query=SECRET, limit=100)),
    "search a session": lambda client: client.turns.SearchInteractions(
        SearchInteractionsRequest(query=SECRET, session="s")
    ),
    "list facts": lambda client: client.facts.ListFacts(ListFactsRequest()),
    "search facts": lambda client: client.facts.SearchFacts(SearchFactsRequest(query=SECRET, limit=100)),
    "list documents": lambda client: client.documents.ListDocuments(ListDocumentsRequest()),
    "search documents": lambda client: client.documents.SearchDocuments(
        SearchDocumentsRequest(query=SECRET, limit=100)
    ),
    "recall": lambda client: client.recall(SECRET, session="s", token_budget=100_000),
}


@pytest.fixture(params=["another user", "another tenant", "names that run together"])
def strangers(request: pytest.FixtureRequest, tenant: str) -> tuple[dict[str, str], dict[str, str]]:
    owner = {"tenant": tenant, "subject": "ada"}
    match request.param:
        case "another user":
            return owner, owner | {"subject": "bob"}
        case "another tenant":
            return owner, owner | {"tenant": f"{tenant}-rival"}
        case _:
            # Joined without care, both would give the same key.
            return {"tenant": f"{tenant}:u:x", "subject": "y"}, {"tenant": tenant, "subject": "x:u:y"}


async def test_no_read_shows_a_strangers_memory(mesh: Mesh, strangers: tuple[dict[str, str], dict[str, str]]) -> None:
    server = await mesh.serve()
    owner, stranger = [await mesh.client(server, **who) for who in strangers]
    await owner.say(SECRET, SECRET, session="s")
    fact = await owner.know("vault", SECRET)
    document = await owner.read(SECRET, title=SECRET, uri="file:vault")
    await until(lambda: owner.recall("swordfish"), lambda answer: not answer.degraded)
    for name, read in READS.items():
        assert "swordfish" in str(await read(owner)), f"the owner sees it: {name}"
        assert "swordfish" not in str(await read(stranger)), name
    await stranger.say("my own turn", session="s")
    assert "swordfish" not in str(await stranger.recall("turn", session="s"))
    assert not (await stranger.look_up(SECRET, document=document.id)).matches
    await stranger.read("my own text", uri="file:vault")
    assert (await owner.documents.GetDocument(GetDocumentRequest(document=document.id))).title == SECRET
    theirs, nobodys = [
        await refusals(stranger, *each) for each in ((fact.id, document.id), (new_id("fact"), new_id("doc")))
    ]
    assert theirs == nobodys, "told in the same words as an id that never was"
    assert (await owner.facts.GetFact(GetFactRequest(fact=fact.id))).value == SECRET, "it was not deleted either"


async def refusals(client: Client, fact: str, document: str) -> list[tuple[str, str]]:
    answers = []
    for call in (
        client.facts.GetFact(GetFactRequest(fact=fact)),
        client.facts.DeleteFact(DeleteFactRequest(fact=fact)),
        client.facts.DeleteFact(DeleteFactRequest(fact=fact, etag="etag_x")),
        client.documents.GetDocument(GetDocumentRequest(document=document)),
        client.documents.DeleteDocument(DeleteDocumentRequest(document=document)),
    ):
        with pytest.raises(NotFound) as caught:
            await call
        answers.append((caught.value.reason, caught.value.message))
    return answers


async def test_a_key_that_both_use_stays_two_facts(mesh: Mesh, tenant: str) -> None:
    server = await mesh.serve()
    ada, bob = [await mesh.client(server, tenant=tenant, subject=name) for name in ("ada", "bob")]
    first, second = await ada.know("city", "Paris"), await bob.know("city", "Rome")
    assert first.id != second.id
    assert (await ada.facts.GetFact(GetFactRequest(fact=first.id))).value == "Paris"


async def test_acting_for_others_needs_its_scope_and_stays_in_the_tenant(mesh: Mesh, tenant: str) -> None:
    server = await mesh.serve()
    ada = await mesh.client(server, tenant=tenant)
    backend = await mesh.client(server, *READ_WRITE, "users.act_as", tenant=tenant, subject="backend")
    rival = await mesh.client(server, *READ_WRITE, "users.act_as", tenant=f"{tenant}-rival", subject="backend")
    with pytest.raises(PermissionDenied):
        await ada.recall("anything", user="bob")
    with pytest.raises(PermissionDenied):
        await ada.say("I am Bob", user="bob")
    with pytest.raises(PermissionDenied):
        await ada.know("name", "Bob", user="bob")
    with pytest.raises(PermissionDenied):
        await ada.read("of Bob", user="bob")
    with pytest.raises(PermissionDenied):
        await ada.look_up("Bob", user="bob")
    fact = await backend.know("city", "Paris", user="ada")
    assert (await ada.facts.GetFact(GetFactRequest(fact=fact.id))).user == "ada"
    assert (await backend.facts.GetFact(GetFactRequest(fact=fact.id))).user == "ada"
    with pytest.raises(NotFound):
        await rival.facts.GetFact(GetFactRequest(fact=fact.id))
    assert not (await rival.facts.ListFacts(ListFactsRequest(user="ada"))).facts


async def test_random_talk_of_four_strangers_never_mixes(mesh: Mesh, tenant: str) -> None:
    server = await mesh.serve()
    who = [(t, u) for t in (tenant, f"{tenant}-b") for u in ("ada", "bob")]
    clients = {owner: await mesh.client(server, tenant=owner[0], subject=owner[1]) for owner in who}
    marks = {owner: secrets.token_hex(8) for owner in who}
    for number in range(6):
        for owner, client in clients.items():
            await client.say(f"note {number} about boats {marks[owner]}", session="s")
            await client.know(f"boat {number}", f"boats {marks[owner]}")
            await client.read(f"boats {marks[owner]}", uri="file:boats", title=f"boats {number}")
    for owner, client in clients.items():
        text = "".join([str(await read(client)) for read in READS.values()]) + str(await client.recall("boats notes"))
        assert marks[owner] in text
        assert not [other for other in who if other != owner and marks[other] in text]
