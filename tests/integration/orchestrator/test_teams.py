"""Teams, peers and schemas as data: what is stored is what was sent, and what cannot work is refused by its field."""

from typing import Any

import pytest
from agentmesh.agent.v1 import agent_spec_pb2
from agentmesh.orchestrator.v1 import agent_catalog_service_pb2, agent_definition_pb2
from google.protobuf import json_format

from meshkit.errors import InvalidArgument
from meshkit.ids import new_id
from tests.integration.orchestrator.mesh import Client, Mesh

pytestmark = pytest.mark.asyncio(loop_scope="module")

WRITER = {"name": "writer", "role": "Writes", "goal": "A text", "instructions": "Write.", "tools": ["calculator"]}
EDITOR = {"name": "editor", "role": "Edits", "model": "large", "hand_offs": ["writer"]}
TEAM = {"kind": "TEAM_KIND_HANDOFF", "members": [WRITER, EDITOR], "max_turns": 4}
TASK = {"description": "Write", "expected_output": "A text", "member": "writer"}
SCHEMA = {"type": "object", "properties": {"n": {"type": "integer", "minimum": 1}}, "required": ["n"]}


async def make(client: Client, **spec: Any) -> agent_definition_pb2.AgentDefinition:
    parsed = json_format.ParseDict({"runtime": "langchain", **spec}, agent_spec_pb2.AgentSpec())
    request = agent_catalog_service_pb2.CreateAgentRequest(
        request_id=new_id("req"), agent={"name": new_id("team").replace("_", "-").lower(), "spec": parsed}
    )
    made: agent_definition_pb2.AgentDefinition = await client.agents.CreateAgent(request)
    return made


async def test_what_was_sent_is_stored_and_given_to_the_agent(mesh: Mesh, client: Client) -> None:
    policies = [{"tool": "calculator", "approval": "APPROVAL_ASK"}, {"tool": "ask_assistant"}]
    made = await make(
        client, team=TEAM, agents=["assistant"], output_schema=SCHEMA, limits={"max_depth": 3}, tool_policies=policies
    )
    read = await client.agents.GetAgent(agent_catalog_service_pb2.GetAgentRequest(agent=made.name))
    assert read == made
    told = json_format.MessageToDict(read.spec.team, preserving_proto_field_name=True)
    assert told == TEAM
    assert json_format.MessageToDict(read.spec.output_schema) == SCHEMA
    run = await client.create("say 1 0", agent=made.name, limits={"max_depth": 5})
    assert run.limits.max_depth == 3
    await client.wait(run.id)
    asked = next(request for request in mesh.agent.requests if request.run == run.id)
    assert (asked.spec.team, asked.spec.output_schema) == (read.spec.team, read.spec.output_schema)
    assert list(asked.spec.agents) == ["assistant"]


async def test_a_task_may_have_a_schema_of_its_own(mesh: Mesh, client: Client) -> None:
    run = await client.create("say 1 0", output_schema={"type": "object"})
    await client.wait(run.id)
    asked = next(request for request in mesh.agent.requests if request.run == run.id)
    assert json_format.MessageToDict(asked.spec.output_schema) == {"type": "object"}
    for wrong in ({"description": "x" * 70_000}, {"minimum": float("nan")}, {"maximum": float("inf")}):
        with pytest.raises(InvalidArgument) as caught:
            await client.create("say 1 0", output_schema=wrong)
        assert caught.value.field_violations[0].field == "output_schema"


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"team": {**TEAM, "max_turns": 0}}, "team.max_turns"),
        ({"team": {**TEAM, "members": [WRITER]}}, "team.members"),
        ({"team": {**TEAM, "members": [WRITER, WRITER]}}, "team.members[1].name"),
        ({"team": {**TEAM, "members": [WRITER, {**EDITOR, "hand_offs": ["nobody"]}]}}, "team.members[1].hand_offs[0]"),
        ({"team": {**TEAM, "stop_text": "DONE"}}, "team.stop_text"),
        ({"team": {**TEAM, "tasks": [TASK]}}, "team.tasks"),
        ({"team": {**TEAM, "kind": "TEAM_KIND_SEQUENTIAL"}}, "team.members[1].hand_offs"),
        ({"team": {"kind": "TEAM_KIND_SEQUENTIAL", "members": [WRITER]}}, "team.tasks"),
        (
            {"team": {"kind": "TEAM_KIND_SEQUENTIAL", "members": [WRITER], "tasks": [{**TASK, "member": ""}]}},
            "team.tasks[0].member",
        ),
        ({"team": {"kind": "TEAM_KIND_MAGENTIC", "members": [WRITER, WRITER | {"name": "b"}], "max_turns": 2}},
         "team.kind"),
        ({"team": TEAM, "tools": ["calculator"]}, "tools"),
        ({"team": {**TEAM, "members": [{**WRITER, "tools": ["teleport"]}, EDITOR]}}, "tools"),
        ({"team": {**TEAM, "kind": "TEAM_KIND_UNSPECIFIED"}}, "team.kind"),
        ({"agents": ["no-such-agent"]}, "agents[0]"),
        ({"tool_policies": [{"tool": "ask_assistant"}]}, "tool_policies[0].tool"),
        ({"output_schema": {"description": "x" * 70_000}}, "output_schema"),
    ],
)  # fmt: skip
async def test_what_cannot_work_is_refused_by_its_field(client: Client, spec: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        await make(client, **spec)
    assert caught.value.field_violations[0].field == f"agent.spec.{field}"
