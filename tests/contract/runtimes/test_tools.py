"""What an agent of any runtime does with its tools, and with mistakes of its model."""

import json

import pytest
from agentmesh.agent.v1 import activity_pb2, team_pb2

from meshctl.runtimes import NEEDED
from meshkit.errors import InvalidArgument
from meshkit.ids import new_id
from orchestrator.domain.builtin_agents import BUILT_IN_AGENTS
from tests.fakes.ledger import Begin, LedgerPeer, Verdict
from tests.fakes.model_server import ModelServer, call, say
from tests.integration.agent.conftest import Client

TOOL_STEP = ["step_started", "tool_call", "tool_result", "step_finished"]
TOOL, SUM = activity_pb2.STEP_KIND_TOOL, {"expression": "1+1"}


async def test_a_tool_is_called_and_its_result_told(client: Client, model: ModelServer, runtime: str) -> None:
    text = f"{runtime} twelve times seven"
    model.script(call("calculator", {"expression": "12*(3+4)"}), say("It is 84."), when=text)
    run = await client.run(text, "calculator")
    called, result = run.all("tool_call")[0], run.all("tool_result")[0]
    assert (called.name, json.loads(called.arguments)) == ("calculator", {"expression": "12*(3+4)"})
    assert (result.name, result.content, result.is_error) == ("calculator", "84", False)
    assert called.id == result.id != ""
    steps = [event.step for event in run.events if event.WhichOneof("event") == "step_started"]
    assert steps == ["model-1", "tool-2", "model-3"]
    assert [str(event.WhichOneof("event")) for event in run.events if event.step == "tool-2"] == TOOL_STEP
    offered = model.about(text)[0].body["tools"]
    assert [tool["function"]["name"] for tool in offered] == ["calculator"]
    assert offered[0]["function"]["parameters"]["required"] == ["expression"]
    (heard,) = [message for message in model.about(text)[-1].messages if message["role"] == "tool"]
    assert (heard["tool_call_id"], heard["content"]) == ("call-1", "84")
    assert run.all("completed")[0].output == "It is 84."


async def test_the_built_in_agents_have_the_tools_that_they_name(client: Client, runtime: str) -> None:
    told = await client.stub.Describe({})
    wanted = {tool for agent in BUILT_IN_AGENTS.values() if agent.spec.runtime == runtime for tool in agent.spec.tools}
    assert wanted <= {tool.name for tool in told.tools}
    assert bool(wanted) == (runtime in NEEDED)


async def test_tools_asked_for_together_are_all_called(client: Client, model: ModelServer, runtime: str) -> None:
    text = f"{runtime} two sums"
    both = call("calculator", {"expression": "1+1"}, ("calculator", {"expression": "2+2"}), text="Let me see.")
    model.script(both, say("2 and 4"), when=text)
    run = await client.run(text, "calculator")
    assert sorted(result.content for result in run.all("tool_result")) == ["2", "4"]
    ids = [called.id for called in run.all("tool_call")]
    assert len(set(ids)) == 2
    assert sorted(ids) == sorted(result.id for result in run.all("tool_result"))
    heard = {
        message["tool_call_id"]: message["content"]
        for message in model.about(text)[-1].messages
        if message["role"] == "tool"
    }
    assert heard == {"call-1": "2", "call-2": "4"}
    assert run.all("completed")[0].output == "2 and 4"


async def test_a_model_that_errs_is_told_and_corrects_itself(client: Client, model: ModelServer, runtime: str) -> None:
    text = f"{runtime} err a lot"
    model.script(
        call("calculator", {"expression": "1+"}, ids="a"),
        call("calculator", {"formula": "1+1"}, ids="b"),
        call("calculator", '{"expression": "1+1"', ids="c"),
        call("calculator", '["1+1"]', ids="d"),
        call("no_such_tool", {"x": 1}, ids="f"),
        call("calculator", {"expression": "1+1"}, ids="g"),
        say("2"),
        when=text,
    )
    run = await client.run(text, "calculator")
    assert run.all("completed")[0].output == "2"
    heard = [message["content"] for message in model.about(text)[-1].messages if message["role"] == "tool"]
    assert len(heard) == 6, "each mistake was answered"
    assert heard[-1] == "2"
    results = run.all("tool_result")
    assert results[-1].content == "2"
    assert all(result.is_error for result in results[:-1])


async def test_a_tool_works_with_the_arguments_that_a_person_made_of_them(
    client: Client, model: ModelServer, ledger: LedgerPeer, runtime: str
) -> None:
    number, text = new_id("run"), f"{runtime} edit it"
    execute = {"idempotency_key": "k", "arguments": '{"expression": "20+1"}'}

    def edited(asked: Begin) -> Verdict | None:
        return Verdict(step="tool-2", execute=execute) if asked.kind == TOOL else None

    ledger.scripts[number] = edited
    model.script(call("calculator", SUM), say("21"), when=text)
    run = await client.run(text, "calculator", run=number)
    assert run.all("tool_result")[0].content == "21"


async def test_what_cannot_run_is_refused_before_the_model_is_asked(
    client: Client, model: ModelServer, runtime: str
) -> None:
    text = f"{runtime} impossible"
    with pytest.raises(InvalidArgument) as caught:
        await client.run(text, "calculator", "teleport")
    assert caught.value.field_violations[0].field == "spec.tools[1]"
    kinds = set(team_pb2.TeamKind.values()) - {0}
    told = await client.stub.Describe({})
    member = {"name": "one", "role": "Somebody", "tools": ["teleport"]}
    for kind in sorted(kinds):
        team = {"kind": kind, "members": [member, {"name": "two", "role": "Somebody"}], "max_turns": 2}
        with pytest.raises(InvalidArgument) as caught:
            await client.run(text, spec={"team": team})
        known = kind in told.team_kinds
        assert caught.value.field_violations[0].field == (
            "spec.team.members[0].tools[0]" if known else "spec.team.kind"
        )
    assert not model.about(text)
