"""What each runtime says that it can do is what it is seen to do, and so is the matrix in the documentation.

`./mesh test tests/contract/runtimes/test_capabilities.py --write-matrix` writes the rows that were seen.
"""

import asyncio
import json
from pathlib import Path

import pytest
from agentmesh.agent.v1 import team_pb2
from agentmesh.agent.v1.agent_service_pb2 import Capability, DescribeRequest

from meshkit.errors import MeshError
from meshkit.ids import new_id
from tests.fakes.model_server import ModelServer, call, say
from tests.integration.agent.conftest import Client, Run, until

DOCS = Path(__file__).parents[3] / "docs" / "runtimes.md"
COLUMNS = ("STREAMS_TOKENS", "CALLS_TOOLS", "CANCELS_MODEL_CALL", "REPLAYS", "STRUCTURED_OUTPUT", "TEAMS")
SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}


async def streams(client: Client, model: ModelServer, text: str) -> bool:
    model.script(say("one ", "two ", "three", delay=0.2), when=text)
    run = Run()
    running = asyncio.create_task(client.run(text, into=run))
    await until(lambda: bool(run.text), 15)
    early = not running.done()
    await running
    return early and len(run.all("token_delta")) == 3


async def calls_tools(client: Client, model: ModelServer, text: str) -> bool:
    model.script(call("calculator", {"expression": "6*7"}), say("42"), when=text)
    run = await client.run(text, "calculator")
    return [result.content for result in run.all("tool_result")] == ["42"]


async def cancels(client: Client, model: ModelServer, text: str) -> bool:
    model.script(say(*["word "] * 400, delay=0.05), when=text)
    run = Run()
    running = asyncio.create_task(client.run(text, into=run))
    await until(lambda: bool(run.text), 15)
    running.cancel()
    (exchange,) = model.about(text)
    await until(lambda: exchange.dropped is not None)
    return len(exchange.sent) < 100


async def replays(client: Client, model: ModelServer, text: str) -> bool:
    model.script(call("calculator", {"expression": "6*7"}), say("42"), when=text)
    number = new_id("run")
    await client.run(text, "calculator", run=number)
    again = await client.run(text, "calculator", run=number, attempt=2)
    return len(model.about(text)) == 2 and again.all("completed")[0].output == "42"


async def structured(client: Client, model: ModelServer, text: str) -> bool:
    model.script(say("It is one."), say('{"n": 1}'), when=text)
    try:
        run = await client.run(text, spec={"output_schema": SCHEMA})
        return bool(json.loads(run.all("completed")[0].output) == {"n": 1})
    except (MeshError, ValueError):
        return False


async def teams(client: Client, model: ModelServer, text: str) -> bool:
    told = await client.stub.Describe(DescribeRequest())
    if not told.team_kinds:
        return False
    team = {"kind": told.team_kinds[0], "members": [{"name": "one", "role": "A"}, {"name": "two", "role": "B"}]}
    if team["kind"] in (team_pb2.TEAM_KIND_SEQUENTIAL, team_pb2.TEAM_KIND_HIERARCHICAL):
        team["tasks"] = [{"description": "Do it.", "expected_output": "Words", "member": "one"}]
    else:
        team["max_turns"] = 1
    model.script(*[say("Fine.")] * 3, when=text)
    run = await client.run(text, spec={"team": team})
    return {event.agent for event in run.events if event.HasField("message_finished")} == {"helper/one"}


PROOFS = {
    "STREAMS_TOKENS": streams,
    "CALLS_TOOLS": calls_tools,
    "CANCELS_MODEL_CALL": cancels,
    "REPLAYS": replays,
    "STRUCTURED_OUTPUT": structured,
    "TEAMS": teams,
}


async def test_it_does_what_it_says_and_says_what_it_does(
    client: Client, model: ModelServer, runtime: str, request: pytest.FixtureRequest
) -> None:
    told = await client.stub.Describe(DescribeRequest())
    said = {Capability.Name(each).removeprefix("CAPABILITY_") for each in told.capabilities}
    seen = {name for name, proof in PROOFS.items() if await proof(client, model, f"{runtime} proves {name}")}
    assert seen == said
    kinds = ", ".join(team_pb2.TeamKind.Name(kind).removeprefix("TEAM_KIND_").lower() for kind in told.team_kinds)
    cells = [kinds if name == "TEAMS" and name in seen else "yes" if name in seen else "no" for name in COLUMNS]
    row = f"| {runtime} | {' | '.join(cells)} |"
    lines = DOCS.read_text().splitlines()
    (place,) = [number for number, line in enumerate(lines) if line.startswith(f"| {runtime} | yes")]
    if request.config.getoption("--write-matrix"):
        lines[place] = row
        DOCS.write_text("\n".join(lines) + "\n")
    assert lines[place] == row, "run this test with --write-matrix"
