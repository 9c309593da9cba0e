"""Crews: who speaks, with whose tools, and that nothing of CrewAI outlasts a run or leaves the process."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import pytest_asyncio
from agentmesh.agent.v1 import agent_service_pb2, team_pb2

from meshkit.errors import MeshError
from meshkit.ids import new_id
from meshkit.testing.credentials import TestTokens
from tests.fakes.ledger import LedgerPeer
from tests.fakes.model_server import ModelServer, Reply, call, say, stall_after
from tests.integration.agent.conftest import Client, Process, Run, agent_process, logged, until

SUM = {"expression": "6*7"}
DELEGATE, ASK = "delegate_work_to_coworker", "ask_question_to_coworker"


@pytest.fixture(scope="module")
def crew_process(
    tmp_path_factory: pytest.TempPathFactory, model: ModelServer, tokens: TestTokens, ledger: LedgerPeer
) -> Iterator[Process]:
    directory = tmp_path_factory.mktemp("crewai")
    home, temporary = directory / "home", directory / "tmp"
    home.mkdir()
    temporary.mkdir()
    variables = {"MESH_MEMORY_ADDRESS": "127.0.0.1:9", "HOME": str(home), "TMPDIR": str(temporary)}
    with agent_process(directory, model.url, tokens, ledger, runtime="crewai", **variables) as process:
        yield process
    assert not list(temporary.glob("agentmesh-*")), "its folder goes with the process"


@pytest_asyncio.fixture
async def crew(crew_process: Process, model: ModelServer) -> AsyncIterator[Client]:
    async with crew_process.channel(tenant=new_id("tenant")) as channel:
        yield Client(channel, crew_process.tokens, "crewai")
    model.script()  # what was left unsaid to whomever


def team(kind: str, *tasks: tuple[str, str]) -> dict[str, Any]:
    """Return the spec of a newsroom whose researcher can count; tasks are descriptions and who does them."""
    researcher = team_pb2.TeamMember(
        name="researcher", role="Finds out what is so", instructions="Never guess.", tools=["calculator"]
    )
    writer = team_pb2.TeamMember(name="writer", role="Writes it down", goal="To be read.", model="writer-model")
    told = [team_pb2.TeamTask(description=what, expected_output="Two words.", member=who) for what, who in tasks]
    made = team_pb2.Team(kind=f"TEAM_KIND_{kind}", members=[researcher, writer], tasks=told)
    return {"team": made, "instructions": "Be brief."}


def delegate(task: str, to: str, *more: tuple[str, dict[str, str]], tool: str = DELEGATE, ids: str = "d") -> Reply:
    name = "task" if tool == DELEGATE else "question"
    return call(tool, {name: task, "context": "none", "coworker": to}, *more, ids=ids)


def speakers(run: Run) -> list[str]:
    """Return who began which steps."""
    started = [event for event in run.events if event.WhichOneof("event") == "step_started"]
    return [f"{event.agent}: {event.step_started.name}" for event in started]


async def test_a_sequence_is_worked_through_by_its_members(crew: Client, model: ModelServer) -> None:
    model.script(call("calculator", SUM), say("It is 42."), say("Forty-two."), when="the sum of the day")
    tasks = (("Find the sum.", "researcher"), ("Write about it.", "writer"))
    run = await crew.run("the sum of the day", spec=team("SEQUENTIAL", *tasks))
    assert run.all("completed")[0].output == "Forty-two."
    assert speakers(run) == [
        "helper/researcher: scripted-1",
        "helper/researcher: calculator",
        "helper/researcher: scripted-1",
        "helper/writer: writer-model",
    ]
    assert [each.to for each in run.all("handed_off")] == ["helper/researcher", "helper/writer"]
    assert run.all("tool_call")[0].id == "call-1"
    first, _, last = model.about("the sum of the day")
    assert [each["function"]["name"] for each in first.body["tools"]] == ["calculator"]
    assert "tools" not in last.body
    assert last.body["model"] == "writer-model"
    for part in ("researcher", "Finds out what is so", "Be brief.", "Never guess.", "To fulfil your role."):
        assert part in first.messages[0]["content"]
    asked = last.messages[-1]["content"]
    for part in ("Write about it.", "Two words.", "the sum of the day", "It is 42."):
        assert part in asked
    assert "Never guess." not in last.messages[0]["content"]


async def test_every_member_hears_what_was_said_before(crew: Client, model: ModelServer) -> None:
    model.script(say("One."), say("Two."), when="go on with it")
    tasks = (("Find out.", "researcher"), ("Write.", "writer"))
    request = crew.request("go on with it", spec=team("SEQUENTIAL", *tasks))
    request.history.add(role=agent_service_pb2.ROLE_USER, text="hello {input}")
    request.history.add(role=agent_service_pb2.ROLE_ASSISTANT, text="hi")
    fact = request.recalled.add(layer=3, score=0.5).fact
    fact.key, fact.value = "city", "Paris"
    events = [event async for event in crew.stub.Execute(request)]
    assert events[-1].completed.output == "Two."
    for exchange in model.about("go on with it"):
        roles = [(message["role"], message["content"]) for message in exchange.messages]
        assert [role for role, _ in roles] == ["system", "user", "assistant", "user", "user"]
        assert [text for _, text in roles[1:3]] == ["hello {input}", "hi"]
        assert roles[3][1].startswith("<recalled_memory>")
        assert "Paris" not in roles[0][1]


async def test_a_manager_hands_work_out_and_answers(crew: Client, model: ModelServer) -> None:
    model.script(
        delegate("Count the eggs.", "researcher"),
        call("calculator", SUM),
        say("There are 42."),
        delegate("How would you say 42?", "Writer", tool=ASK, ids="e"),
        say("Forty-two eggs."),
        say("We have forty-two eggs."),
    )
    run = await crew.run("how many eggs", spec=team("HIERARCHICAL", ("Answer.", "")))
    assert run.all("completed")[0].output == "We have forty-two eggs."
    assert speakers(run) == [
        "helper: scripted-1",
        "helper/researcher: scripted-1",
        "helper/researcher: calculator",
        "helper/researcher: scripted-1",
        "helper: scripted-1",
        "helper/writer: writer-model",
        "helper: scripted-1",
    ]
    assert [each.to for each in run.all("handed_off")] == [
        "helper/researcher", "helper", "helper/writer", "helper",
    ]  # fmt: skip
    manager = model.about("how many eggs")[0]
    assert "Be brief." in manager.messages[0]["content"]
    assert [each["function"]["name"] for each in manager.body["tools"]] == [DELEGATE, ASK]
    assert "- writer: Writes it down" in manager.body["tools"][0]["function"]["description"]


async def test_a_manager_gives_a_members_task_to_that_member_only(crew: Client, model: ModelServer) -> None:
    model.script(delegate("x", "writer"), delegate("Count.", "researcher", ids="e"), say("42."), say("It is 42."))
    run = await crew.run("the task of one", spec=team("HIERARCHICAL", ("Answer.", "researcher")))
    assert run.all("completed")[0].output == "It is 42."
    assert [each.to for each in run.all("handed_off")] == ["helper/researcher", "helper"]
    manager = model.about("the task of one")[0]
    assert "writer" not in manager.body["tools"][0]["function"]["description"]
    assert "calculator" not in str(manager.body["tools"])


async def test_what_a_manager_hands_out_at_once_is_done_in_order(crew: Client, model: ModelServer) -> None:
    """One agent cannot do two things at once, and the order must be the same after a restart."""
    second = (DELEGATE, {"task": "Count hens.", "context": "none", "coworker": "researcher"})
    model.script(delegate("Count eggs.", "researcher", second), say("42."), say("7."), say("42 and 7."))
    run = await crew.run("eggs and hens", spec=team("HIERARCHICAL", ("Answer.", "")))
    assert run.all("completed")[0].output == "42 and 7."
    told = model.about("eggs and hens")[-1].messages
    assert [message["content"] for message in told if message["role"] == "tool"] == ["42.", "7."]


async def test_a_tool_that_nobody_has_is_told_as_called_by_who_called_it(crew: Client, model: ModelServer) -> None:
    model.script(call("calculator", SUM), delegate("Look.", "writer"), call("web", {}), say("No."), say("No."))
    run = await crew.run("call what is not there", spec=team("HIERARCHICAL", ("Answer.", "")))
    assert speakers(run)[1] == "helper: calculator"  # the researcher's, not the manager's
    assert speakers(run)[4] == "helper/writer: web"
    assert [each.is_error for each in run.all("tool_result")] == [True, True]


@pytest.mark.parametrize("kind", ["SEQUENTIAL", "HIERARCHICAL"])
async def test_a_crew_that_begins_again_asks_nothing_again(
    crew: Client, model: ModelServer, ledger: LedgerPeer, kind: str
) -> None:
    number, text = new_id("run"), f"again {kind}"
    handed = [delegate("Count.", "researcher")] if kind == "HIERARCHICAL" else []
    model.script(*handed, call("calculator", SUM), call("calculator", "no json", ids="b"), say("42."), say("Done."))
    spec = team(kind, ("Find out.", "researcher"), *([] if handed else [("Write.", "writer")]))
    first = await crew.run(text, spec=spec, run=number)
    asked = len(model.exchanges)
    await asyncio.sleep(1.1)  # the clock's next second: its text would differ
    second = await crew.run(text, spec=spec, run=number, attempt=2)
    assert len(model.exchanges) == asked
    assert second.all("completed")[0].output == first.all("completed")[0].output == "Done."
    assert speakers(second) == speakers(first)
    assert all(each.replayed for each in second.all("step_started"))
    assert [each.arguments for each in second.all("tool_call")] == ['{"expression": "6*7"}', "no json"]


@pytest.mark.parametrize("kind", ["SEQUENTIAL", "HIERARCHICAL"])
async def test_cancelling_a_crew_closes_its_model_calls_at_once(crew: Client, model: ModelServer, kind: str) -> None:
    text = f"leave {kind}"
    model.script(*([delegate("Wait.", "researcher")] if kind == "HIERARCHICAL" else []), stall_after("a"))
    run = Run()
    spec = team(kind, ("Find out.", "researcher"), *([] if kind == "HIERARCHICAL" else [("Write.", "writer")]))
    running = asyncio.create_task(crew.run(text, spec=spec, into=run))
    await until(lambda: bool(run.text))
    asked = len(model.exchanges)
    running.cancel()
    left = time.monotonic()
    exchange = model.exchanges[-1]
    await until(lambda: exchange.dropped is not None)
    assert exchange.dropped is not None
    assert exchange.dropped - left < 0.5
    # Whoever goes on in a thread asks nobody any more; the process soon has room, and its threads, again.
    model.script(say("Yes."), when="another one")
    assert (await crew.run("another one")).text == "Yes."
    assert len(model.exchanges) == asked + 1


async def test_a_limit_ends_a_crew_in_the_middle_of_a_delegation(
    crew: Client, model: ModelServer, ledger: LedgerPeer
) -> None:
    number = new_id("run")
    ledger.limits[number] = {"max_tool_calls": 1}
    again = [call("calculator", SUM, ids=each) for each in "abc"]
    model.script(delegate("Count.", "researcher"), *again, say("No."), say("No."))
    with pytest.raises(MeshError) as caught:
        await crew.run("count too often", spec=team("HIERARCHICAL", ("Answer.", "")), run=number)
    assert caught.value.reason == "LIMIT_REACHED"
    assert len(model.about("count too often")) < 3


async def test_many_runs_at_once_wait_for_no_thread(crew: Client, model: ModelServer) -> None:
    model.script(*[say("a", "b", delay=1.0)] * 24, when="all at once")
    began = time.monotonic()
    runs = await asyncio.gather(*(crew.run("all at once") for _ in range(24)))
    assert {run.text for run in runs} == {"ab"}
    first = [exchange.began for exchange in model.about("all at once")]
    # All were asked before the first one had answered: no pool of a few threads lies between.
    assert max(first) - min(first) < 3.0
    assert time.monotonic() - began < 12


async def test_an_agent_without_tools_whose_model_calls_some_is_told(crew: Client, model: ModelServer) -> None:
    model.script(call("calculator", SUM), say("I cannot."), when="count without tools")
    run = await crew.run("count without tools")
    assert run.all("completed")[0].output == "I cannot."
    assert run.all("tool_result")[0].is_error


async def test_crews_leave_nothing_behind(crew: Client, model: ModelServer, crew_process: Process) -> None:
    model.script(say("One."), say("a canary of Ada's"), when="leave nothing")
    tasks = (("Find out.", "researcher"), ("Write.", "writer"))
    await crew.run("leave nothing", spec=team("SEQUENTIAL", *tasks))
    assert logged(crew_process), "every line of the output is JSON"
    directory = crew_process.log.parent
    kept = [path for path in directory.rglob("*") if path.is_file() and b"canary of Ada" in path.read_bytes()]
    assert kept == []
    assert list((directory / "home").iterdir()) == []
    assert {path.name for path in directory.iterdir()} == {"home", "tmp", "agent.log", "agent.sock", "model.key"}
