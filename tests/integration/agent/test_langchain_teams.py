"""Teams of LangChain agents: members that hand over, and a supervisor that has members work."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from agentmesh.agent.v1 import agent_service_pb2, team_pb2

from meshkit.errors import ResourceExhausted
from meshkit.ids import new_id
from tests.fakes.ledger import LedgerPeer
from tests.fakes.model_server import Exchange, ModelServer, call, say, stall_after
from tests.integration.agent.conftest import Client, Process, Run, until

SUM = {"expression": "6*7"}
RECEPTION = {"name": "reception", "role": "Finds out who can help", "instructions": "Greet nobody."}
COUNTER = {"name": "counter", "role": "Calculates", "goal": "To be exact", "tools": ["calculator"], "model": "exact-1"}
WRITER = {"name": "writer", "role": "Writes {well}"}


@pytest_asyncio.fixture
async def client(agent: Process) -> AsyncIterator[Client]:
    async with agent.channel(tenant=new_id("tenant")) as channel:
        yield Client(channel, agent.tokens)


def handing(*members: dict[str, Any], max_turns: int = 5, **fields: Any) -> dict[str, Any]:
    return {"team": {"kind": team_pb2.TEAM_KIND_HANDOFF, "members": members, "max_turns": max_turns}, **fields}


def supervised(*members: dict[str, Any], max_turns: int = 5, **fields: Any) -> dict[str, Any]:
    return {"team": {"kind": team_pb2.TEAM_KIND_SUPERVISOR, "members": members, "max_turns": max_turns}, **fields}


def to(member: str, *more: tuple[str, Any], ids: str = "call") -> Any:
    return call("hand_over", {"member": member}, *more, ids=ids)


def work(member: str, text: str) -> tuple[str, dict[str, str]]:
    return "assign_task", {"member": member, "task": text}


def offered(exchange: Exchange) -> dict[str, Any]:
    return {tool["function"]["name"]: tool["function"] for tool in exchange.body.get("tools", ())}


def heard(exchange: Exchange, role: str) -> list[str]:
    return [str(message["content"]) for message in exchange.messages if message["role"] == role]


def speakers(run: Run) -> list[str]:
    return [event.agent for event in run.events if event.WhichOneof("event") in {"tool_call", "message_finished"}]


def handed(run: Run) -> list[str]:
    return [each.to for each in run.all("handed_off")]


async def test_members_hand_over_and_whoever_has_the_turn_answers(client: Client, model: ModelServer) -> None:
    words = "a sum in words, of LangChain"
    model.script(to("counter"), call("calculator", SUM), to("writer"), say("Forty-two."), when=words)
    members = (RECEPTION, COUNTER, WRITER)
    run = await client.run(words, spec=handing(*members, instructions="House rules.", temperature=0.3))
    assert run.all("completed")[0].output == "Forty-two."
    assert handed(run) == ["helper/reception", "helper/counter", "helper/writer"]
    assert speakers(run) == ["helper/counter", "helper/writer"]
    assert [result.content for result in run.all("tool_result")] == ["42"]
    first, second, third, last = model.about(words)
    assert [each.body["model"] for each in (first, second, third, last)] == [
        "scripted-1",
        "exact-1",
        "exact-1",
        "scripted-1",
    ]
    tools = [set(offered(each)) for each in (first, second, last)]
    assert tools == [{"hand_over"}, {"calculator", "hand_over"}, {"hand_over"}]
    assert "- writer: Writes {well}" in offered(first)["hand_over"]["description"]
    assert heard(first, "system") == ["You are reception: Finds out who can help\n\nHouse rules.\n\nGreet nobody."]
    assert heard(second, "system") == ["You are counter: Calculates\n\nYour goal: To be exact\n\nHouse rules."]
    assert heard(last, "system") == ["You are writer: Writes {well}\n\nHouse rules."]
    assert heard(last, "user") == [words]
    assert "42" in heard(last, "tool"), "who takes over knows what was done before"
    assert {each.body["temperature"] for each in (first, last)} == {0.3}


async def test_a_member_hands_over_to_its_own_only_and_hears_when_it_may_not(
    client: Client, model: ModelServer
) -> None:
    words = "strictly, of LangChain"
    garbage = call("hand_over", {"member": ["counter"]})
    model.script(to("writer"), call("hand_over", "{no json"), garbage, to("counter"), say("Done."), when=words)
    run = await client.run(words, spec=handing({**RECEPTION, "hand_offs": ["counter"]}, COUNTER, WRITER))
    assert run.all("completed")[0].output == "Done."
    assert speakers(run) == ["helper/counter"]
    first, *_, last = model.about(words)
    assert offered(first)["hand_over"]["parameters"]["properties"]["member"]["enum"] == ["counter"]
    *wrong, right = heard(last, "tool")
    assert wrong == ["There is no member of that name here. There are: counter."] * 3
    assert right == "counter goes on."


async def test_what_is_called_together_with_a_hand_over_is_done_and_known(client: Client, model: ModelServer) -> None:
    words = "both at once, of LangChain"
    both = call("calculator", SUM, ("hand_over", {"member": "writer"}), ("hand_over", {"member": "reception"}))
    model.script(both, say("It is 42."), when=words)
    run = await client.run(words, spec=handing(COUNTER, WRITER, RECEPTION))
    assert handed(run) == ["helper/counter", "helper/writer"]
    _, last = model.about(words)
    assert heard(last, "tool") == ["42", "writer goes on.", "It is handed over to writer already."]


async def test_who_has_the_last_turn_must_answer(client: Client, model: ModelServer) -> None:
    words = "round and round, of LangChain"
    model.script(to("writer"), to("reception"), to("writer"), say("Myself, then."), when=words)
    run = await client.run(words, spec=handing(RECEPTION, WRITER, max_turns=3))
    assert run.all("completed")[0].output == "Myself, then."
    exchanges = model.about(words)
    assert [set(offered(each)) for each in exchanges] == [{"hand_over"}, {"hand_over"}, set(), set()]
    assert "no tool of that name" in heard(exchanges[-1], "tool")[-1]
    assert speakers(run)[-1] == "helper/reception"


async def test_a_team_that_hands_over_without_end_meets_the_runs_limit(
    client: Client, model: ModelServer, ledger: LedgerPeer
) -> None:
    words, number = "hot potato, of LangChain", new_id("run")
    ledger.limits[number] = {"max_model_calls": 3}
    model.script(*(to(name) for name in ("writer", "reception") * 5), when=words)
    with pytest.raises(ResourceExhausted) as caught:
        await client.run(words, run=number, spec=handing(RECEPTION, WRITER, max_turns=200))
    assert caught.value.reason == "LIMIT_REACHED"
    assert len(model.about(words)) == 3


async def test_a_supervisor_has_members_work_and_answers_itself(client: Client, model: ModelServer) -> None:
    words = "write up the sum, of LangChain"
    model.script(
        call("current_time", {}, work("counter", "sum up for the boss")), call(*work("writer", "put 42 in words")),
        say("Here: forty-two."), when=words,
    )  # fmt: skip
    model.script(call("calculator", SUM), say("42"), when="sum up for the boss")
    model.script(say("forty-two"), when="put 42 in words")
    spec = supervised(COUNTER, WRITER, instructions="Be the boss.")
    run = await client.run(words, "current_time", spec=spec)
    assert run.all("completed")[0].output == "Here: forty-two."
    assert handed(run) == ["helper/counter", "helper", "helper/writer", "helper"]
    assert speakers(run) == ["helper", *["helper/counter"] * 2, "helper/writer", "helper"]
    first, _, last = model.about(words)
    assert set(offered(first)) == {"current_time", "assign_task"}
    assert "- writer: Writes {well}" in offered(first)["assign_task"]["description"]
    assert heard(first, "system") == ["Be the boss."]
    assert heard(last, "tool")[1:] == ["42", "forty-two"]
    counting = model.about("sum up for the boss")[0]
    assert counting.body["model"] == "exact-1"
    assert heard(counting, "system") == ["You are counter: Calculates\n\nYour goal: To be exact"]
    assert heard(counting, "user") == ["sum up for the boss"], "it sees nothing of the supervisor's talk"


async def test_members_that_are_asked_together_work_together(client: Client, model: ModelServer) -> None:
    """Neither would ever answer if the other had to be done first: both stall, with their sockets open."""
    words = "everybody now, of LangChain"
    model.script(call(*work("reception", "left half"), work("writer", "right half")), when=words)
    model.script(stall_after("L"), when="left half")
    model.script(stall_after("R"), when="right half")
    run = Run()
    running = asyncio.create_task(client.run(words, into=run, spec=supervised(RECEPTION, WRITER)))
    await until(lambda: set(run.text) == {"L", "R"}, 15)
    exchanges = [*model.about("left half"), *model.about("right half")]
    assert [exchange.done for exchange in exchanges] == [False, False]
    running.cancel()
    await until(lambda: all(exchange.dropped is not None for exchange in exchanges), 1)


async def test_a_member_does_one_thing_at_a_time(client: Client, model: ModelServer) -> None:
    words = "twice the same, of LangChain"
    model.script(call(*work("counter", "first sum"), work("counter", "second sum")), say("Both."), when=words)
    model.script(call("calculator", SUM), say("one"), when="first sum")
    model.script(call("calculator", {"expression": "1+1"}), say("two"), when="second sum")
    run = await client.run(words, spec=supervised(COUNTER, WRITER))
    assert heard(model.about(words)[-1], "tool") == ["one", "two"]
    assert [result.content for result in run.all("tool_result")] == ["42", "2"]
    assert handed(run) == ["helper/counter", "helper"]


async def test_a_supervisor_that_may_ask_nobody_any_more_hears_so(client: Client, model: ModelServer) -> None:
    words = "ask and ask, of LangChain"
    wrong = call(*work("nobody", "x"), ("assign_task", {"member": "writer"}))
    again = [call(*work("writer", f"small thing {number}")) for number in range(3)]
    model.script(wrong, *again, say("Enough."), when=words)
    run = await client.run(words, spec=supervised(RECEPTION, WRITER, max_turns=2))
    assert run.all("completed")[0].output == "Enough."
    assert len(model.about("small thing")) == 2
    told = heard(model.about(words)[-1], "tool")
    assert told[:2] == [
        "There is no member of that name here. There are: reception, writer.",
        "The task must be a text.",
    ]
    assert told[-1] == "Nobody may be asked any more. Answer with what you have."


@pytest.mark.parametrize("kind", [handing, supervised])
async def test_a_team_that_begins_again_asks_the_same(client: Client, model: ModelServer, kind: Any) -> None:
    words, number, first = f"cut in the middle of {kind.__name__}", new_id("run"), Run()
    begin = to("counter") if kind is handing else call(*work("counter", words))
    both = call("calculator", SUM, ("calculator", {"expression": "1+1"}))
    ends = () if kind is handing else (say("Thanks."),)
    model.script(begin, both, stall_after("It "), say("It is 42."), *ends, when=words)
    spec = kind(RECEPTION, COUNTER)
    running = asyncio.create_task(client.run(words, run=number, into=first, spec=spec))
    await until(lambda: first.text == "It ", 15)
    running.cancel()
    again = await client.run(words, run=number, attempt=2, spec=spec)
    assert [started.replayed for started in again.all("step_started")] == [True] * 4 + [False] * (1 + len(ends))
    assert again.all("completed")[0].output == ("Thanks." if ends else "It is 42.")
    cut, last = model.about(words)[2:4]
    assert cut.messages == last.messages


async def test_cancelling_a_team_closes_the_members_socket(client: Client, model: ModelServer) -> None:
    words, run = "never ending, of LangChain", Run()
    model.script(to("writer"), stall_after("Once "), when=words)
    running = asyncio.create_task(client.run(words, into=run, spec=handing(RECEPTION, WRITER)))
    await until(lambda: run.text == "Once ", 15)
    running.cancel()
    exchange = model.about(words)[-1]
    await until(lambda: exchange.dropped is not None, 1)


async def test_it_tells_that_it_runs_teams(client: Client) -> None:
    described = await client.stub.Describe(agent_service_pb2.DescribeRequest())
    assert agent_service_pb2.CAPABILITY_TEAMS in described.capabilities
    assert set(described.team_kinds) == {team_pb2.TEAM_KIND_HANDOFF, team_pb2.TEAM_KIND_SUPERVISOR}
