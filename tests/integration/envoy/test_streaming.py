"""Through the door, on each of its protocols: answers flow as they are made, and a caller who leaves is noticed."""

import asyncio
import json
import time
from contextlib import aclosing
from itertools import pairwise

import grpc
import pytest
from agentmesh.orchestrator.v1 import run_event_pb2, run_service_pb2, run_service_pb2_grpc

from meshkit.errors import DeadlineExceeded
from tests.fakes.grpc_web import GrpcWebClient
from tests.integration.envoy.backend import GAP, GET_RUN, RUNS, SUBSCRIBE, TOKENS, Backend, native
from tests.integration.envoy.door import Door

pytestmark = pytest.mark.asyncio(loop_scope="module")


def flows(arrivals: list[float]) -> bool:
    """Whether the pieces came apart, as they were sent, and not together at the end."""
    gaps = [after - before for before, after in pairwise(arrivals)]
    return len(arrivals) == TOKENS and sum(gap > GAP / 2 for gap in gaps) >= len(gaps) - 1


async def test_native_grpc_streams_as_it_speaks(door: Door, backend: Backend, bearer: dict[str, str]) -> None:
    arrivals = []
    async with native(door.address) as channel:
        stub = run_service_pb2_grpc.RunServiceStub(channel)
        run = run_service_pb2.CreateRunRequest(request_id="1", input="hello")
        async for event in stub.StreamRun(
            run_service_pb2.StreamRunRequest(run=run), metadata=tuple(bearer.items()), timeout=10
        ):
            arrivals.append(time.monotonic())
            assert event.sequence == len(arrivals)
    assert flows(arrivals)


@pytest.mark.parametrize("http2", [False, True])
async def test_grpc_web_streams_as_it_speaks(door: Door, bearer: dict[str, str], http2: bool) -> None:
    arrivals = []
    async with door.http(http2=http2) as http:
        web = GrpcWebClient(http, bearer)
        async for event in web.stream(f"{RUNS}/SubscribeRun", SUBSCRIBE(run="run_1"), run_event_pb2.RunEvent):
            arrivals.append(time.monotonic())
            assert event.token_delta.text == f"word {len(arrivals) - 1} "
    assert flows(arrivals)


async def test_json_streams_a_line_an_event(door: Door, bearer: dict[str, str]) -> None:
    arrivals = []
    body = {"run": {"requestId": "1", "input": "hello"}, "onDisconnect": "ON_DISCONNECT_CANCEL"}
    async with door.http(headers=bearer) as http, http.stream("POST", "/v1/runs:stream", json=body) as response:
        assert response.status_code == 200
        assert response.headers["content-type"] == "application/json"
        async for line in response.aiter_lines():
            arrivals.append(time.monotonic())
            event = json.loads(line)
            assert event["tokenDelta"]["text"] == f"word {len(arrivals) - 1} "
            assert event["sequence"] == str(len(arrivals))
    assert flows(arrivals)


async def leave_native(door: Door, bearer: dict[str, str]) -> None:
    async with native(door.address) as channel:
        stub = run_service_pb2_grpc.RunServiceStub(channel)
        call = stub.SubscribeRun(SUBSCRIBE(run="endless"), metadata=tuple(bearer.items()))
        await call.read()
        call.cancel()


async def leave_web(door: Door, bearer: dict[str, str]) -> None:
    async with door.http() as http:
        events = GrpcWebClient(http, bearer).stream(
            f"{RUNS}/SubscribeRun", SUBSCRIBE(run="endless"), run_event_pb2.RunEvent
        )
        async with aclosing(events):
            await anext(events)


async def leave_json(door: Door, bearer: dict[str, str]) -> None:
    async with door.http(headers=bearer) as http, http.stream("GET", "/v1/runs/endless/events") as response:
        await anext(response.aiter_lines())


@pytest.mark.parametrize("leave", [leave_native, leave_web, leave_json])
async def test_a_caller_who_leaves_cancels_the_handler(door, backend, bearer, leave) -> None:
    """Within 500 ms, of which the backend's own gap between two tokens is a part."""
    await leave(door, bearer)
    async with asyncio.timeout(0.5):
        await backend.runs.cancelled.wait()


async def test_a_unary_caller_who_leaves_cancels_the_handler(
    door: Door, backend: Backend, bearer: dict[str, str]
) -> None:
    async with door.http(headers=bearer) as http:
        waiting = asyncio.create_task(http.get("/v1/runs/slow"))
        async with asyncio.timeout(5):
            await backend.runs.arrived.wait()
        waiting.cancel()
        async with asyncio.timeout(0.5):
            await backend.runs.cancelled.wait()


async def test_the_deadline_reaches_the_service(door: Door, backend: Backend, bearer: dict[str, str]) -> None:
    async with native(door.address) as channel:
        stub = run_service_pb2_grpc.RunServiceStub(channel)
        await stub.GetRun(GET_RUN(run="run_1"), metadata=tuple(bearer.items()), timeout=5)
        assert backend.runs.remaining is not None
        assert 4 < backend.runs.remaining <= 5

        started = time.monotonic()
        with pytest.raises(grpc.aio.AioRpcError) as late:
            await stub.GetRun(GET_RUN(run="slow"), metadata=tuple(bearer.items()), timeout=0.3)
        assert late.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
        assert time.monotonic() - started < 0.6


@pytest.mark.parametrize("http2", [False, True])
async def test_a_browser_gets_the_deadline_it_asks_for(door: Door, bearer: dict[str, str], http2: bool) -> None:
    """The door ends the call: a browser has no gRPC stack that would."""
    async with door.http(http2=http2) as http:
        web = GrpcWebClient(http, {**bearer, "grpc-timeout": "300m"})
        with pytest.raises(DeadlineExceeded):
            await web.unary(f"{RUNS}/GetRun", GET_RUN(run="slow"), run_event_pb2.RunEvent)


async def test_json_deadline_is_a_gateway_timeout(door: Door, bearer: dict[str, str]) -> None:
    async with door.http(headers={**bearer, "grpc-timeout": "300m"}) as http:
        answer = await http.get("/v1/runs/slow")
        assert answer.status_code in (408, 504)
        assert answer.json()["code"] == 4
        assert answer.json()["details"][0]["reason"] == "DEADLINE_EXCEEDED"


async def test_the_wait_of_wait_run_is_the_callers(door: Door, bearer: dict[str, str]) -> None:
    async with door.http(headers=bearer) as http:
        answer = await http.get("/v1/runs/run_1:wait", params={"max_wait": "0.2s"})
        assert answer.status_code == 200
        assert answer.json() == {"id": "run_1"}
