"""Facts from what users say, through the contract: found behind the turns, gated, told by their turn, once."""

import signal
from typing import Any

import asyncpg
import pytest
from agentmesh.memory.v1.extraction_pb2 import (
    EXTRACTION_MODE_DRY_RUN,
    EXTRACTION_MODE_OFF,
    EXTRACTION_MODE_ON,
    EXTRACTION_VERDICT_KEPT,
    EXTRACTION_VERDICT_NOT_THE_USER,
    EXTRACTION_VERDICT_NOT_WORTH_KEEPING,
    EXTRACTION_VERDICT_RECALLED,
    Extraction,
)
from agentmesh.memory.v1.extraction_service_pb2 import ExtractFactsRequest, ListExtractionsRequest
from agentmesh.memory.v1.fact_pb2 import FACT_CATEGORY_PROFILE, FACT_CHANGE_SUPERSEDED, FACT_ORIGIN_EXTRACTION, Fact
from agentmesh.memory.v1.memory_service_pb2 import DeleteFactRequest, ExplainFactRequest, ListFactsRequest
from agentmesh.memory.v1.origin_pb2 import ORIGIN_DOCUMENT, ORIGIN_TOOL
from agentmesh.memory.v1.settings_service_pb2 import MemorySettings, UpdateMemorySettingsRequest
from google.protobuf.timestamp_pb2 import Timestamp

from meshkit.errors import FailedPrecondition, InvalidArgument, NotFound, PermissionDenied, Unavailable
from tests.integration.memory.conftest import READ_WRITE, Client, Mesh, Processes, until

ALL = (*READ_WRITE, "memory_settings.write")


async def switch(client: Client, mode: Any) -> None:
    settings = MemorySettings(extraction=mode)
    await client.settings.UpdateMemorySettings(UpdateMemorySettingsRequest(settings=settings))


async def facts(client: Client) -> dict[str, Fact]:
    return {fact.key: fact for fact in (await client.facts.ListFacts(ListFactsRequest())).facts}


async def reports(client: Client, **fields: Any) -> list[Extraction]:
    return list((await client.extraction.ListExtractions(ListExtractionsRequest(**fields))).extractions)


async def extract(client: Client, turn: str, **fields: Any) -> Extraction:
    found: Extraction = await client.extraction.ExtractFacts(ExtractFactsRequest(interaction=turn, **fields))
    return found


async def test_what_a_user_says_becomes_a_fact_that_cites_its_turn(mesh: Mesh, tenant: str) -> None:
    ada = await mesh.client(await mesh.serve(), *ALL, tenant=tenant)
    await switch(ada, EXTRACTION_MODE_ON)
    turn = await ada.say("Hello! I live in Lyon. Is it going to rain?", "It will be dry.", session="s", run="run_7")
    known = await until(lambda: facts(ada), lambda found: "home" in found)
    home = known["home"]
    assert (home.value, home.origin, home.category) == ("Lyon", FACT_ORIGIN_EXTRACTION, FACT_CATEGORY_PROFILE)
    assert (home.interaction, home.quote, home.run) == (turn.id, "I live in Lyon", "run_7")
    (report,) = await reports(ada)
    assert (report.interaction, report.extractor, report.dry_run) == (turn.id, "builtin/rules", False)
    assert [(each.verdict, each.fact) for each in report.candidates] == [(EXTRACTION_VERDICT_KEPT, home.id)]
    assert (await ada.facts.ExplainFact(ExplainFactRequest(fact=home.id))).interaction == turn


async def test_a_correction_supersedes_and_the_old_value_is_explained(mesh: Mesh, tenant: str) -> None:
    ada = await mesh.client(await mesh.serve(), *ALL, tenant=tenant)
    await switch(ada, EXTRACTION_MODE_ON)
    await ada.say("I live in Lyon", session="s")
    first = (await until(lambda: facts(ada), lambda found: "home" in found))["home"]
    turn = await ada.say("I moved to Paris", session="s")
    second = (await until(lambda: facts(ada), lambda found: found["home"].value == "Paris"))["home"]
    assert (second.id, second.version, second.valid_from) == (first.id, 2, turn.create_time)
    why = await ada.facts.ExplainFact(ExplainFactRequest(fact=second.id))
    assert [(old.fact.value, old.fact.quote) for old in why.replaced] == [("Lyon", "I live in Lyon")]
    await ada.say("Sorry, it's Porto, not Paris.", session="s")
    third = (await until(lambda: facts(ada), lambda found: found["home"].value == "Porto"))["home"]
    why = await ada.facts.ExplainFact(ExplainFactRequest(fact=third.id))
    assert [(old.fact.value, old.change) for old in why.replaced[:1]] == [("Paris", FACT_CHANGE_SUPERSEDED)]


