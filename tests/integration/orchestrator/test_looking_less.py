"""What spares the ledger a look: guesses at runs that go on as they did, and steps read ahead by the next attempt."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest_asyncio

from meshkit.ids import new_id
from orchestrator.domain.ledger import Attempt, Execute, Replay, Suspend
from orchestrator.domain.model import Usage
from orchestrator.domain.specs import Limits
from orchestrator.domain.steps import ToolOutcome
from tests.integration.orchestrator.conftest import Stores
from tests.integration.orchestrator.gatekeeper import ADA_CALLS, Ledger, asking, model, name, refused, say, tool

LARGE = "x" * 400_000


@pytest_asyncio.fixture
async def ledger(stores: Stores) -> Ledger:
    return Ledger(stores)


@contextmanager
def looks(ledger: Ledger) -> Iterator[list[str]]:
    """Give the runs that are looked at meanwhile."""
    seen: list[str] = []
    look = ledger.store._look

    async def noted(connection: object, attempt: Attempt, ask: object) -> object:
        seen.append(attempt.run)
        return await look(connection, attempt, ask)

    ledger.store._look = noted
    try:
        yield seen
    finally:
        ledger.store._look = look


async def test_a_run_that_goes_on_is_not_looked_at(ledger: Ledger) -> None:
    attempt = await ledger.run()
    with looks(ledger) as seen:
        for number in range(4):
            await ledger.done(attempt, model(f"question {number}"), "{}", Usage(10, 5, cost_micros=7))
            await ledger.done(attempt, tool(f'{{"n": {number}}}'), ToolOutcome("found"))
    assert seen == [attempt.run], "the first step only"
    assert (await ledger.look(attempt)).usage == Usage(40, 20, 4, 4, 28)


async def test_a_wrong_guess_changes_nothing(ledger: Ledger) -> None:
    """The run was paused, put to another attempt, or counted on elsewhere since its last step."""
    paused, superseded, counted = await ledger.run(), await ledger.run(), await ledger.run(limits=Limits(2))
    for attempt in (paused, superseded, counted):
        await ledger.done(attempt, model(), "{}")
    await ledger.pausing.pause(ADA_CALLS, paused.run)
    assert isinstance(await ledger.gate.begin(paused, model("more")), Suspend)
    await ledger.again(superseded)
    assert (await refused(superseded, ledger, model("more"))).reason == "ATTEMPT_SUPERSEDED"
    await Ledger(ledger.stores).done(counted, model("elsewhere"), "{}")  # another replica
    assert (await refused(counted, ledger, model("more"))).reason == "LIMIT_REACHED"


async def test_a_guess_asks_no_less_of_people(ledger: Ledger) -> None:
    attempt = await ledger.run(**asking())
    await ledger.done(attempt, model(), "{}")
    assert isinstance(await ledger.gate.begin(attempt, tool()), Suspend)
    assert (await ledger.asked(attempt)).tool == "search"


async def test_what_is_said_joins_a_step_that_is_guessed_at(ledger: Ledger) -> None:
    attempt = await ledger.run()
    await ledger.done(attempt, model(), "{}")
    await say(ledger, attempt, "in French")
    with looks(ledger) as seen:
        told = await ledger.gate.begin(attempt, model("more"))
    assert not seen
    assert isinstance(told, Execute)
    assert list(told.steering) == [(1, "in French")]


async def test_an_attempt_reads_ahead_what_is_recorded_and_nothing_else(ledger: Ledger) -> None:
    first = await ledger.run()
    await ledger.done(first, model(), '{"id": "c"}')
    await say(ledger, first, "in French")
    await ledger.done(first, model("more"), '{"id": "d"}')
    failed = await ledger.gate.begin(first, tool())
    assert isinstance(failed, Execute)
    await ledger.gate.complete(first, name(failed.step), None, Usage())
    await ledger.done(first, tool(occurrence=2), ToolOutcome("found", memory="fact_1"))
    await ledger.gate.begin(first, tool(occurrence=3))
    second = await ledger.again(first)
    recorded = await ledger.gate.recorded(second, name("model-1"))
    assert [each.replay for each in recorded] == [
        Replay("model-2", '{"id": "d"}', steering=((1, "in French"),)),
        Replay("tool-4", ToolOutcome("found", memory="fact_1")),
    ]
    for ask, each in zip((model("more"), tool(occurrence=2)), recorded, strict=True):
        assert (each.kind, each.digest, each.occurrence) == (ask.kind, ask.digest, ask.occurrence)
        assert await ledger.gate.begin(second, ask) == each.replay, "the same as it is told when it is asked for"
    assert not await ledger.gate.recorded(second, name("tool-4"))


async def test_only_the_attempt_at_work_reads_ahead(ledger: Ledger) -> None:
    first = await ledger.run()
    for text in "ab":
        await ledger.done(first, model(text), "{}")
    second = await ledger.again(first)
    after = name("model-1")
    assert await ledger.gate.recorded(second, after)
    for stranger in (first, Attempt("other", second.run, second.number), Attempt("acme", new_id("run"), 1)):
        assert not await ledger.gate.recorded(stranger, after)


async def test_reading_ahead_has_a_bound(ledger: Ledger) -> None:
    attempt = await ledger.run(limits=Limits(max_tool_calls=200))
    await ledger.done(attempt, model(), "{}")
    for number in range(4):
        await ledger.done(attempt, tool(f'{{"n": {number}}}'), ToolOutcome(f"{number}{LARGE}"))
    pages = [[each.replay.step for each in await ledger.gate.recorded(attempt, name(f"tool-{n}"))] for n in (1, 3, 5)]
    assert pages == [["tool-2", "tool-3"], ["tool-4", "tool-5"], []]
