"""Agents from files, applied by the command line to a real orchestrator."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from agentmesh.agent.v1.agent_spec_pb2 import APPROVAL_ASK
from agentmesh.agent.v1.team_pb2 import TEAM_KIND_HANDOFF
from agentmesh.orchestrator.v1.agent_catalog_service_pb2 import GetAgentRequest
from agentmesh.orchestrator.v1.agent_definition_pb2 import AgentDefinition

from tests.integration.orchestrator.mesh import ROOT, SCOPES, Client, Mesh, Orchestrator

pytestmark = pytest.mark.asyncio(loop_scope="module")

DESK = """\
name: desk
description: Answers customers
spec:
  runtime: langchain
  limits: {timeout: 3m}
  tool_policies: [{tool: calculator, approval: ask}]
  team:
    kind: handoff
    max_turns: 4
    members:
      - {name: triage, role: Finds out, hand_offs: [billing]}
      - {name: billing, role: Knows prices, tools: [calculator]}
"""
HEAD = """\
name: head
spec: {runtime: langchain, agents: [desk, coding]}
"""

PAIR = """\
name: pair
spec:
  runtime: langchain
  team: {kind: round_robin, max_turns: 4, members: [{name: one, role: First}, {name: two, role: Second}]}
"""


@dataclass
class Done:
    """What a command did."""

    code: int
    out: str
    err: str


Command = Callable[..., Awaitable[Done]]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def real(tmp_path_factory: Any, postgres_url: str, redis_url: str) -> AsyncIterator[tuple[Mesh, Orchestrator]]:
    async with Mesh.start(tmp_path_factory.mktemp("mesh"), postgres_url, redis_url) as mesh:
        agents = f"langchain={mesh.addresses['agent']};sleeping=127.0.0.1:1"
        async with mesh.orchestrator(MESH_AGENTS=agents) as orchestrator:
            yield mesh, orchestrator


@pytest.fixture
def tenant(request: pytest.FixtureRequest) -> str:
    """A tenant for each test."""
    return request.node.name.replace("_", "-")[:40].rstrip("-")


@pytest.fixture
def client(real: tuple[Mesh, Orchestrator], tenant: str) -> Client:
    mesh, orchestrator = real
    return mesh.client(orchestrator, tenant=tenant)


@pytest.fixture
def command(real: tuple[Mesh, Orchestrator], tenant: str, tmp_path: Path) -> Command:
    """Run a `mesh` command as the tenant's user, in an empty folder."""
    mesh, orchestrator = real

    async def run(*arguments: object, scopes: tuple[str, ...] = SCOPES) -> Done:
        environ = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": f"{ROOT}:{ROOT / 'gen/python'}",
            "MESH_ADDRESS": orchestrator.address,
            "MESH_TOKEN": mesh.tokens.token(*scopes, tenant=tenant),
            "TERM": "dumb",
            "COLUMNS": "200",
        }
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "meshctl", *map(str, arguments), env=environ, cwd=tmp_path,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        said = await asyncio.wait_for(process.communicate(), 40)
        return Done(process.returncode or 0, *(text.decode() for text in said))

    return run


async def read(client: Client, name: str) -> AgentDefinition:
    return await client.agents.GetAgent(GetAgentRequest(agent=name))


async def test_a_file_is_applied_again_and_again(command: Command, client: Client, tmp_path: Path) -> None:
    file = tmp_path / "desk.yaml"
    file.write_text(DESK)
    assert (await command("agents", "apply", file)).out == "desk created\n"
    made = await read(client, "desk")
    assert made.spec.team.kind == TEAM_KIND_HANDOFF
    assert [list(each.hand_offs) for each in made.spec.team.members] == [["billing"], []]
    assert made.spec.limits.timeout.seconds == 180
    assert made.spec.tool_policies[0].approval == APPROVAL_ASK

    assert (await command("agents", "apply", file)).out == "desk unchanged\n"
    file.write_text(DESK.replace("max_turns: 4", "max_turns: 5").replace("  limits: {timeout: 3m}\n", ""))
    assert (await command("agents", "apply", file)).out == "desk changed\n"
    changed = await read(client, "desk")
    assert changed.spec.team.max_turns == 5
    assert changed.spec.limits.timeout.seconds != 180
    assert changed.create_time == made.create_time


