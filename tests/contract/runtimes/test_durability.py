"""Any runtime, started again: it asks the same, so that what is recorded is found and nothing is done twice."""

import asyncio
from itertools import pairwise
from typing import Any

import pytest
from agentmesh.agent.v1 import activity_pb2, agent_service_pb2

from meshkit.errors import Aborted
from meshkit.ids import new_id
from tests.fakes.ledger import Begin, LedgerPeer, Verdict
from tests.fakes.model_server import ModelServer, call, say, stall_after
from tests.integration.agent.conftest import Client, Run, until

TOOL, SUM = activity_pb2.STEP_KIND_TOOL, {"expression": "1+1"}


async def test_a_second_attempt_tells_what_was_recorded_and_asks_nobody(
    client: Client, model: ModelServer, ledger: LedgerPeer, runtime: str
) -> None:
    number, text = new_id("run"), f"{runtime} told twice"
    both = call("calculator", SUM, ("calculator", {"expression": "2+2"}), text="Let me see.")
    model.script(both, call("calculator", SUM, ids="again"), say("It ", "is ", "2."), when=text)
    first = await client.run(text, "calculator", run=number)
    again = await client.run(text, "calculator", run=number, attempt=2)
    assert len(model.about(text)) == 3, "the second attempt asked no model"
    assert again.all("completed")[0].output == first.all("completed")[0].output == "It is 2."
    assert _told(again) == _told(first)
    assert {started.replayed for started in first.all("step_started")} == {False}
    assert {started.replayed for started in again.all("step_started")} == {True}
    assert ledger.books[number].read_ahead == ["model-1"], "one question, and the rest is read ahead"


async def test_an_attempt_goes_on_behind_what_was_recorded(client: Client, model: ModelServer, runtime: str) -> None:
    number, text, first = new_id("run"), f"{runtime} cut short", Run()
    model.script(call("calculator", SUM), stall_after("half ", "an "), say("Whole."), when=text)
    running = asyncio.create_task(client.run(text, "calculator", run=number, into=first))
    await until(lambda: first.text == "half an ", 15)
    running.cancel()  # the orchestrator died
    second = await client.run(text, "calculator", run=number, attempt=2)
    assert [started.replayed for started in second.all("step_started")] == [True, True, False]
    assert second.text == second.all("completed")[0].output == "Whole."
    assert len(model.about(text)) == 3


async def test_the_same_conversation_has_the_same_digests(
    client: Client, model: ModelServer, ledger: LedgerPeer, runtime: str
) -> None:
    """Nothing of the time, of chance or of the attempt may get into what the model is asked."""
    runs, text = [new_id("run"), new_id("run")], f"{runtime} alike"
    for number in runs:
        replies = (call("calculator", SUM), call("calculator", {"expression": "1+"}, ids="b"), say("2"))
        model.script(*replies, when=text)
        request = client.request(text, "calculator", run=number, spec={"instructions": "Be brief."})
        request.history.add(role=agent_service_pb2.ROLE_USER, text="hello")
        request.history.add(role=agent_service_pb2.ROLE_ASSISTANT, text="hi")
        fact = request.recalled.add(layer=3, score=0.5).fact
        fact.key, fact.value = "city", "Paris"
        events = [event async for event in client.stub.Execute(request)]
        assert events[-1].completed.output == "2"
        await asyncio.sleep(1.1) if number == runs[0] else None  # the clock's next second: its text would differ
    first, second = ([_asked(each) for each in ledger.books[number].asked] for number in runs)
    assert first == second
    assert len(first) == 5


async def test_what_the_user_says_meanwhile_joins_at_its_place_and_stays(
    client: Client, model: ModelServer, ledger: LedgerPeer, runtime: str
) -> None:
    number, text = new_id("run"), f"{runtime} steer me"

    def steer(asked: Begin) -> Verdict | None:
        models = [each for each in ledger.books[number].asked if each.kind != TOOL]
        if asked.kind == TOOL or len(models) != 2:
            return None
        ledger.books[number].steps[asked.kind, asked.digest, asked.occurrence] = "model-3"
        said = [{"number": 1, "text": "but in French"}]
        return Verdict(step="model-3", execute={"idempotency_key": "k"}, steering=said)

    ledger.scripts[number] = steer
    model.script(call("calculator", SUM, ids="a"), call("calculator", SUM, ids="b"), say("Bien."), when=text)
    await client.run(text, "calculator", run=number)
    heard = [[str(message["content"]) for message in each.messages] for each in model.about(text)]
    assert ["but in French" in messages for messages in heard] == [False, True, True]
    for before, after in pairwise(heard[1:]):
        assert after[: len(before)] == before, "it keeps its place"


async def test_a_suspended_run_ends_and_is_done_later(
    client: Client, model: ModelServer, ledger: LedgerPeer, runtime: str
) -> None:
    number, text = new_id("run"), f"{runtime} hold on"
    ledger.scripts[number] = lambda asked: Verdict(suspend={}) if asked.kind == TOOL else None
    model.script(call("calculator", SUM), say("Done."), when=text)
    run = await client.run(text, "calculator", run=number)
    assert run.events[-1].WhichOneof("event") == "suspended"
    assert len(model.about(text)) == 1
    del ledger.scripts[number]
    rest = await client.run(text, "calculator", run=number, attempt=2)
    assert rest.all("completed")[0].output == "Done."
    assert [started.replayed for started in rest.all("step_started")] == [True, False, False]


async def test_an_attempt_that_another_superseded_does_nothing_more(
    client: Client, model: ModelServer, ledger: LedgerPeer, runtime: str
) -> None:
    number, text = new_id("run"), f"{runtime} stop now"

    def superseded(asked: Begin) -> Aborted | None:
        return Aborted("another attempt", reason="ATTEMPT_SUPERSEDED") if asked.kind == TOOL else None

    ledger.scripts[number] = superseded
    model.script(call("calculator", SUM), say("2"), when=text)
    with pytest.raises(Aborted) as caught:
        await client.run(text, "calculator", run=number)
    assert caught.value.reason == "ATTEMPT_SUPERSEDED"
    assert len(model.about(text)) == 1


def _asked(each: Begin) -> tuple[Any, ...]:
    return (each.kind, each.name, each.digest, each.occurrence, each.arguments)


def _told(run: Run) -> list[str]:
    """Return what was called, answered and said, in whatever order things that happen at once were told."""
    kinds = ("tool_call", "tool_result", "message_finished")
    return sorted(
        f"{event.step} {getattr(event, kind)}" for kind in kinds for event in run.events if event.HasField(kind)
    )
