"""What the ledger makes of a run: replayed, steered, edited, suspended, fenced, and waited for when it is away."""

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import pytest
from agentmesh.agent.v1 import activity_pb2, agent_service_pb2

from meshkit.errors import Aborted, MeshError, Unavailable
from meshkit.ids import new_id
from meshkit.testing.credentials import TestTokens
from tests.fakes.ledger import Begin, LedgerPeer, Script, Verdict, ledger_server
from tests.fakes.model_server import ModelServer, call, say, stall_after
from tests.integration.agent.conftest import Client, Process, Run, agent_process, until
from tests.integration.agent.memory_peer import MemoryPeer, memory_server

TOOL, SUM = activity_pb2.STEP_KIND_TOOL, {"expression": "1+1"}


def only_tools(decide: Script) -> Script:
    return lambda asked: decide(asked) if asked.kind == TOOL else None


async def test_the_same_conversation_has_the_same_digests(
    client: Client, model: ModelServer, ledger: LedgerPeer
) -> None:
    """Nothing of the time, of chance or of the attempt may get into what the model is asked."""
    runs = [new_id("run"), new_id("run")]
    for number in runs:
        both = call("calculator", SUM, ("calculator", SUM))
        model.script(both, call("calculator", "no json", ids="b"), call("no_such", {}, ids="c"), say("2"), when="alike")
        request = client.request("alike", "calculator", run=number, spec={"instructions": "Be brief."})
        request.history.add(role=agent_service_pb2.ROLE_USER, text="hello")
        request.history.add(role=agent_service_pb2.ROLE_ASSISTANT, text="hi")
        fact = request.recalled.add(layer=3, score=0.5).fact
        fact.key, fact.value = "city", "Paris"
        events = [event async for event in client.stub.Execute(request)]
        assert events[-1].completed.output == "2"
        await asyncio.sleep(1.1) if number == runs[0] else None  # the clock's next second: its text would differ
    first, second = (
        [(each.kind, each.name, each.digest, each.occurrence, each.arguments) for each in ledger.books[number].asked]
        for number in runs
    )
    assert first == second
    assert [each.occurrence for each in ledger.books[runs[0]].asked if each.kind == TOOL] == [1, 2, 1, 1]
    assert len({each.digest for each in ledger.books[runs[0]].asked}) == 4 + 3, "a step for each different request"


async def test_what_the_user_says_meanwhile_joins_at_its_place_and_stays(
    client: Client, model: ModelServer, ledger: LedgerPeer
) -> None:
    number, plain = new_id("run"), new_id("run")
    replies = [call("calculator", SUM, ids=each) for each in "ab"]
    model.script(*replies, say("Fine."), when="steer me")
    await client.run("steer me", "calculator", run=plain)

    def steer(asked: Begin) -> Verdict | None:
        models = [each for each in ledger.books[number].asked if each.kind != TOOL]
        if asked.kind == TOOL or len(models) != 2:
            return None
        said = [{"number": 1, "text": "in French"}, {"number": 2, "text": "and 短く"}]
        ledger.books[number].steps[asked.kind, asked.digest, asked.occurrence] = "model-3"
        return Verdict(step="model-3", execute={"idempotency_key": "k"}, steering=said)

    ledger.scripts[number] = steer
    model.script(*replies, say("Bien."), when="steer me")
    await client.run("steer me", "calculator", run=number)
    asked = [[message["content"] for message in each.messages] for each in model.about("steer me")[3:]]
    assert asked[0] == ["steer me"]
    assert asked[1] == ["steer me", None, "2", "in French", "and 短く"]
    assert asked[2] == ["steer me", None, "2", "in French", "and 短く", None, "2"]
    digests = [[each.digest for each in ledger.books[run].asked] for run in (plain, number)]
    assert digests[0] == digests[1], "what was said is kept by its step, not by the request's digest"


async def test_a_tool_works_with_the_arguments_that_a_person_made_of_them(
    client: Client, model: ModelServer, ledger: LedgerPeer
) -> None:
    number = new_id("run")
    edited = '{"expression": "20+1"}'
    execute = {"idempotency_key": "k", "arguments": edited}
    ledger.scripts[number] = only_tools(lambda _: Verdict(step="tool-2", execute=execute))
    model.script(call("calculator", SUM), say("21"), when="edit it")
    run = await client.run("edit it", "calculator", run=number)
    assert run.all("tool_call")[0].arguments == edited
    assert run.all("tool_result")[0].content == "21"
    assert model.about("edit it")[-1].messages[-1]["content"] == "21"


