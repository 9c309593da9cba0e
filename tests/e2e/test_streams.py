"""Streams through the whole mesh: nothing waits on the way, cancelling reaches the model, a restart loses nothing."""

import asyncio
import json
import time
from collections.abc import AsyncIterator

import httpx
import pytest
from agentmesh.orchestrator.v1.run_event_pb2 import RunEvent
from agentmesh.orchestrator.v1.run_pb2 import RunState
from agentmesh.orchestrator.v1.run_service_pb2 import (
    CancelRunRequest,
    CreateRunRequest,
    GetRunRequest,
    OnDisconnect,
    StreamRunRequest,
    SubscribeRunRequest,
)

from meshclient import MeshClient, new_request_id
from meshkit.errors import OutOfRange
from meshkit.rpc.streams import open_stream
from tests.e2e.running import RunningMesh
from tests.fakes.grpc_web import GrpcWebClient
from tests.fakes.model_server import Exchange, ModelServer, call, say

WORDS = [f"word{number} " for number in range(10)]
GAP = 0.15


def asking(text: str, **more: object) -> CreateRunRequest:
    return CreateRunRequest(request_id=new_request_id(), input=text, **more)


async def tokens_by_grpc(mesh: RunningMesh, text: str) -> AsyncIterator[str]:
    async with MeshClient(mesh.address, token=mesh.token()) as client:
        async for event in client.run(asking(text)):
            if event.HasField("token_delta"):
                yield event.token_delta.text


async def tokens_by_grpc_web(mesh: RunningMesh, text: str) -> AsyncIterator[str]:
    async with httpx.AsyncClient(base_url=f"http://{mesh.address}", timeout=30) as http:
        web = GrpcWebClient(http, {"authorization": f"Bearer {mesh.token()}"})
        path = "/agentmesh.orchestrator.v1.RunService/StreamRun"
        async for event in web.stream(path, StreamRunRequest(run=asking(text)), RunEvent):
            if event.HasField("token_delta"):
                yield event.token_delta.text


async def tokens_by_json(mesh: RunningMesh, text: str) -> AsyncIterator[str]:
    headers = {"authorization": f"Bearer {mesh.token()}"}
    body = {"run": {"request_id": new_request_id(), "input": text}}
    async with (
        httpx.AsyncClient(base_url=f"http://{mesh.address}", timeout=30, headers=headers) as http,
        http.stream("POST", "/v1/runs:stream", json=body) as response,
    ):
        assert response.status_code == 200
        async for line in response.aiter_lines():
            event = json.loads(line)
            if "tokenDelta" in event:
                yield event["tokenDelta"]["text"]


@pytest.mark.parametrize("door", [tokens_by_grpc, tokens_by_grpc_web, tokens_by_json])
async def test_tokens_are_not_held_back(mesh: RunningMesh, model_server: ModelServer, door) -> None:
    asked = f"stream slowly by {door.__name__}"
    model_server.script(say(*WORDS, delay=GAP), when=asked)
    arrivals, text = [], ""
    async for piece in door(mesh, asked):
        arrivals.append(time.monotonic())
        text += piece
    assert text == "".join(WORDS)
    spoken = model_server.about(asked)[0].sent
    # The model takes 1.5 s; whoever buffered would hand the first words out at its end.
    assert arrivals[0] < spoken[-1] - 3 * GAP
    assert len(arrivals) >= len(WORDS) / 2


async def until_speaking(model: ModelServer, about: str) -> Exchange:
    async with asyncio.timeout(10):
        # The model server is in another thread: there is no event of this loop to wait for.
        while not (found := model.about(about)) or len(found[0].sent) < 3:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    return found[0]


async def until_dropped(exchange: Exchange) -> float:
    async with asyncio.timeout(5):
        while exchange.dropped is None:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
    return exchange.dropped


async def test_cancelling_a_run_closes_the_models_socket(mesh: RunningMesh, model_server: ModelServer) -> None:
    model_server.script(say(*["on "] * 600, delay=0.05), when="talk for half a minute")
    async with MeshClient(mesh.address, token=mesh.token()) as client:
        run = await client.runs.CreateRun(asking("talk for half a minute"))
        exchange = await until_speaking(model_server, "talk for half a minute")
        began = time.monotonic()
        answer = await client.runs.CancelRun(CancelRunRequest(run=run.id))
        assert answer.state == RunState.RUN_STATE_CANCELLED
        assert await until_dropped(exchange) - began < 1.0
        states = [event.state_changed.state async for event in client.follow(run.id) if event.HasField("state_changed")]
        assert states[-1] == RunState.RUN_STATE_CANCELLED


