"""Structured answers inside a running service: what it tells of itself, what it refuses, teams, cancelling."""

import asyncio

import pytest
from agentmesh.agent.v1 import agent_service_pb2, team_pb2

from meshkit.errors import InvalidArgument, ResourceExhausted
from meshkit.ids import new_id
from tests.fakes.ledger import LedgerPeer
from tests.fakes.model_server import ModelServer, call, say, stall_after
from tests.integration.agent.conftest import Client, Run, until

NUMBERS = {"type": "array", "items": {"type": "integer"}, "minItems": 2}


async def test_every_runtime_tells_that_it_gives_structured_answers(client: Client) -> None:
    told = await client.stub.Describe(agent_service_pb2.DescribeRequest())
    assert agent_service_pb2.CAPABILITY_STRUCTURED_OUTPUT in told.capabilities


async def test_a_schema_that_is_none_is_refused_before_any_model_is_asked(client: Client, model: ModelServer) -> None:
    words = "a schema that is none"
    with pytest.raises(InvalidArgument) as caught:
        await client.run(words, spec={"output_schema": {"type": "number", "minimum": "low"}})
    assert [violation.field for violation in caught.value.field_violations] == ["spec.output_schema"]
    assert model.about(words) == []


async def test_the_answer_is_mended_after_tools_by_the_agents_own_model(client: Client, model: ModelServer) -> None:
    words = "count with tools"
    model.script(call("calculator", {"expression": "6*7"}), say("[42]"), say("```json\n[42, 43]\n```"), when=words)
    spec = {"output_schema": NUMBERS, "model": "exact-1", "temperature": 0.5}
    run = await client.run(words, "calculator", spec=spec)
    assert run.all("completed")[0].output == "[42, 43]"
    *_, mending = model.about(words)
    assert (mending.body["model"], mending.body["temperature"]) == ("exact-1", 0.5)
    assert "tools" not in mending.body
    assert [message["role"] for message in mending.messages] == ["system", "user", "assistant", "user"]
    assert [used.model_calls for used in [run.all("completed")[0].usage]] == [3]


async def test_mending_is_within_the_limits_of_the_run(client: Client, model: ModelServer, ledger: LedgerPeer) -> None:
    words, number = "one call only", new_id("run")
    ledger.limits[number] = {"max_model_calls": 1}
    model.script(say("[1]"), say("[1, 2]"), when=words)
    with pytest.raises(ResourceExhausted) as caught:
        await client.run(words, run=number, spec={"output_schema": NUMBERS})
    assert caught.value.reason == "LIMIT_REACHED"
    assert len(model.about(words)) == 1


async def test_the_members_of_a_team_know_of_the_schema_and_the_agent_mends(client: Client, model: ModelServer) -> None:
    words = "numbers of a team"
    members = [{"name": "one", "role": "Knows one number"}, {"name": "two", "role": "Knows two numbers"}]
    team = {"kind": team_pb2.TEAM_KIND_HANDOFF, "members": members, "max_turns": 2}
    model.script(call("hand_over", {"member": "two"}), say("[2]"), say("[2, 2]"), when=words)
    run = await client.run(words, spec={"output_schema": NUMBERS, "team": team})
    assert run.all("completed")[0].output == "[2, 2]"
    assert [handed.to for handed in run.all("handed_off")] == ["helper/one", "helper/two", "helper"]
    for exchange in model.about(words):
        assert '"minItems":2' in exchange.messages[0]["content"]


async def test_cancelling_closes_the_socket_of_what_is_asked_anew(client: Client, model: ModelServer) -> None:
    words, run = "mend for ever", Run()
    model.script(say("none"), stall_after("[1, "), when=words)
    running = asyncio.create_task(client.run(words, into=run, spec={"output_schema": NUMBERS}))
    await until(lambda: run.text == "none[1, ", 15)
    running.cancel()
    exchange = model.about(words)[-1]
    await until(lambda: exchange.dropped is not None, 1)
