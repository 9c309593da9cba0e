"""What a fact was before, who says otherwise, and what was true and known when."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from agentmesh.memory.v1.fact_pb2 import (
    FACT_CATEGORY_KNOWLEDGE,
    FACT_CATEGORY_PROFILE,
    FACT_CHANGE_CONTESTED,
    FACT_CHANGE_REPLACED,
    FACT_CHANGE_STATED,
    FACT_CHANGE_SUPERSEDED,
    FACT_ORIGIN_CLIENT,
    FACT_ORIGIN_DOCUMENT,
    FACT_ORIGIN_TOOL,
    Fact,
)
from agentmesh.memory.v1.memory_service_pb2 import (
    DeleteFactRequest,
    ExplainFactRequest,
    GetFactRequest,
    ListFactsRequest,
    ListFactVersionsRequest,
    SearchFactsRequest,
    SupersedeFactRequest,
)
from agentmesh.memory.v1.origin_pb2 import ORIGIN_DOCUMENT, ORIGIN_TOOL, ORIGIN_USER
from google.protobuf.timestamp_pb2 import Timestamp

from meshkit.errors import Aborted, InvalidArgument, NotFound
from tests.integration.memory.conftest import Client, Mesh, request_id


def at(year: int, month: int = 1) -> Timestamp:
    return stamp(datetime(year, month, 1, tzinfo=UTC))


def stamp(time: datetime) -> Timestamp:
    message = Timestamp()
    message.FromDatetime(time)
    return message


async def supersede(client: Client, fact: Fact, value: str, **fields: Any) -> Fact:
    return await client.facts.SupersedeFact(
        SupersedeFactRequest(request_id=request_id(), fact=fact.id, value=value, **fields)
    )


async def versions(client: Client, fact: Fact, size: int = 0) -> list[tuple[int, int, str]]:
    found, token = [], ""
    while True:
        page = await client.facts.ListFactVersions(
            ListFactVersionsRequest(fact=fact.id, page_size=size, page_token=token)
        )
        found += [(version.number, version.change, version.fact.value) for version in page.versions]
        token = page.next_page_token
        if not token:
            return found


async def true_at(client: Client, **times: Timestamp) -> dict[str, str]:
    page = await client.facts.ListFacts(ListFactsRequest(**times))
    return {fact.key: fact.value for fact in page.facts}


async def test_what_was_replaced_stays_in_the_history(mesh: Mesh, tenant: str) -> None:
    ada = await mesh.client(await mesh.serve(), tenant=tenant)
    lyon = await ada.know("city", "Lyon", importance=0.9, category=FACT_CATEGORY_PROFILE)
    again = await ada.know("city", "Lyon", importance=0.9, category=FACT_CATEGORY_PROFILE)
    assert again.etag == lyon.etag
    assert (again.version, again.confirm_time.ToNanoseconds() > lyon.update_time.ToNanoseconds()) == (1, True)
    rome = await ada.know("city", "Rome")
    paris = await supersede(ada, rome, "Paris", reason="moved to Paris", importance=0.8)
    assert (paris.id, paris.version, paris.importance, paris.create_time) == (lyon.id, 3, 0.8, lyon.create_time)
    expected = [
        (3, FACT_CHANGE_SUPERSEDED, "Paris"),
        (2, FACT_CHANGE_REPLACED, "Rome"),
        (1, FACT_CHANGE_STATED, "Lyon"),
    ]
    for size in (0, 1, 2):
        assert await versions(ada, paris, size) == expected
    explained = await ada.facts.ExplainFact(ExplainFactRequest(fact=paris.id))
    assert explained.fact == paris
    assert [version.fact.value for version in explained.replaced] == ["Rome", "Lyon"]
    assert explained.replaced[0].replace_time == paris.update_time
    assert (await ada.facts.ListFactVersions(ListFactVersionsRequest(fact=paris.id))).versions[0].reason == (
        "moved to Paris"
    )


async def test_what_was_true_and_what_was_known_are_told_apart(mesh: Mesh, tenant: str) -> None:
    ada = await mesh.client(await mesh.serve(), tenant=tenant)
    lyon = await ada.know("city", "Lyon", valid_from=at(2010))
    paris = await supersede(ada, lyon, "Paris", valid_from=at(2020))
    oslo = await supersede(ada, paris, "Oslo", reason="it was never Paris")
    assert await true_at(ada) == {"city": "Oslo"}
    # Lyon was true until Paris began to be; Paris was an error, for nobody said until when.
    assert await true_at(ada, valid_at=at(2015)) == {"city": "Oslo"}, "nobody said since when Oslo is true"
    assert await true_at(ada, valid_at=at(2015), known_at=paris.update_time) == {"city": "Lyon"}
    assert await true_at(ada, valid_at=at(2021), known_at=paris.update_time) == {"city": "Paris"}
    assert await true_at(ada, valid_at=at(2021), known_at=lyon.update_time) == {"city": "Lyon"}
    assert await true_at(ada, valid_at=at(2005), known_at=lyon.update_time) == {}
    before = stamp(lyon.update_time.ToDatetime() - timedelta(seconds=1))
    assert await true_at(ada, known_at=before) == {}
    assert oslo.version == 3


async def test_what_is_over_is_neither_listed_nor_found(mesh: Mesh, tenant: str) -> None:
    ada = await mesh.client(await mesh.serve(), tenant=tenant)
    over = await ada.know("gym", "a member of the harbour gym", valid_from=at(2019), valid_to=at(2021))
    await ada.know("pool", "a member of the harbour pool")
    assert set(await true_at(ada)) == {"pool"}
    assert set(await true_at(ada, valid_at=at(2020))) == {"gym", "pool"}
    found = await ada.facts.SearchFacts(SearchFactsRequest(query="member of the harbour"))
    assert [match.fact.key for match in found.matches] == ["pool"]
    recalled = await ada.recall("member of the harbour")
    assert [item.fact.key for item in recalled.items] == ["pool"]
    assert (await ada.facts.GetFact(GetFactRequest(fact=over.id))).valid_to == at(2021)
    for times in ({"valid_from": at(2021), "valid_to": at(2021)}, {"valid_to": at(2018)}):
        with pytest.raises(InvalidArgument) as caught:
            await ada.know("gym", over.value, **times)
        assert [violation.field for violation in caught.value.field_violations] == ["valid_to"]
    for field in ("valid_at", "known_at"):
        with pytest.raises(InvalidArgument) as caught:
            await true_at(ada, **{field: Timestamp(seconds=10**12)})
        assert [violation.field for violation in caught.value.field_violations] == [field]
    # Said once more, it is true once more; that it was over for a while stays known.
    back = await ada.know("gym", over.value)
    assert (back.version, back.HasField("valid_to")) == (2, False)
    assert set(await true_at(ada)) == {"gym", "pool"}
    assert set(await true_at(ada, known_at=over.update_time)) == set()


async def test_what_begins_later_hides_nothing_until_then(mesh: Mesh, tenant: str) -> None:
    ada = await mesh.client(await mesh.serve(), tenant=tenant)
    await ada.know("city", "Lyon", category=FACT_CATEGORY_PROFILE)
    later = datetime.now(UTC) + timedelta(days=30)
    await ada.know("city", "Paris", valid_from=stamp(later))
    assert await true_at(ada) == {"city": "Lyon"}
    assert await true_at(ada, valid_at=stamp(later)) == {"city": "Paris"}
    request = ListFactsRequest(category=FACT_CATEGORY_PROFILE, valid_at=stamp(later))
    assert not (await ada.facts.ListFacts(request)).facts, "what another version was about is not asked for"


async def test_a_correction_of_its_times_is_told_apart_from_what_was_known(mesh: Mesh, tenant: str) -> None:
    ada = await mesh.client(await mesh.serve(), tenant=tenant)
    member = await ada.know("gym", "member", valid_from=at(2010))
    ended = await ada.know("gym", "member", valid_to=at(2020))
    assert (ended.version, ended.valid_from) == (2, at(2010))
    assert await true_at(ada, valid_at=at(2021)) == {}
    assert await true_at(ada, valid_at=at(2021), known_at=member.update_time) == {"gym": "member"}


async def test_who_is_less_trusted_is_shown_and_not_believed(mesh: Mesh, tenant: str) -> None:
    server = await mesh.serve()
    ada = await mesh.client(server, tenant=tenant)
    agent = await mesh.client(server, tenant=tenant, service="agent")
    mine = await ada.know("role", "gardener", category=FACT_CATEGORY_PROFILE)
    seen = await agent.know("role", "admin", category=FACT_CATEGORY_PROFILE, run="run_1", step="step_1")
    assert (seen.id, seen.value, seen.origin, seen.contested) == (mine.id, "gardener", FACT_ORIGIN_CLIENT, True)
    await agent.know("role", "root", origin=ORIGIN_TOOL, source="tool:web_fetch")
    explained = await ada.facts.ExplainFact(ExplainFactRequest(fact=mine.id))
    told = [(each.change, each.fact.value, each.fact.origin, each.fact.source) for each in explained.contesting]
    assert told[0] == (FACT_CHANGE_CONTESTED, "root", FACT_ORIGIN_TOOL, "tool:web_fetch")
    assert told[1][1] == "admin"
    assert explained.contesting[1].fact.run == "run_1"
    assert explained.contesting[1].fact.category == FACT_CATEGORY_KNOWLEDGE, "an agent's word is no profile"
    insisting = await agent.know("role", "admin")
    assert insisting.etag == explained.fact.etag, "who says it again adds nothing"
    settled = await ada.know("role", "head gardener", category=FACT_CATEGORY_PROFILE)
    assert not settled.contested
    assert [number for number, _, _ in await versions(ada, settled)] == [4, 3, 2, 1]
    for size in (1, 2, 3):
        assert await versions(ada, settled, size) == await versions(ada, settled)
    contested = await agent.know("role", "admin")
    assert contested.contested, "what is settled may be contested anew"
    for size in (1, 2, 4):
        found = await versions(ada, contested, size)
        assert [(number, change) for number, change, _ in found[:2]] == [
            (5, FACT_CHANGE_CONTESTED),
            (4, FACT_CHANGE_REPLACED),
        ]
    confirmed = await ada.know("role", "head gardener", category=FACT_CATEGORY_PROFILE)
    assert (confirmed.contested, confirmed.version) == (False, 4)


async def test_nobody_speaks_for_the_user_but_the_user(mesh: Mesh, tenant: str) -> None:
    server = await mesh.serve()
    ada = await mesh.client(server, tenant=tenant)
    agent = await mesh.client(server, tenant=tenant, service="agent")
    with pytest.raises(InvalidArgument):
        await agent.know("role", "admin", origin=ORIGIN_USER)
    noted = await agent.know("colour", "green", category=FACT_CATEGORY_PROFILE)
    assert noted.category == FACT_CATEGORY_KNOWLEDGE
    read = await ada.know("colour", "blue", origin=ORIGIN_DOCUMENT, source="file:a.md")
    assert (read.value, read.contested) == ("green", True), "an agent is believed before a document"
    fresh = await ada.know("shade", "teal", origin=ORIGIN_DOCUMENT, category=FACT_CATEGORY_PROFILE)
    assert (fresh.origin, fresh.category) == (FACT_ORIGIN_DOCUMENT, FACT_CATEGORY_KNOWLEDGE)
    said = await ada.know("colour", "red", category=FACT_CATEGORY_PROFILE)
    assert (said.value, said.origin, said.category) == ("red", FACT_ORIGIN_CLIENT, FACT_CATEGORY_PROFILE)
    standing = [item.fact.key for item in (await ada.recall("zzz qqq")).items]
    assert standing == ["colour"], "what documents say is told only when it fits"


async def test_an_etag_guards_a_change_and_a_repetition_changes_nothing(mesh: Mesh, tenant: str) -> None:
    ada = await mesh.client(await mesh.serve(), tenant=tenant)
    old = await ada.know("city", "Lyon")
    request = SupersedeFactRequest(request_id=request_id(), fact=old.id, value="Paris", etag=old.etag)
    first = await ada.facts.SupersedeFact(request)
    assert await ada.facts.SupersedeFact(request) == first
    assert len(await versions(ada, first)) == 2
    with pytest.raises(Aborted):
        await supersede(ada, old, "Rome", etag=old.etag)
    request.value = "Oslo"
    with pytest.raises(InvalidArgument):
        await ada.facts.SupersedeFact(request)


async def test_a_fact_cites_its_turn_as_long_as_that_is_kept(mesh: Mesh, tenant: str) -> None:
    ada = await mesh.client(await mesh.serve(), tenant=tenant)
    turn = await ada.say("I moved to Paris last week")
    fact = await ada.know("city", "Paris", interaction=turn.id, quote="I moved to Paris", source="talk")
    explained = await ada.facts.ExplainFact(ExplainFactRequest(fact=fact.id))
    assert explained.interaction == turn
    assert (explained.fact.quote, explained.fact.source) == ("I moved to Paris", "talk")
    other = await ada.know("street", "x", interaction="int_unknown")
    assert not (await ada.facts.ExplainFact(ExplainFactRequest(fact=other.id))).HasField("interaction")


async def test_many_at_once_leave_no_gap(mesh: Mesh, tenant: str) -> None:
    server = await mesh.serve()
    ada = await mesh.client(server, tenant=tenant)
    agent = await mesh.client(server, tenant=tenant, service="agent")
    told = [(ada, f"city {number}") for number in range(12)] + [(agent, f"town {number}") for number in range(6)]
    facts = await asyncio.gather(*(client.know("city", value) for client, value in told))
    assert len({fact.id for fact in facts}) == 1
    found = await versions(ada, facts[0], 5)
    assert [number for number, _, _ in found] == list(range(18, 0, -1))
    assert {value for _, _, value in found} == {value for _, value in told}
    assert (await ada.facts.GetFact(GetFactRequest(fact=facts[0].id))).value.startswith("city")


async def test_a_deleted_fact_has_no_history_and_a_strangers_is_not_found(mesh: Mesh, tenant: str) -> None:
    server = await mesh.serve()
    ada, bob = [await mesh.client(server, tenant=tenant, subject=name) for name in ("ada", "bob")]
    other = await mesh.client(server, tenant=f"{tenant}-other")
    fact = await ada.know("city", "Lyon")
    await ada.know("city", "Paris")
    for client, name in ((bob, fact.id), (other, fact.id), (ada, "fact_unknown")):
        for call in (
            client.facts.ExplainFact(ExplainFactRequest(fact=name)),
            client.facts.ListFactVersions(ListFactVersionsRequest(fact=name)),
            client.facts.SupersedeFact(SupersedeFactRequest(request_id=request_id(), fact=name, value="x")),
        ):
            with pytest.raises(NotFound) as caught:
                await call
            assert caught.value.message == "no such fact"
    await ada.facts.DeleteFact(DeleteFactRequest(fact=fact.id))
    with pytest.raises(NotFound):
        await ada.facts.ExplainFact(ExplainFactRequest(fact=fact.id))
    again = await ada.know("city", "Oslo")
    assert await versions(ada, again) == [(1, FACT_CHANGE_STATED, "Oslo")]