async def test_what_is_shown_can_be_applied(command: Command, client: Client, tmp_path: Path) -> None:
    file = tmp_path / "desk.yaml"
    file.write_text(DESK)
    await command("agents", "apply", file)
    shown = await command("agents", "show", "desk")
    assert "kind: handoff" in shown.out
    file.write_text(shown.out)
    assert (await command("agents", "apply", file)).out == "desk unchanged\n"
    assert "desk" in (await command("agents", "list")).out
    assert (await command("agents", "delete", "desk")).code == 0
    assert (await command("agents", "show", "desk")).code == 3
    assert (await command("agents", "apply", file)).out == "desk created\n"
    assert "kind: handoff" in (await command("agents", "show", "desk")).out


async def test_those_who_are_asked_come_first(command: Command, client: Client, tmp_path: Path) -> None:
    (tmp_path / "all.yaml").write_text(f"{HEAD}---\n{DESK}")
    assert (await command("agents", "apply", "all.yaml")).out == "desk created\nhead created\n"
    assert list((await read(client, "head")).spec.agents) == ["desk", "coding"]


async def test_a_wrong_file_changes_nothing(command: Command, tmp_path: Path) -> None:
    (tmp_path / "good.yaml").write_text(DESK)
    (tmp_path / "bad.yaml").write_text(HEAD.replace("agents:", "agent:"))
    done = await command("agents", "apply", "good.yaml", "bad.yaml")
    assert (done.code, done.out) == (2, "")
    assert "bad.yaml:2: spec.agent: there is no such field" in done.err
    twice = await command("agents", "apply", "good.yaml", "good.yaml")
    assert twice.code == 2
    assert "desk is defined in good.yaml already" in twice.err
    assert (await command("agents", "show", "desk")).code == 3


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        ("name: head\nspec: {runtime: langchain, tools: [rocket]}\n", 2, ("has no tool rocket", "agent.spec.tools")),
        (DESK.replace("[billing]", "[boss]"), 2, ("agent.spec.team.members[0].hand_offs",)),
        (PAIR, 2, ("runs HANDOFF, SEQUENTIAL", "agent.spec.team.kind")),
        (HEAD, 2, ("there is no agent desk", "agent.spec.agents[0]")),
        ("name: head\nspec: {runtime: nothing}\n", 2, ("this mesh has no runtime nothing", "agent.spec.runtime")),
        ("name: head\nspec: {runtime: sleeping}\n", 1, ("RUNTIME_UNAVAILABLE",)),
        ("name: coding\nspec: {runtime: langchain}\n", 1, ("built in",)),
        ("name: No Name\nspec: {runtime: langchain}\n", 2, ("FIELD_INVALID",)),
    ],
    ids=["tool", "hand-off", "kind", "peer", "runtime", "asleep", "built-in", "name"],
)
async def test_what_the_mesh_refuses_is_told_with_file_and_field(
    command: Command, tmp_path: Path, text: str, code: int, said: tuple[str, ...]
) -> None:
    (tmp_path / "one.yaml").write_text(text)
    done = await command("agents", "apply", "one.yaml")
    assert (done.code, done.out) == (code, ""), done.err
    assert "one.yaml: " in done.err
    assert all(each in done.err for each in said), done.err


async def test_runtimes_are_listed_with_what_they_can_do(command: Command) -> None:
    rows = (await command("runtimes", "list")).out.splitlines()
    states = {row.split()[0]: row.split()[2:] for row in rows[1:]}
    assert states["langchain"] == ["SERVING", "1", "handoff,", "sequential"]
    assert states["sleeping"] == ["NOT_SERVING"]
    assert states["crewai"] == ["not", "running"]
    refused = await command("runtimes", "list", scopes=("runs.read",))
    assert refused.code == 4
    assert "agents.read" in refused.err


async def test_runtimes_are_listed_without_a_mesh(command: Command, tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "meshctl", "runtimes", "list", "--state", str(tmp_path / "none"),
        env={"PATH": os.environ["PATH"], "PYTHONPATH": f"{ROOT}:{ROOT / 'gen/python'}"},
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    said, _ = await asyncio.wait_for(process.communicate(), 40)
    assert process.returncode == 0
    assert [line.split()[0] for line in said.decode().splitlines()] == [
        "runtime", "langchain", "autogen", "crewai", "llamaindex",
    ]  # fmt: skip
    unknown = await command("runtimes", "install", "semantic")
    assert unknown.code == 2
    assert "'semantic' is no runtime; there are langchain, autogen, crewai, llamaindex" in unknown.err
