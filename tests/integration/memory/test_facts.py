"""Facts through the contract: written once, replaced with care, listed in pages, told by whom."""

import pytest
from agentmesh.memory.v1.fact_pb2 import (
    FACT_CATEGORY_GOAL,
    FACT_CATEGORY_KNOWLEDGE,
    FACT_CATEGORY_PROFILE,
    FACT_ORIGIN_AGENT,
    FACT_ORIGIN_CLIENT,
)
from agentmesh.memory.v1.memory_service_pb2 import (
    DeleteFactRequest,
    GetFactRequest,
    ListFactsRequest,
    PutFactRequest,
    SearchFactsRequest,
)

from meshkit.errors import Aborted, InvalidArgument, NotFound
from tests.integration.memory.conftest import Mesh, request_id, until


async def test_a_fact_has_what_it_was_given_and_the_contracts_defaults(mesh: Mesh, tenant: str) -> None:
    ada = await mesh.client(await mesh.serve(), tenant=tenant)
    plain = await ada.know("city", "Paris")
    assert (plain.user, plain.category, plain.importance) == ("ada", FACT_CATEGORY_KNOWLEDGE, 0.5)
    assert plain.id.startswith("fact_")
    full = await ada.know("goal", "a marathon", category=FACT_CATEGORY_GOAL, importance=0.0, run="run_1")
    assert (full.category, full.importance, full.run) == (FACT_CATEGORY_GOAL, 0.0, "run_1")
    assert await ada.facts.GetFact(GetFactRequest(fact=full.id)) == full


async def test_putting_again_replaces_and_keeps_the_id(mesh: Mesh, tenant: str) -> None:
    ada = await mesh.client(await mesh.serve(), tenant=tenant)
    first = await ada.know("city", "Paris")
    same = await ada.know("city", "Paris", importance=0.9)
    moved = await ada.know("city", "Rome", etag=same.etag)
    assert first.id == same.id == moved.id
    assert len({first.etag, same.etag, moved.etag}) == 3
    assert first.create_time == moved.create_time
    assert same.update_time == first.update_time, "its value did not change"
    assert moved.update_time.ToNanoseconds() > first.update_time.ToNanoseconds()
    assert [fact.value for fact in (await ada.facts.ListFacts(ListFactsRequest())).facts] == ["Rome"]


async def test_an_etag_guards_against_changes_in_between(mesh: Mesh, tenant: str) -> None:
    ada = await mesh.client(await mesh.serve(), tenant=tenant)
    old = await ada.know("city", "Paris")
    new = await ada.know("city", "Rome")
    with pytest.raises(Aborted):
        await ada.know("city", "Oslo", etag=old.etag)
    with pytest.raises(Aborted):
        await ada.know("never stored", "x", etag=old.etag)
    with pytest.raises(Aborted):
        await ada.facts.DeleteFact(DeleteFactRequest(fact=new.id, etag=old.etag))
    await ada.facts.DeleteFact(DeleteFactRequest(fact=new.id, etag=new.etag))
    with pytest.raises(NotFound):
        await ada.facts.GetFact(GetFactRequest(fact=new.id))
    with pytest.raises(NotFound):
        await ada.facts.DeleteFact(DeleteFactRequest(fact=new.id))


async def test_a_repeated_request_gets_the_first_answer_whatever_happened_since(mesh: Mesh, tenant: str) -> None:
    ada = await mesh.client(await mesh.serve(), tenant=tenant)
    request = PutFactRequest(request_id=request_id(), key="city", value="Paris")
    first = await ada.facts.PutFact(request)
    await ada.know("city", "Rome")
    assert await ada.facts.PutFact(request) == first
    assert (await ada.facts.GetFact(GetFactRequest(fact=first.id))).value == "Rome"
    request.value = "Oslo"
    with pytest.raises(InvalidArgument) as caught:
        await ada.facts.PutFact(request)
    assert caught.value.reason == "REQUEST_ID_REUSED"


async def test_the_credentials_tell_who_wrote_a_fact(mesh: Mesh, tenant: str) -> None:
    server = await mesh.serve()
    ada = await mesh.client(server, tenant=tenant)
    agent = await mesh.client(server, tenant=tenant, service="agent")
    orchestrator = await mesh.client(server, tenant=tenant, service="orchestrator")
    assert (await ada.know("a", "1")).origin == FACT_ORIGIN_CLIENT
    assert (await orchestrator.know("b", "1")).origin == FACT_ORIGIN_CLIENT
    written = await agent.know("c", "1")
    assert (written.origin, written.user) == (FACT_ORIGIN_AGENT, "ada")


async def test_pages_follow_the_keys_and_their_query(mesh: Mesh, tenant: str) -> None:
    server = await mesh.serve()
    ada = await mesh.client(server, tenant=tenant)
    bob = await mesh.client(server, tenant=tenant, subject="bob")
    keys = ["Z", "a", "b", "ä", "日本", "b b"]
    for key in keys:
        await ada.know(key, "x", category=FACT_CATEGORY_PROFILE)
    seen: list[str] = []
    token = ""
    while True:
        page = await ada.facts.ListFacts(ListFactsRequest(page_size=2, page_token=token))
        seen += [fact.key for fact in page.facts]
        token = page.next_page_token
        if not token:
            break
        last = token
    assert seen == sorted(keys, key=str.encode)
    for refused in (
        bob.facts.ListFacts(ListFactsRequest(page_token=last)),
        ada.facts.ListFacts(ListFactsRequest(page_token=last, category=FACT_CATEGORY_PROFILE)),
        ada.facts.ListFacts(ListFactsRequest(page_token="made up")),
    ):
        with pytest.raises(InvalidArgument) as caught:
            await refused
        assert caught.value.reason == "PAGE_TOKEN_INVALID"
    other = await ada.facts.ListFacts(ListFactsRequest(category=FACT_CATEGORY_GOAL))
    assert not other.facts


async def test_a_search_finds_facts_by_words_and_meaning_and_forgets_deleted_ones(mesh: Mesh, tenant: str) -> None:
    ada = await mesh.client(await mesh.serve(), tenant=tenant)
    await ada.know("pet", "a tabby kitten called Miso")
    await ada.know("employer", "a shipyard in Gdansk")
    await ada.know("diet", "vegetarian")

    async def best(query: str) -> str:
        found = await ada.facts.SearchFacts(SearchFactsRequest(query=query))
        assert all(0 <= match.score <= 1 for match in found.matches)
        return found.matches[0].fact.key if found.matches else ""

    assert await best("who is Miso") == "pet", "words are searched before the index has caught up"
    await until(lambda: best("does she eat meat"), lambda key: key == "diet")
    moved = await ada.know("diet", "eats everything, loves steak")
    await ada.facts.DeleteFact(DeleteFactRequest(fact=moved.id))
    found = await ada.facts.SearchFacts(SearchFactsRequest(query="steak diet vegetarian"))
    assert "diet" not in [match.fact.key for match in found.matches]