async def test_the_answer_of_a_person_is_the_tools(client: Client, model: ModelServer, ledger: LedgerPeer) -> None:
    number = new_id("run")
    answer = {"result": {"tool": {"content": "Paris, s'il vous plaît"}}}

    def answered(asked: Begin) -> Verdict:
        ledger.books[number].steps[asked.kind, asked.digest, asked.occurrence] = "tool-2"
        return Verdict(step="tool-2", replay=answer)

    ledger.scripts[number] = only_tools(answered)
    model.script(call("ask_user", {"question": "Where to?"}), say("Off to Paris."), when="plan a trip")
    run = await client.run("plan a trip", "ask_user", run=number)
    assert json.loads(ledger.books[number].asked[1].arguments) == {"question": "Where to?"}
    assert (run.all("tool_result")[0].content, run.all("tool_result")[0].is_error) == ("Paris, s'il vous plaît", False)
    assert model.about("plan a trip")[-1].messages[-1]["content"] == "Paris, s'il vous plaît"
    assert [each.step for each in ledger.books[number].completed] == ["model-1", "model-3"]


async def test_a_suspended_run_records_what_is_under_way_and_ends_with_suspended(
    tmp_path: Path, model: ModelServer, tokens: TestTokens, ledger: LedgerPeer
) -> None:
    """One of two tools is held while the other one is at work."""
    number, at, memory = new_id("run"), f"unix:{tmp_path}/memory.sock", _SlowMemory()

    def hold_the_sum(asked: Begin) -> Verdict | None:
        return Verdict(suspend={}) if asked.name == "calculator" else None

    ledger.scripts[number] = hold_the_sum
    both = call("memory_search", {"query": "x"}, ("calculator", SUM))
    model.script(both, say("Done."), when="hold on")
    access = tokens.service_token("memory.read", service="agent", audience="memory", subject="ada")
    tools = ("memory_search", "calculator")
    with agent_process(tmp_path, model.url, tokens, ledger, MESH_MEMORY_ADDRESS=at) as process:
        async with memory_server(memory, tokens, at), process.channel() as channel:
            client, run = Client(channel, tokens), Run()
            running = asyncio.create_task(client.run("hold on", *tools, run=number, memory_token=access, into=run))
            await memory.asked.wait()
            await until(lambda: len(ledger.books[number].asked) == 3)
            done, _ = await asyncio.wait([running], timeout=0.3)
            assert not done, "the search is still at work"
            memory.go_on.set()
            await running
            assert run.events[-1].WhichOneof("event") == "suspended"
            assert [each.step for each in ledger.books[number].completed] == ["model-1", "tool-2"]
            assert len(model.about("hold on")) == 1
            del ledger.scripts[number]
            rest = await client.run("hold on", *tools, run=number, attempt=2, memory_token=access)
    assert rest.all("completed")[0].output == "Done."
    assert {started.name: started.replayed for started in rest.all("step_started")[:3]} == {
        "scripted-1": True,
        "memory_search": True,
        "calculator": False,
    }
    assert memory.searches == 1


async def test_an_attempt_that_another_superseded_records_nothing_more(
    client: Client, model: ModelServer, ledger: LedgerPeer
) -> None:
    model.script(stall_after("slow"), say("Done."), when="two at once")
    number, old = new_id("run"), Run()
    first = asyncio.create_task(client.run("two at once", "calculator", run=number, into=old))
    await until(lambda: bool(old.text))
    new = await client.run("two at once", "calculator", run=number, attempt=2)
    with pytest.raises(Aborted, match="attempt") as caught:
        await first  # its model never ends: the attempt learns it when its patience with the model is over
    assert caught.value.reason == "ATTEMPT_SUPERSEDED"
    assert new.all("completed")[0].output == "Done."
    steps = [each.step for each in ledger.books[number].completed]
    assert steps == ["model-1"], "the old attempt recorded nothing more"


async def test_a_superseded_attempt_does_not_ask_twice(client: Client, model: ModelServer, ledger: LedgerPeer) -> None:
    number = new_id("run")
    ledger.scripts[number] = only_tools(lambda _: Aborted("another attempt", reason="ATTEMPT_SUPERSEDED"))
    model.script(call("calculator", SUM), say("2"), when="stop now")
    began = time.monotonic()
    with pytest.raises(Aborted):
        await client.run("stop now", "calculator", run=number)
    assert time.monotonic() - began < 1
    assert len(ledger.books[number].asked) == 2
    assert len(model.about("stop now")) == 1


