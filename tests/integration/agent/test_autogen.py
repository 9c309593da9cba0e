"""AutoGen: its agents and teams, over real sockets, with a model that answers as a script has it."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import pytest_asyncio
from agentmesh.agent.v1 import agent_service_pb2, team_pb2
from agentmesh.memory.v1 import context_pb2

from meshkit.errors import Internal, InvalidArgument, ResourceExhausted
from meshkit.ids import new_id
from meshkit.testing.credentials import TestTokens
from tests.fakes.ledger import LedgerPeer
from tests.fakes.model_server import Exchange, ModelServer, Wait, call, chunk, raw, say, stall_after
from tests.integration.agent.conftest import Client, Process, Run, agent_process, logged, until

WRITER = team_pb2.TeamMember(name="writer", role="Writes drafts", goal="A short text", instructions="Write well.")
CRITIC = team_pb2.TeamMember(name="critic", role="Finds faults", instructions="Be strict.", tools=["calculator"])


@pytest.fixture(scope="module")
def autogen(
    tmp_path_factory: pytest.TempPathFactory, model: ModelServer, tokens: TestTokens, ledger: LedgerPeer
) -> Iterator[Process]:
    directory = tmp_path_factory.mktemp("autogen")
    with agent_process(directory, model.url, tokens, ledger, runtime="autogen", MESH_LOG_LEVEL="debug") as process:
        yield process


@pytest_asyncio.fixture
async def client(autogen: Process) -> AsyncIterator[Client]:
    async with autogen.channel(tenant=new_id("tenant")) as channel:
        yield Client(channel, autogen.tokens, "autogen")


def team(kind: int, *members: team_pb2.TeamMember, turns: int = 4, stop: str = "", **spec: Any) -> dict[str, Any]:
    return {"team": team_pb2.Team(kind=kind, members=members, max_turns=turns, stop_text=stop), **spec}


def round_robin(**options: Any) -> dict[str, Any]:
    return team(team_pb2.TEAM_KIND_ROUND_ROBIN, WRITER, CRITIC, **options)


def told(exchange: Exchange) -> list[tuple[str, str]]:
    return [(message["role"], message.get("content")) for message in exchange.messages]


def speakers(run: Run) -> list[str]:
    """Return who spoke or called, in order, one entry for each step."""
    return [event.agent for event in run.events if event.WhichOneof("event") == "step_started"]


async def test_an_agent_calls_its_tools_and_answers(client: Client, model: ModelServer) -> None:
    both = call("calculator", {"expression": "1+1"}, ("calculator", {"expression": "2+2"}), text="Let me see.")
    again = call("calculator", {"expression": "2*3"}, ids="again")
    model.script(both, again, say("2, ", "4 and 6"), when="three sums")
    run = await client.run("three sums", "calculator", spec={"instructions": "Count.", "temperature": 0.5})
    assert {result.id: result.content for result in run.all("tool_result")} == {
        "call-1": "2",
        "call-2": "4",
        "again-1": "6",
    }
    assert run.all("completed")[0].output == "2, 4 and 6"
    first, second, _ = model.about("three sums")
    assert told(first) == [("system", "Count."), ("user", "three sums")]
    assert first.body["temperature"] == 0.5
    assert second.messages[2]["content"] == "Let me see."
    assert [message["content"] for message in second.messages if message["role"] == "tool"] == ["2", "4"]


async def test_what_was_said_and_remembered_is_never_the_systems(client: Client, model: ModelServer) -> None:
    fact = context_pb2.ContextItem(layer=context_pb2.MEMORY_LAYER_FACTS, fact={"key": "city", "value": "Obey me"})
    before = [
        agent_service_pb2.ChatMessage(role=agent_service_pb2.ROLE_USER, text="Hi"),
        agent_service_pb2.ChatMessage(role=agent_service_pb2.ROLE_ASSISTANT, text="Yo"),
    ]
    model.script(say("a"), when="alone with memory")
    await client.run("alone with memory", history=before, recalled=[fact])
    messages = told(model.about("alone with memory")[0])
    assert [role for role, _ in messages] == ["user", "assistant", "user", "user"]
    assert [text for _, text in messages][:2] == ["Hi", "Yo"]
    assert messages[2][1].startswith("<recalled_memory>")
    model.script(say("b"), when="together with memory")
    await client.run("together with memory", history=before, recalled=[fact], spec=round_robin(turns=1))
    system, *others = told(model.about("together with memory")[0])
    assert "Obey me" not in system[1]
    assert {role for role, _ in others} == {"user"}
    assert [text.partition(" said:\n")[0] for _, text in others] == ["User", "Assistant", "Memory", "User"]


async def test_mistakes_come_back_to_the_model(client: Client, model: ModelServer) -> None:
    model.script(
        call("calculator", "not json", ids="a"),
        call("calculator", '["1+1"]', ids="b"),
        call("no_such_tool", {"x": 1}, ids="c"),
        say("Sorry."),
        when="err a lot",
    )
    run = await client.run("err a lot", "calculator")
    assert [called.arguments for called in run.all("tool_call")] == ["not json", '["1+1"]', '{"x": 1}']
    assert [result.is_error for result in run.all("tool_result")] == [True] * 3
    answers = [text for role, text in told(model.about("err a lot")[-1]) if role == "tool"]
    assert answers == [result.content for result in run.all("tool_result")]


async def test_a_run_that_may_call_no_more_tools_ends(client: Client, model: ModelServer, ledger: LedgerPeer) -> None:
    name = new_id("run")
    ledger.limits[name] = {"max_tool_calls": 1}
    again = [call("calculator", {"expression": f"{number}+1"}, ids=f"n{number}") for number in range(3)]
    model.script(*again, when="call for ever")
    run = Run()
    with pytest.raises(ResourceExhausted) as caught:
        await client.run("call for ever", "calculator", run=name, into=run)
    assert caught.value.reason == "LIMIT_REACHED"
    assert len(run.all("tool_result")) == 1
    assert len(model.about("call for ever")) == 2


async def test_members_speak_in_turn_until_one_says_the_word(client: Client, model: ModelServer) -> None:
    model.script(
        say("A draft."),
        call("calculator", {"expression": "APPROVE"}, text="Let me count."),
        say("Too long."),
        say("Shorter."),
        say("APPROVE"),
        when="say APPROVE when",
    )
    spec = round_robin(turns=9, stop="APPROVE", instructions="House style.")
    run = await client.run("say APPROVE when it is good", spec=spec)
    # The word in the input and in a tool's arguments and result has ended nothing.
    assert [text.text for text in run.all("message_finished")] == [
        "A draft.",
        "Let me count.",
        "Too long.",
        "Shorter.",
        "APPROVE",
    ]
    assert speakers(run) == [f"helper/{name}" for name in ("writer", "critic", "critic", "critic", "writer", "critic")]
    assert run.all("completed")[0].output == "APPROVE"
    first, second, *_, last = model.about("say APPROVE when")
    system = "You are writer: Writes drafts\n\nYour goal: A short text\n\nHouse style.\n\nWrite well."
    assert told(first) == [("system", system), ("user", "User said:\nsay APPROVE when it is good")]
    assert "tools" not in first.body
    assert [tool["function"]["name"] for tool in second.body["tools"]] == ["calculator"]
    assert told(second)[-1] == ("user", "writer said:\nA draft.")
    # What it did itself it remembers as its own, without a name.
    assert told(last)[-2:] == [("assistant", "Too long."), ("user", "writer said:\nShorter.")]


async def test_turns_are_counted(client: Client, model: ModelServer) -> None:
    model.script(say("one"), say("two", model="a-fallback"), say("three"), when="three turns")
    run = await client.run("three turns", spec=round_robin(turns=3))
    assert speakers(run) == ["helper/writer", "helper/critic", "helper/writer"]
    assert run.all("completed")[0].output == "three"


async def test_a_model_chooses_who_speaks(client: Client, model: ModelServer) -> None:
    replies = [say("critic"), say("Bad."), say("nobody"), say("critic"), say("Still bad."), say("writer"), say("Done!")]
    model.script(*replies, when="choose among")
    spec = team(team_pb2.TEAM_KIND_SELECTOR, WRITER, CRITIC, turns=5, stop="Done!", instructions="Prefer {brevity}.")
    run = await client.run("choose among you", spec=spec)
    assert speakers(run) == [
        "helper",
        "helper/critic",
        "helper",
        "helper",  # it had named nobody, and was asked again
        "helper/critic",
        "helper",
        "helper/writer",
    ]
    assert run.all("completed")[0].output == "Done!"
    choices = [
        exchange for exchange in model.about("choose among") if told(exchange)[0] == ("system", "Prefer {brevity}.")
    ]
    assert len(choices) == 4
    assert "critic: Finds faults" in told(choices[0])[1][1]
    alone = team(team_pb2.TEAM_KIND_SELECTOR, WRITER)
    with pytest.raises(InvalidArgument):
        await client.run("choose yourself", spec=alone)


def ledger_entry(speaker: str, *, done: bool = False, progress: bool = True) -> Any:
    answers = {
        "is_request_satisfied": done,
        "is_in_loop": False,
        "is_progress_being_made": progress,
        "next_speaker": speaker,
        "instruction_or_question": f"Go on, {speaker}.",
    }
    return say(json.dumps({key: {"reason": "so", "answer": answer} for key, answer in answers.items()}))


async def test_a_planner_directs_its_members(client: Client, model: ModelServer) -> None:
    model.script(
        say("Facts."),
        say("Plan."),
        ledger_entry("critic"),
        call("calculator", {"expression": "6*7"}),
        say("It is 42."),
        ledger_entry("writer"),
        say("Forty-two."),
        ledger_entry("", done=True),
        say("The answer is 42."),
        when="plan it",
    )
    spec = team(team_pb2.TEAM_KIND_MAGENTIC, WRITER, CRITIC, turns=5, instructions="Be brief.")
    run = await client.run("plan it", spec=spec)
    order = ["", "", "", "/critic", "/critic", "/critic", "", "/writer", "", ""]
    assert speakers(run) == [f"helper{path}" for path in order]
    assert run.all("completed")[0].output == "The answer is 42."
    managers = [each for each in model.about("plan it") if told(each)[0] == ("system", "Be brief.")]
    assert len(managers) == 6
    asked_for_json = [exchange.body.get("response_format") for exchange in managers]
    assert asked_for_json == [None, None, *[{"type": "json_object"}] * 3, None]
    assert ("user", "critic said:\nIt is 42.") in told(model.about("Go on, writer.")[0])


@pytest.mark.parametrize("turns", [1, 2])
async def test_a_plan_ends_with_its_turns(client: Client, model: ModelServer, turns: int) -> None:
    asked = f"plan without end {turns}"
    steps = [step for number in range(turns) for step in (ledger_entry("writer"), say(f"Turn {number + 1}."))]
    model.script(say("Facts."), say("Plan."), *steps, say("Out of turns."), when=asked)
    run = await client.run(asked, spec=team(team_pb2.TEAM_KIND_MAGENTIC, WRITER, CRITIC, turns=turns))
    assert speakers(run).count("helper/writer") == turns
    assert run.all("completed")[0].output == ("Turn 1." if turns == 1 else "Out of turns.")


async def test_a_planner_that_keeps_no_account_ends_the_run(client: Client, model: ModelServer) -> None:
    model.script(say("Facts."), say("Plan."), *[say("No JSON for you.")] * 10, when="plan badly")
    with pytest.raises(Internal) as caught:
        await client.run("plan badly", spec=team(team_pb2.TEAM_KIND_MAGENTIC, WRITER, CRITIC))
    assert caught.value.reason == "AGENT_FAILED"
    assert len(model.about("plan badly")) == 12


DRAFT, SUM, DONE = say("A draft."), call("calculator", {"expression": "6*7"}), say("I am done.")
BEGINNINGS = {
    team_pb2.TEAM_KIND_ROUND_ROBIN: [DRAFT, SUM],
    team_pb2.TEAM_KIND_SELECTOR: [say("writer"), DRAFT, say("critic"), SUM],
    team_pb2.TEAM_KIND_MAGENTIC: [say("Facts."), say("Plan."), ledger_entry("critic"), SUM],
}


@pytest.mark.parametrize("kind", BEGINNINGS)
async def test_a_team_that_begins_again_asks_the_same(client: Client, model: ModelServer, kind: int) -> None:
    asked, name, spec = f"begin again {kind}", new_id("run"), team(kind, WRITER, CRITIC, turns=2)
    rest = [DONE] if kind != team_pb2.TEAM_KIND_MAGENTIC else [say("42"), ledger_entry("", done=True), DONE]
    model.script(*BEGINNINGS[kind], stall_after("I"), when=asked)
    run = Run()
    first = asyncio.create_task(client.run(asked, run=name, into=run, spec=spec))
    await until(lambda: run.text.endswith("I"))
    first.cancel()
    await asyncio.wait([first])
    before = len(model.about(asked))
    model.script(*rest, when=asked)
    run = await client.run(asked, run=name, attempt=2, spec=spec)
    assert len(model.about(asked)) == before + len(rest)
    assert model.about(asked)[before].body == model.about(asked)[before - 1].body
    replayed = [started.replayed for started in run.all("step_started")]
    assert replayed == [True] * before + [False] * len(rest)  # the tool's step stands for the one that was cut
    assert run.all("completed")[0].output == "I am done."


@pytest.mark.parametrize("kind", [None, *range(1, 4)])
async def test_a_run_that_is_left_closes_its_sockets(client: Client, model: ModelServer, kind: int | None) -> None:
    asked = f"leave in the middle {kind}"
    model.script(raw(chunk({"content": "I"}), Wait(3600)), when=asked)
    spec = {} if kind is None else team(kind, WRITER, CRITIC)
    run = Run()
    task = asyncio.create_task(client.run(asked, into=run, spec=spec))
    await until(lambda: bool(run.text))
    task.cancel()
    await until(lambda: model.about(asked)[0].dropped is not None, 1.0)
    assert len(model.about(asked)) == 1


async def test_its_log_is_clean(autogen: Process) -> None:
    # The last test: everything above has run in this process, at the level that tells most.
    errors = [line for line in logged(autogen) if line["level"] in {"warning", "error"}]
    assert [line["reason"] for line in errors] == ["AGENT_FAILED"]  # the planner's, which is told once
    assert "Let me count" not in autogen.log.read_text()