async def test_leaving_cancels_a_run_that_was_asked_to(mesh: RunningMesh, model_server: ModelServer) -> None:
    model_server.script(say(*["on "] * 600, delay=0.05), when="until I leave")
    async with MeshClient(mesh.address, token=mesh.token()) as client:
        request = StreamRunRequest(run=asking("until I leave"), on_disconnect=OnDisconnect.ON_DISCONNECT_CANCEL)
        async with open_stream(client.runs.StreamRun(request)) as events:
            first = await anext(events)
            exchange = await until_speaking(model_server, "until I leave")
        left = time.monotonic()
        assert await until_dropped(exchange) - left < 2.0
        run = await client.runs.GetRun(GetRunRequest(run=first.run))
        assert run.state == RunState.RUN_STATE_CANCELLED


async def test_a_run_goes_on_when_its_caller_leaves(mesh: RunningMesh, model_server: ModelServer) -> None:
    model_server.script(say(*WORDS, delay=0.05), when="go on without me")
    async with MeshClient(mesh.address, token=mesh.token()) as client:
        async with open_stream(client.runs.StreamRun(StreamRunRequest(run=asking("go on without me")))) as events:
            first = await anext(events)
        texts = [event.token_delta.text async for event in client.follow(first.run)]
        assert "".join(texts) == "".join(WORDS)


async def test_a_subscriber_resumes_across_a_restart(mesh: RunningMesh, model_server: ModelServer) -> None:
    """The orchestrator is killed while it streams; what the client gets is the log itself, nothing twice."""
    model_server.script(say(*WORDS, delay=0.2), say(*WORDS, delay=0.05), when="survive this")
    async with MeshClient(mesh.address, token=mesh.token()) as client:
        run = await client.runs.CreateRun(asking("survive this"))
        seen: list[RunEvent] = []
        async for event in client.follow(run.id):
            seen.append(event)
            if event.HasField("token_delta") and sum(each.HasField("token_delta") for each in seen) == 3:
                mesh.kill("orchestrator")
        assert [event.sequence for event in seen] == list(range(1, len(seen) + 1))
        assert seen[-1].state_changed.state == RunState.RUN_STATE_SUCCEEDED
        assert seen[-1].state_changed.output == "".join(WORDS)
        stored = [event async for event in client.follow(run.id)]
        assert stored == seen
        attempts = [event.state_changed.attempt for event in seen if event.HasField("state_changed")]
        assert max(attempts) == 2


async def test_runs_outlive_an_agent_that_dies(mesh: RunningMesh, model_server: ModelServer) -> None:
    """Those at work begin again, those accepted meanwhile wait for it: a restart of the agent takes seconds."""
    model_server.fallback = say(*WORDS, delay=0.1)
    try:
        async with MeshClient(mesh.address, token=mesh.token()) as client:
            asked = [await client.runs.CreateRun(asking(f"outlive {number}")) for number in range(3)]
            await until_speaking(model_server, "outlive 0")
            mesh.kill("agent-langchain")
            asked += [await client.runs.CreateRun(asking(f"be patient {number}")) for number in range(2)]
            for run in asked:
                events = [event async for event in client.follow(run.id)]
                assert [event.sequence for event in events] == list(range(1, len(events) + 1))
                assert events[-1].state_changed.output == "".join(WORDS)
    finally:
        model_server.fallback = say("Yes.")


async def test_two_subscribers_see_the_same(mesh: RunningMesh, model_server: ModelServer) -> None:
    model_server.script(
        call("calculator", {"expression": "6*7"}), say("It is ", "42.", delay=0.3), when="six times seven"
    )
    async with MeshClient(mesh.address, token=mesh.token()) as client:
        run = await client.runs.CreateRun(asking("six times seven"))

        async def subscribe(after: int) -> list[RunEvent]:
            request = SubscribeRunRequest(run=run.id, after_sequence=after)
            async with open_stream(client.runs.SubscribeRun(request)) as events:
                return [event async for event in events]

        whole: list[RunEvent] = []
        late = None
        async for event in client.follow(run.id):
            whole.append(event)
            if event.HasField("tool_call"):
                late = asyncio.create_task(subscribe(event.sequence - 1))
        assert late is not None
        called = next(place for place, event in enumerate(whole) if event.HasField("tool_call"))
        assert await late == whole[called:]
        kinds = [event.WhichOneof("event") for event in whole]
        answered = kinds.index("tool_result")
        assert called < answered < kinds.index("message_finished", answered)
        assert "42" in whole[answered].tool_result.content
        assert not whole[answered].tool_result.is_error


async def test_a_sequence_of_the_future_is_refused(mesh: RunningMesh) -> None:
    async with MeshClient(mesh.address, token=mesh.token()) as client:
        run = await client.runs.CreateRun(asking("hello"))
        with pytest.raises(OutOfRange):
            async for _ in client.follow(run.id, 1_000_000):
                pass
