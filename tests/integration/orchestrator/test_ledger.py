"""The ledger on a real database: what was done is not done again, limits hold, and nothing is kept for no reason."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256

import pytest
import pytest_asyncio

from meshkit.errors import Aborted, InvalidArgument, NotFound, ResourceExhausted
from meshkit.ids import new_id
from orchestrator.convert.outcomes import outcome_to_bytes
from orchestrator.domain.ledger import Attempt, Execute, Replay, StepAsk, Suspend
from orchestrator.domain.model import Usage
from orchestrator.domain.specs import Limits
from orchestrator.domain.steps import ToolOutcome
from orchestrator.stores.retention import prune_blobs
from tests.integration.orchestrator.conftest import TENANT, Stores
from tests.integration.orchestrator.gatekeeper import (
    ADA_CALLS,
    NO_USE,
    Ledger,
    asking,
    model,
    name,
    refused,
    said,
    say,
    tool,
)


@pytest_asyncio.fixture
async def ledger(stores: Stores) -> Ledger:
    return Ledger(stores)


async def test_what_was_done_is_replayed_in_the_next_attempt(ledger: Ledger) -> None:
    first = await ledger.run()
    assert await ledger.done(first, model(), '{"id": "c"}', Usage(10, 5, cost_micros=7)) == "model-1"
    assert await ledger.done(first, tool(), ToolOutcome("found", memory="fact_1")) == "tool-2"
    assert await ledger.done(first, tool(occurrence=2), ToolOutcome("no", is_error=True)) == "tool-3"
    second = await ledger.again(first)
    assert await ledger.gate.begin(second, model()) == Replay("model-1", '{"id": "c"}')
    assert await ledger.gate.begin(second, tool()) == Replay("tool-2", ToolOutcome("found", memory="fact_1"))
    assert await ledger.gate.begin(second, tool(occurrence=2)) == Replay("tool-3", ToolOutcome("no", is_error=True))
    assert (await ledger.look(first)).usage == Usage(10, 5, 1, 2, 7)


async def test_the_same_arguments_written_otherwise_are_the_same_step(ledger: Ledger) -> None:
    attempt = await ledger.run()
    await ledger.done(attempt, tool('{"a":1,"b":2}'), ToolOutcome("found"))
    assert isinstance(await ledger.gate.begin(attempt, tool('{"b": 2, "a": 1}')), Replay)
    assert isinstance(await ledger.gate.begin(attempt, tool('{"a": 1, "b": 3}')), Execute)


async def test_an_attempt_that_is_not_at_work_is_refused(ledger: Ledger) -> None:
    first = await ledger.run()
    told = await ledger.gate.begin(first, tool())
    assert isinstance(told, Execute)
    second = await ledger.again(first)
    assert (await refused(first, ledger, tool())).reason == "ATTEMPT_SUPERSEDED"
    with pytest.raises(Aborted):
        await ledger.gate.complete(first, name(told.step), ToolOutcome("late"), NO_USE)
    with pytest.raises(NotFound):  # it has not begun it yet itself
        await ledger.gate.complete(second, name(told.step), ToolOutcome("foreign"), NO_USE)
    await ledger.stores.end(await ledger.look(second))
    assert (await refused(second, ledger, model())).reason == "ATTEMPT_SUPERSEDED"
    for nobody in (Attempt(TENANT, new_id("run"), 1), replace(second, tenant="evil")):
        assert (await refused(nobody, ledger, model())).reason == "ATTEMPT_SUPERSEDED"


async def test_begin_and_complete_may_be_repeated(ledger: Ledger) -> None:
    attempt = await ledger.run()
    told = await ledger.gate.begin(attempt, model())
    assert await ledger.gate.begin(attempt, model()) == told
    assert (await ledger.look(attempt)).usage.model_calls == 1
    for text in ("first", "second"):
        await ledger.gate.complete(attempt, name("model-1"), text, Usage(3, 2))
    assert await ledger.gate.begin(attempt, model()) == Replay("model-1", "first")
    assert (await ledger.look(attempt)).usage == Usage(3, 2, 1)
    for unknown in ("model-2", "tool-1"):
        with pytest.raises(NotFound):
            await ledger.gate.complete(attempt, name(unknown), None, NO_USE)


async def test_identical_calls_at_once_begin_one_step(ledger: Ledger) -> None:
    attempt = await ledger.run()
    same = await asyncio.gather(*(ledger.gate.begin(attempt, tool()) for _ in range(8)))
    assert same == [Execute("tool-1", f"{attempt.run}/tool-1")] * 8
    assert (await ledger.look(attempt)).usage.tool_calls == 1
    others = await asyncio.gather(*(ledger.gate.begin(attempt, tool(occurrence=n)) for n in range(2, 10)))
    assert {told.step for told in others if isinstance(told, Execute)} == {f"tool-{n}" for n in range(2, 10)}
    assert (await ledger.look(attempt)).usage.tool_calls == 9


async def test_what_failed_is_done_again(ledger: Ledger) -> None:
    first = await ledger.run()
    await ledger.done(first, model(), None, Usage(4))
    second = await ledger.again(first)
    await ledger.done(second, model(), "answer", Usage(4, 1))
    assert (await ledger.look(first)).usage == Usage(8, 1, 2)


async def test_the_same_content_is_stored_once(ledger: Ledger) -> None:
    outcome, attempt = ToolOutcome(new_id("long")), await ledger.run()
    await ledger.done(attempt, tool(), outcome)
    await ledger.done(attempt, tool(occurrence=2), outcome)
    await ledger.done(await ledger.run(), tool(), outcome)
    count = "select count(*) from blob where tenant = $1 and digest = $2"
    assert await ledger.stores.pool.fetchval(count, TENANT, sha256(outcome_to_bytes(outcome)).digest()) == 1


async def test_a_result_is_of_the_steps_kind(ledger: Ledger) -> None:
    attempt = await ledger.run()
    told = await ledger.gate.begin(attempt, tool())
    assert isinstance(told, Execute)
    with pytest.raises(InvalidArgument):
        await ledger.gate.complete(attempt, name(told.step), "a completion", NO_USE)


async def test_a_digest_is_that_of_the_arguments(ledger: Ledger) -> None:
    attempt = await ledger.run(**asking())
    await ledger.gate.begin(attempt, tool('{"pay": 1}'))
    with pytest.raises(InvalidArgument):
        await ledger.gate.begin(attempt, replace(tool('{"pay": 1}'), arguments='{"pay": 1000}'))


@pytest.mark.parametrize(
    ("limits", "ask", "limit", "value"),
    [
        (Limits(max_model_calls=1), model("more"), "max_model_calls", "1"),
        (Limits(max_tool_calls=1), tool(occurrence=2), "max_tool_calls", "1"),
        (Limits(max_tokens=15), tool(occurrence=2), "max_tokens", "15"),
        (Limits(max_cost_micros=7), model("more"), "max_cost_micros", "7"),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
async def test_a_limit_stops_a_run_by_name(
    ledger: Ledger, limits: Limits, ask: StepAsk, limit: str, value: str
) -> None:
    attempt = await ledger.run(limits=limits)
    await ledger.done(attempt, tool(), ToolOutcome("found"))
    await ledger.done(attempt, model(), "answer", Usage(10, 5, cost_micros=7))
    error = await refused(attempt, ledger, ask)
    assert isinstance(error, ResourceExhausted)
    assert (error.reason, error.metadata) == ("LIMIT_REACHED", {"limit": limit, "value": value})
    assert isinstance(await ledger.gate.begin(attempt, model()), Replay)  # what is done costs nothing


async def test_calls_at_once_do_not_pass_a_limit_together(ledger: Ledger) -> None:
    attempt = await ledger.run(limits=Limits(max_tool_calls=3))
    calls = (ledger.gate.begin(attempt, tool(occurrence=n)) for n in range(1, 9))
    answers = await asyncio.gather(*calls, return_exceptions=True)
    assert sum(isinstance(answer, Execute) for answer in answers) == 3
    assert sum(isinstance(answer, ResourceExhausted) for answer in answers) == 5


async def test_what_is_said_joins_the_next_model_call_for_good(ledger: Ledger) -> None:
    first = await ledger.run()
    await say(ledger, first, "be brief")
    await say(ledger, first, "in French")
    assert said(await ledger.gate.begin(first, tool())) == []
    both = [(1, "be brief"), (2, "in French")]
    assert said(await ledger.gate.begin(first, model())) == both
    assert said(await ledger.gate.begin(first, model())) == both
    await ledger.gate.complete(first, name("model-2"), "oui", NO_USE)
    await say(ledger, first, "thanks")
    second = await ledger.again(first)
    assert said(await ledger.gate.begin(second, model())) == both
    assert said(await ledger.gate.begin(second, model("more"))) == [(3, "thanks")]
    third = await ledger.again(second)
    await say(ledger, third, "and now")
    assert said(await ledger.gate.begin(third, model("more"))) == [(3, "thanks"), (4, "and now")]


async def test_a_model_is_not_asked_twice_by_a_tenant_that_caches(ledger: Ledger) -> None:
    request, hour = new_id("req"), timedelta(hours=1)
    await ledger.done(await ledger.run(), model(request), "uncached")
    await ledger.done(await ledger.run(cache_time=hour), model(request), "answer", Usage(9, 9))
    other = await ledger.run(cache_time=hour)
    hit = Replay("model-1", "answer", cached=True)
    assert await ledger.gate.begin(other, model(request)) == hit
    assert await ledger.gate.begin(await ledger.again(other), model(request)) == hit
    assert (await ledger.look(other)).usage == Usage()
    assert isinstance(await ledger.gate.begin(await ledger.run(), model(request)), Execute)
    steered = await ledger.run(cache_time=hour)
    await say(ledger, steered, "otherwise")
    assert isinstance(await ledger.gate.begin(steered, model(request)), Execute)
    await ledger.gate.complete(steered, name("model-1"), "steered", NO_USE)
    assert await ledger.gate.begin(await ledger.run(cache_time=hour), model(request)) == hit
    paused = await ledger.run(cache_time=hour)
    await ledger.pausing.pause(ADA_CALLS, paused.run)
    assert await ledger.gate.begin(paused, model(request)) == Suspend()
    await ledger.stores.pool.execute(
        "update model_cache set expire_time = now() where digest = $1", model(request).digest
    )
    assert isinstance(await ledger.gate.begin(await ledger.run(cache_time=hour), model(request)), Execute)


async def test_what_nothing_names_is_swept_up(ledger: Ledger) -> None:
    pool, attempt = ledger.stores.pool, await ledger.run()
    kept, young = ToolOutcome(new_id("kept")), b"young" + new_id("x").encode()
    await ledger.done(attempt, tool(), kept)
    cached = new_id("cached")
    cacher = await ledger.run(cache_time=timedelta(hours=1))
    await ledger.done(cacher, model(cached), cached)
    await pool.execute("delete from step where run = $1", cacher.run)
    insert = "insert into blob (tenant, digest, content, create_time) values ($1, $2, '', now() - $3::interval)"
    lost = b"lost" + new_id("x").encode()
    await pool.execute(insert, TENANT, lost, timedelta(hours=2))
    await pool.execute(insert, TENANT, young, timedelta(minutes=5))
    old = [sha256(outcome_to_bytes(outcome)).digest() for outcome in (kept, cached)]
    await pool.execute("update blob set create_time = now() - interval '2 h' where digest = any($1)", old)
    assert await prune_blobs(pool) >= 1
    left = {row["digest"] for row in await pool.fetch("select digest from blob")}
    assert {young, *old} <= left
    assert lost not in left
    await pool.execute("update model_cache set expire_time = now() where digest = $1", model(cached).digest)
    await prune_blobs(pool)
    left = {row["digest"] for row in await pool.fetch("select digest from blob")}
    assert (old[0] in left, old[1] in left) == (True, False)
