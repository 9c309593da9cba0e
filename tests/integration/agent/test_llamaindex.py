"""What is LlamaIndex's own: members that hand over, results in the order of the calls, nothing added to requests."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from agentmesh.agent.v1 import agent_service_pb2, team_pb2

from meshkit.errors import ResourceExhausted
from meshkit.ids import new_id
from meshkit.testing.credentials import TestTokens
from tests.fakes.ledger import LedgerPeer
from tests.fakes.model_server import Exchange, ModelServer, call, say, stall_after
from tests.integration.agent.conftest import Client, Process, Run, agent_process, until
from tests.integration.agent.memory_peer import MemoryPeer, memory_server

SUM = {"expression": "6*7"}
RECEPTION = {"name": "reception", "role": "Finds out who can help", "instructions": "Greet nobody."}
COUNTER = {"name": "counter", "role": "Calculates", "goal": "To be exact", "tools": ["calculator"], "model": "exact-1"}
WRITER = {"name": "writer", "role": "Writes {well}"}


@pytest.fixture(scope="module")
def model() -> Iterator[ModelServer]:
    """A model of these tests alone: others ask in the same words, with other answers."""
    with ModelServer() as server:
        yield server


@pytest.fixture(scope="module")
def process(
    tmp_path_factory: pytest.TempPathFactory, model: ModelServer, tokens: TestTokens, ledger: LedgerPeer
) -> Iterator[Process]:
    directory = tmp_path_factory.mktemp("llamaindex")
    # Nobody is at the memory's address: a search there fails, some milliseconds after a calculation is done.
    variables = {"MESH_MEMORY_ADDRESS": "127.0.0.1:9"}
    with agent_process(directory, model.url, tokens, ledger, runtime="llamaindex", **variables) as process:
        yield process


@pytest_asyncio.fixture
async def client(process: Process) -> AsyncIterator[Client]:
    async with process.channel(tenant=new_id("tenant")) as channel:
        yield Client(channel, process.tokens, "llamaindex")


def team(*members: dict[str, Any], max_turns: int = 5, **fields: Any) -> dict[str, Any]:
    return {"team": {"kind": team_pb2.TEAM_KIND_HANDOFF, "members": members, "max_turns": max_turns}, **fields}


def to(name: str, ids: str = "call") -> Any:
    return call("handoff", {"to_agent": name, "reason": "it is theirs"}, ids=ids)


def offered(exchange: Exchange) -> dict[str, str]:
    """Return the tools that the model was told of: name and description."""
    return {tool["function"]["name"]: tool["function"]["description"] for tool in exchange.body.get("tools", ())}


def heard(exchange: Exchange, role: str) -> list[str]:
    return [str(message["content"]) for message in exchange.messages if message["role"] == role]


def speakers(run: Run) -> list[str]:
    return [event.agent for event in run.events if event.WhichOneof("event") in {"tool_call", "message_finished"}]


async def test_members_hand_over_and_whoever_has_the_turn_answers(client: Client, model: ModelServer) -> None:
    model.script(
        to("counter", "a"),
        call("calculator", SUM, ids="b"),
        to("writer", "c"),
        say("Forty-two."),
        when="a sum in words",
    )
    members = (RECEPTION, COUNTER, WRITER)
    run = await client.run("a sum in words", spec=team(*members, instructions="House rules.", temperature=0.3))
    assert run.all("completed")[0].output == "Forty-two."
    assert [handed.to for handed in run.all("handed_off")] == ["helper/reception", "helper/counter", "helper/writer"]
    assert speakers(run) == ["helper/counter", "helper/writer"]
    assert [result.content for result in run.all("tool_result")] == ["42"]
    first, second, third, last = model.about("a sum in words")
    assert [each.body["model"] for each in (first, second, third, last)] == [
        "scripted-1",
        "exact-1",
        "exact-1",
        "scripted-1",
    ]
    assert [set(offered(each)) for each in (first, second, last)] == [
        {"handoff"},
        {"calculator", "handoff"},
        {"handoff"},
    ]
    assert "'writer': 'Writes {well}'" in offered(first)["handoff"]
    assert heard(first, "system") == ["You are reception: Finds out who can help\n\nHouse rules.\n\nGreet nobody."]
    assert heard(second, "system") == ["You are counter: Calculates\n\nYour goal: To be exact\n\nHouse rules."]
    assert heard(last, "system") == ["You are writer: Writes {well}\n\nHouse rules."]
    assert heard(last, "user") == ["a sum in words"]
    assert "42" in heard(last, "tool"), "who takes over knows what was done before"
    assert {each.body["temperature"] for each in (first, last)} == {0.3}


async def test_a_member_hands_over_to_its_own_only_and_hears_when_it_may_not(
    client: Client, model: ModelServer
) -> None:
    narrow = {**RECEPTION, "hand_offs": ["counter"]}
    garbage = call("handoff", {"whom": "counter"}, ids="c")
    model.script(to("writer", "a"), to("nobody", "b"), garbage, to("counter", "d"), say("Done."), when="strictly")
    run = await client.run("strictly", spec=team(narrow, COUNTER, WRITER))
    assert run.all("completed")[0].output == "Done."
    assert speakers(run) == ["helper/counter"]
    first, *_, last = model.about("strictly")
    assert "writer" not in offered(first)["handoff"]
    answers = heard(last, "tool")
    assert len(answers) == 4
    assert "cannot hand off" in answers[0]
    assert "not found" in answers[1]
    assert "unexpected keyword argument 'whom'" in answers[2]


async def test_who_has_the_last_turn_must_answer(client: Client, model: ModelServer) -> None:
    model.script(
        to("writer", "a"), to("reception", "b"), to("writer", "c"), say("Myself, then."), when="round and round"
    )
    run = await client.run("round and round", spec=team(RECEPTION, WRITER, max_turns=3))
    assert run.all("completed")[0].output == "Myself, then."
    exchanges = model.about("round and round")
    assert [set(offered(each)) for each in exchanges] == [{"handoff"}, {"handoff"}, set(), set()]
    assert "no tool of that name" in heard(exchanges[-1], "tool")[-1]
    assert speakers(run)[-1] == "helper/reception"


async def test_a_team_alone_and_one_that_hands_over_without_end_stop_where_they_must(
    client: Client, model: ModelServer, ledger: LedgerPeer
) -> None:
    model.script(say("Just me."), when="alone in the house")
    alone = await client.run("alone in the house", spec=team(WRITER, max_turns=1))
    assert alone.all("completed")[0].output == "Just me."
    number = new_id("run")
    ledger.limits[number] = {"max_model_calls": 3}
    model.script(*(to(name, name) for name in ("writer", "reception") * 5), when="hot potato")
    with pytest.raises(ResourceExhausted) as caught:
        await client.run("hot potato", run=number, spec=team(RECEPTION, WRITER, max_turns=200))
    assert caught.value.reason == "LIMIT_REACHED"
    assert len(model.about("hot potato")) == 3


async def test_a_team_that_begins_again_asks_the_same(client: Client, model: ModelServer, ledger: LedgerPeer) -> None:
    number, first = new_id("run"), Run()
    model.script(
        to("counter", "a"),
        call("calculator", SUM, ("memory_search", {"query": "x"}), ("calculator", {"expression": "1+1"}), ids="b"),
        stall_after("It "),
        say("It is 42."),
        when="cut in the middle",
    )
    spec = team(RECEPTION, {**COUNTER, "tools": ["calculator", "memory_search"]})
    running = asyncio.create_task(client.run("cut in the middle", run=number, into=first, spec=spec))
    await until(lambda: first.text == "It ", 15)
    running.cancel()
    again = await client.run("cut in the middle", run=number, attempt=2, spec=spec)
    assert [started.replayed for started in again.all("step_started")] == [True] * 5 + [False]
    assert again.all("completed")[0].output == "It is 42."
    *_, cut, last = model.about("cut in the middle")
    assert cut.messages == last.messages


async def test_cancelling_a_team_closes_the_members_socket(
    client: Client, model: ModelServer, process: Process
) -> None:
    model.script(to("writer"), stall_after("Once "), when="never ending")
    run = Run()
    running = asyncio.create_task(client.run("never ending", into=run, spec=team(RECEPTION, WRITER)))
    await until(lambda: run.text == "Once ", 15)
    running.cancel()
    exchange = model.about("never ending")[-1]
    await until(lambda: exchange.dropped is not None, 1)
    assert "never retrieved" not in process.log.read_text()


async def test_results_are_heard_in_the_order_of_the_calls(client: Client, model: ModelServer) -> None:
    """The calculations are done long before the search has failed, and more than LlamaIndex runs at once by itself."""
    sums = [("calculator", {"expression": f"{number}+0"}) for number in range(20)]
    model.script(call("memory_search", {"query": "x"}, *sums), say("Counted."), when="many at once")
    run = await client.run("many at once", "calculator", "memory_search", memory_token="x.y.z")
    told = [result.content for result in run.all("tool_result")]
    assert told[0] == "0", "the search took longer"
    answers = heard(model.about("many at once")[-1], "tool")
    assert "DEPENDENCY_UNAVAILABLE" in answers[0]
    assert answers[1:] == [str(number) for number in range(20)]


class _AllTogether(MemoryPeer):
    """Answers searches once there are eight."""

    def __init__(self) -> None:
        super().__init__()
        self._asked, self._all = 0, asyncio.Event()

    async def SearchFacts(self, request: Any, _context: Any) -> Any:  # noqa: N802 - the contract's name
        self._asked += 1
        if self._asked == 8:
            self._all.set()
        await self._all.wait()
        return await super().SearchFacts(request, _context)


async def test_tools_asked_for_together_run_together(
    tmp_path: Path, model: ModelServer, tokens: TestTokens, ledger: LedgerPeer
) -> None:
    """More than the four that LlamaIndex would run, which is no number that a model knows of."""
    at = f"unix:{tmp_path}/memory.sock"
    access = tokens.service_token("memory.read", service="agent", audience="memory", subject="ada")
    searches = [("memory_search", {"query": str(number)}) for number in range(8)]
    model.script(call(*searches[0], *searches[1:]), say("Nothing."), when="search everywhere")
    with agent_process(tmp_path, model.url, tokens, ledger, runtime="llamaindex", MESH_MEMORY_ADDRESS=at) as process:
        async with memory_server(_AllTogether(), tokens, at), process.channel() as channel:
            client = Client(channel, tokens, "llamaindex")
            run = await client.run("search everywhere", "memory_search", memory_token=access)
    assert [result.is_error for result in run.all("tool_result")] == [False] * 8


async def test_results_of_calls_without_ids_are_matched_by_what_they_said(client: Client, model: ModelServer) -> None:
    both = call("memory_search", {"query": "x"}, ("calculator", '{"expression": NaN}'), ("calculator", SUM), ids="")
    for index, step in enumerate(both.steps):
        assert isinstance(step, bytes)
        both.steps[index] = step.replace(b'"-1"', b'""').replace(b'"-2"', b'""').replace(b'"-3"', b'""')  # type: ignore[index]
    model.script(both, say("Found."), when="calls without ids")
    run = await client.run("calls without ids", "calculator", "memory_search", memory_token="x.y.z")
    assert run.all("completed")[0].output == "Found."
    answers = heard(model.about("calls without ids")[-1], "tool")
    assert "DEPENDENCY_UNAVAILABLE" in answers[0]
    assert answers[2] == "42"


async def test_it_forgets_nothing_and_says_nothing_of_its_own(client: Client, model: ModelServer) -> None:
    """Its own memory would cut this history by tokens; its own request would say more than the agent's."""
    request = client.request("what was first?", spec={"model": "o1-pro", "instructions": "Be brief."})
    for number in range(100):
        role = agent_service_pb2.ROLE_ASSISTANT if number % 2 else agent_service_pb2.ROLE_USER
        request.history.add(role=role, text=f"turn {number} " + "and so on " * 400)
    model.script(say("Zero."), when="what was first?")
    events = [event async for event in client.stub.Execute(request)]
    assert events[-1].completed.output == "Zero."
    (exchange,) = model.about("what was first?")
    system, *history, asked = exchange.messages
    assert system == {"role": "system", "content": "Be brief."}
    assert [message["content"].split()[1] for message in history] == [str(number) for number in range(100)]
    assert asked == {"role": "user", "content": "what was first?"}
    assert exchange.body["model"] == "o1-pro"  # a name of which LlamaIndex thinks that it cannot be asked here
    assert set(exchange.body) == {"model", "messages", "stream", "stream_options"}


async def test_a_tools_schema_is_told_as_it_is(client: Client, model: ModelServer) -> None:
    model.script(say("I see."), when="show me the schema")
    await client.run("show me the schema", "calculator")
    (tool,) = model.about("show me the schema")[0].body["tools"]
    assert set(tool["function"]) == {"name", "description", "parameters"}
    assert tool["function"]["parameters"]["additionalProperties"] is False