async def test_what_was_said_before_does_not_replace_what_was_said_later(mesh: Mesh, tenant: str) -> None:
    ada = await mesh.client(await mesh.serve(), *ALL, tenant=tenant)
    await switch(ada, EXTRACTION_MODE_ON)
    await ada.know("home", "Paris", category=FACT_CATEGORY_PROFILE)
    old = Timestamp(seconds=1_600_000_000)
    turn = await ada.say("I live in Lyon", create_time=old)
    (report,) = await until(lambda: reports(ada), lambda found: len(found) == 1)
    assert [each.verdict for each in report.candidates] == [EXTRACTION_VERDICT_NOT_WORTH_KEEPING]
    assert (await facts(ada))["home"].value == "Paris"
    assert await extract(ada, turn.id) == report
    await ada.say("I live in Rome now")
    moved = (await until(lambda: facts(ada), lambda found: found["home"].value == "Rome"))["home"]
    assert moved.origin == FACT_ORIGIN_EXTRACTION


async def test_a_turn_gives_its_facts_once(mesh: Mesh, tenant: str) -> None:
    ada = await mesh.client(await mesh.serve(), *ALL, tenant=tenant)
    await switch(ada, EXTRACTION_MODE_ON)
    turn = await ada.say("I am allergic to peanuts and I live in Lyon")
    (report,) = await until(lambda: reports(ada), lambda found: len(found) == 1)
    known = await facts(ada)
    assert set(known) == {"allergy_peanuts", "home"}
    await ada.facts.DeleteFact(DeleteFactRequest(fact=known["home"].id))
    assert await extract(ada, turn.id) == report
    assert set(await facts(ada)) == {"allergy_peanuts"}, "what was deleted stays deleted"


async def test_saying_it_again_confirms_it(mesh: Mesh, tenant: str) -> None:
    ada = await mesh.client(await mesh.serve(), *ALL, tenant=tenant)
    await switch(ada, EXTRACTION_MODE_ON)
    await ada.say("I live in Lyon")
    first = (await until(lambda: facts(ada), lambda found: "home" in found))["home"]
    turn = await ada.say("I live in lyon, what is on tonight?")
    await until(lambda: reports(ada), lambda found: len(found) == 2)
    again = (await facts(ada))["home"]
    assert (again.version, again.value, again.interaction) == (1, "Lyon", first.interaction)
    assert again.confirm_time == turn.create_time


async def test_a_dry_run_of_a_call_leaves_no_trace(mesh: Mesh, tenant: str) -> None:
    ada = await mesh.client(await mesh.serve(), *ALL, tenant=tenant)
    turn = await ada.say("I live in Lyon")
    with pytest.raises(FailedPrecondition):
        await extract(ada, turn.id, dry_run=True)  # the tenant said off
    await switch(ada, EXTRACTION_MODE_ON)
    report = await extract(ada, turn.id, dry_run=True)
    assert report.dry_run
    assert [(each.verdict, each.fact) for each in report.candidates] == [(EXTRACTION_VERDICT_KEPT, "")]
    assert not await facts(ada)
    assert not await reports(ada)
    stored = await extract(ada, turn.id)
    assert stored.candidates[0].fact == (await facts(ada))["home"].id


async def test_a_tenant_on_dry_run_gets_reports_and_no_facts_until_it_is_on(mesh: Mesh, tenant: str) -> None:
    ada = await mesh.client(await mesh.serve(), *ALL, tenant=tenant)
    await switch(ada, EXTRACTION_MODE_DRY_RUN)
    turn = await ada.say("I live in Lyon")
    (report,) = await until(lambda: reports(ada), lambda found: len(found) == 1)
    assert (report.dry_run, report.candidates[0].verdict) == (True, EXTRACTION_VERDICT_KEPT)
    assert (await extract(ada, turn.id)).dry_run, "the call cannot allow more than the tenant does"
    assert not await facts(ada)
    await switch(ada, EXTRACTION_MODE_ON)
    assert not (await extract(ada, turn.id)).dry_run
    assert (await facts(ada))["home"].value == "Lyon"


async def test_nothing_waits_for_a_tenant_that_wants_none(
    mesh: Mesh, tenant: str, database: "asyncpg.Connection[Any]"
) -> None:
    ada = await mesh.client(await mesh.serve(), *ALL, tenant=tenant)
    await ada.say("I live in Lyon")
    await switch(ada, EXTRACTION_MODE_ON)
    await ada.say("I live in Lyon", origin=ORIGIN_TOOL, source="tool:web_fetch")
    sql = "SELECT count(*) FROM memory.outbox WHERE tenant = $1 AND target = 'extraction'"
    assert await database.fetchval(sql, tenant) == 0, "neither of a tenant that is off, nor of what no user said"
    await switch(ada, EXTRACTION_MODE_OFF)