async def test_what_is_remembered_twice_counts_twice(tmp_path: Path, model: ModelServer, tokens: TestTokens,
    ledger: LedgerPeer) -> None:  # fmt: skip
    """Each step has a key of its own: a value that comes back is no retry of when it was first said."""
    peer, at, number = MemoryPeer(), f"unix:{tmp_path}/memory.sock", new_id("run")
    access = tokens.service_token("memory.write", service="agent", audience="memory", subject="ada")
    facts = [{"key": "city", "value": value} for value in ("Paris", "Rome", "Paris")]
    replies = [call("memory_remember", fact, ids=str(index)) for index, fact in enumerate(facts)]
    model.script(*replies, say("Noted."), when="I moved")
    with agent_process(tmp_path, model.url, tokens, ledger, MESH_MEMORY_ADDRESS=at) as process:
        async with memory_server(peer, tokens, at), process.channel() as channel:
            await Client(channel, tokens).run("I moved", "memory_remember", run=number, memory_token=access)
    assert peer.request_ids == [f"{number}/tool-2", f"{number}/tool-4", f"{number}/tool-6"]


async def test_a_ledger_that_is_away_is_waited_for(tmp_path: Path, model: ModelServer, tokens: TestTokens) -> None:
    at, count = f"unix:{tmp_path}/ledger.sock", 12
    for index in range(count):
        model.script(call("calculator", SUM), say("2"), when=f"patient {index:02}")
    with ledger_server(tokens, listen=at) as peer:
        stopped = agent_process(tmp_path, model.url, tokens, peer)
        process = stopped.__enter__()
    try:
        async with process.channel() as channel:
            client = Client(channel, tokens)
            runs = [asyncio.create_task(client.run(f"patient {each:02}", "calculator")) for each in range(count)]
            done, _ = await asyncio.wait(runs, timeout=3.0)
            assert not done, "nothing may begin without the ledger, and nothing may fail for it"
            with ledger_server(tokens, listen=at, peer=peer):
                ended = await asyncio.wait_for(asyncio.gather(*runs), 15)
    finally:
        stopped.__exit__(None, None, None)
    assert [run.all("completed")[0].output for run in ended] == ["2"] * count


async def test_a_ledger_that_goes_as_it_is_asked_fails_no_run(
    client: Client, model: ModelServer, ledger: LedgerPeer
) -> None:
    """As many runs as a process has at once are cut off together: none of them may be left without another try."""
    numbers = [new_id("run") for _ in range(20)]

    def cut_off_once() -> Script:
        left = [Unavailable("going down", reason="DRAINING") for _ in range(2)]
        return lambda asked: left.pop() if asked.kind == TOOL and left else None

    for index, number in enumerate(numbers):
        ledger.scripts[number] = cut_off_once()
        model.script(call("calculator", SUM), say("2"), when=f"cut off {index:02}")
    runs = [client.run(f"cut off {index:02}", "calculator", run=number) for index, number in enumerate(numbers)]
    ended = await asyncio.gather(*runs, return_exceptions=True)
    assert [str(each) for each in ended if isinstance(each, MeshError)] == []


class _SlowMemory(MemoryPeer):
    """Searches only when the test lets it."""

    def __init__(self) -> None:
        super().__init__()
        self.asked, self.go_on, self.searches = asyncio.Event(), asyncio.Event(), 0

    async def SearchFacts(self, request: Any, _context: Any) -> Any:  # noqa: N802 - the contract's name
        self.searches += 1
        self.asked.set()
        await self.go_on.wait()
        return await super().SearchFacts(request, _context)


def test_the_ledger_token_is_a_secret(agent: Process) -> None:
    assert "eyJ" not in agent.log.read_text()  # with which every token begins, of whatever run before


async def test_no_text_that_a_model_can_write_keeps_a_step_from_being_recorded(
    client: Client, model: ModelServer, ledger: LedgerPeer
) -> None:
    """Half a character, escaped, is valid JSON: the tool names the field to the model, and nothing can encode it."""
    number = new_id("run")
    odd = ['{"\\ud83d": 1}', '{"expression": "\\ud83d\\u0000"}', '{"\\u0000": "\\u0000"}', "\\ud83d"]
    model.script(*[call("calculator", each, ids=str(index)) for index, each in enumerate(odd)], say("OK."), when="odd")
    run = await client.run("odd", "calculator", run=number)
    assert run.all("completed")[0].output == "OK."
    assert [result.is_error for result in run.all("tool_result")] == [True] * len(odd)
    recorded = [each.result.tool.content for each in ledger.books[number].completed if each.step.startswith("tool")]
    assert recorded == [result.content for result in run.all("tool_result") if "\0" not in result.content]
