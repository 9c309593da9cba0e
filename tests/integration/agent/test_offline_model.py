"""An agent on the model that comes with the mesh: it reads our memory block and calls our tools by name."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from agentmesh.agent.v1 import agent_service_pb2

from meshctl.embedded.offline import start_offline_model
from meshkit.testing.credentials import TestTokens
from tests.fakes.ledger import LedgerPeer
from tests.integration.agent.conftest import Client, agent_process


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def offline(
    tmp_path_factory: pytest.TempPathFactory, tokens: TestTokens, ledger: LedgerPeer
) -> AsyncIterator[Client]:
    directory: Path = tmp_path_factory.mktemp("offline")
    model = await start_offline_model(directory / "state")
    variables = {"MESH_MODEL": model.model, "MESH_MODEL_KEY_FILE": str(model.key_file)}
    with agent_process(directory, model.url, tokens, ledger, **variables) as process:
        async with process.channel() as channel:
            yield Client(channel, tokens)
    await model.stop()


pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_it_says_that_its_model_is_none(offline: Client) -> None:
    told = await offline.stub.Describe(agent_service_pb2.DescribeRequest())
    assert told.offline_model
    assert told.default_model == "builtin/rules-1"


async def test_it_answers_from_memory(offline: Client) -> None:
    request = offline.request("What is my name?")
    for said, answered in (
        ("The weather is fine today.", "Noted. (Built-in rule-based responder; no language model is configured.)"),
        ("My name is Ada and I prefer short answers", "Noted."),
    ):
        turn = request.recalled.add(layer=2, score=0.5).interaction
        turn.input, turn.output = said, answered
        turn.create_time.GetCurrentTime()
    events = [event async for event in offline.stub.Execute(request)]
    answer = events[-1].completed.output
    assert "My name is Ada" in answer
    assert "weather" not in answer
    assert "recalled" not in answer


@pytest.mark.parametrize(
    ("text", "tool", "found"),
    [
        ("use the calculator: 12*7", "calculator", "84"),
        ("What time is it?", "current_time", "UTC"),
        ("What time is it in Europe/Paris?", "current_time", "Europe/Paris"),
    ],
)
async def test_it_calls_the_tool_that_is_named(offline: Client, text: str, tool: str, found: str) -> None:
    run = await offline.run(text, "calculator", "current_time")
    (result,) = run.all("tool_result")
    assert (result.name, result.is_error) == (tool, False)
    assert found in result.content
    assert result.content in run.all("completed")[0].output