async def test_only_the_users_own_words_count(mesh: Mesh, tenant: str) -> None:
    server = await mesh.serve()
    ada = await mesh.client(server, *ALL, tenant=tenant)
    agent = await mesh.client(server, tenant=tenant, service="agent")
    await switch(ada, EXTRACTION_MODE_ON)
    page = await ada.say("I live in Rome", origin=ORIGIN_DOCUMENT, source="https://example.com/page")
    asked = await agent.say("I live in Rome")
    for turn in (page, asked):
        report = await extract(ada, turn.id)
        assert [each.verdict for each in report.candidates] == [EXTRACTION_VERDICT_NOT_THE_USER]
    await ada.say("What do you know of me?", "You live in Rome.", session="s")
    echo = await ada.say("I live in Rome", session="s")
    assert [each.verdict for each in (await extract(ada, echo.id)).candidates] == [EXTRACTION_VERDICT_RECALLED]
    assert not await facts(ada)


async def test_a_secret_is_kept_in_no_report(mesh: Mesh, tenant: str) -> None:
    ada = await mesh.client(await mesh.serve(), *ALL, tenant=tenant)
    await switch(ada, EXTRACTION_MODE_ON)
    turn = await ada.say("My name is Ada and my password is hunter2swordfish")
    report = await extract(ada, turn.id)
    assert [each.verdict for each in report.candidates] == [EXTRACTION_VERDICT_NOT_WORTH_KEEPING]
    assert "hunter2" not in str(report)


async def test_a_turn_of_somebody_else_is_like_one_that_never_was(mesh: Mesh, tenant: str) -> None:
    server = await mesh.serve()
    ada = await mesh.client(server, *ALL, tenant=tenant)
    bob = await mesh.client(server, *READ_WRITE, tenant=tenant, subject="bob")
    rival = await mesh.client(server, *ALL, tenant=f"{tenant}-rival")
    backend = await mesh.client(server, *READ_WRITE, "users.act_as", tenant=tenant, subject="backend")
    await switch(ada, EXTRACTION_MODE_ON)
    await switch(rival, EXTRACTION_MODE_ON)
    turn = await ada.say("I live in Lyon")
    await until(lambda: reports(ada), lambda found: len(found) == 1)
    for stranger in (bob, rival, backend):
        with pytest.raises(NotFound) as theirs:
            await extract(stranger, turn.id)
        with pytest.raises(NotFound) as nobodys:
            await extract(stranger, "int_never_was")
        assert theirs.value.message == nobodys.value.message
        assert not await reports(stranger)
    with pytest.raises(PermissionDenied):
        await extract(bob, turn.id, user="ada")
    with pytest.raises(PermissionDenied):
        await reports(bob, user="ada")
    assert (await extract(backend, turn.id, user="ada")).user == "ada"
    assert len(await reports(backend, user="ada")) == 1


async def test_reports_come_in_pages_newest_first(mesh: Mesh, tenant: str) -> None:
    server = await mesh.serve()
    ada = await mesh.client(server, *ALL, tenant=tenant)
    await switch(ada, EXTRACTION_MODE_ON)
    turns = [await ada.say(f"I speak {language}") for language in ("French", "German", "Welsh", "Greek", "Basque")]
    await ada.say("Nothing to find here")
    await until(lambda: reports(ada), lambda found: len(found) == 5)
    seen: list[str] = []
    token = ""
    while True:
        page = await ada.extraction.ListExtractions(ListExtractionsRequest(page_size=2, page_token=token))
        seen += [report.interaction for report in page.extractions]
        if not (token := page.next_page_token):
            break
        last = token
    assert sorted(seen, reverse=True) == seen == [turn.id for turn in reversed(turns)]
    bob = await mesh.client(server, *READ_WRITE, tenant=tenant, subject="bob")
    with pytest.raises(InvalidArgument) as caught:
        await reports(bob, page_token=last)
    assert caught.value.reason == "PAGE_TOKEN_INVALID"


@pytest.mark.parametrize("place", ["memory.extraction.before_commit", "memory.extraction.after_commit"])
async def test_a_killed_process_leaves_all_or_nothing_and_the_next_one_ends_it(
    mesh: Mesh, tenant: str, processes: Processes, place: str
) -> None:
    killed = processes.start(MESH_FAILPOINTS=f"{place}:kill")
    ada = await mesh.client(processes.address, *ALL, tenant=tenant)

    async def ready() -> bool:
        try:
            await switch(ada, EXTRACTION_MODE_ON)
        except Unavailable:
            return False
        return True

    await until(ready, bool, seconds=60)
    turn = await ada.say("I live in Lyon and I am allergic to peanuts")
    assert killed.wait(timeout=20) == -signal.SIGKILL
    processes.start()
    await until(ready, bool, seconds=60)
    known = await until(lambda: facts(ada), lambda found: len(found) == 2)
    assert {fact.interaction for fact in known.values()} == {turn.id}
    assert {fact.version for fact in known.values()} == {1}
    (report,) = await reports(ada)
    assert {each.fact for each in report.candidates} == {fact.id for fact in known.values()}
