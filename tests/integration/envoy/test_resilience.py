"""The door while services come and go, while callers flood it, and while calls take long."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest
from agentmesh.orchestrator.v1 import run_pb2, run_service_pb2_grpc

from meshkit.auth.issuer import KeyFiles
from meshkit.errors import MeshError, ResourceExhausted, Unavailable
from meshkit.rpc.status import from_rpc_error
from tests.fakes.grpc_web import GrpcWebClient
from tests.integration.envoy.backend import GET_RUN, RUNS, Backend, native
from tests.integration.envoy.door import Door, free_port, open_door

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture
async def two(keys: KeyFiles, tmp_path: Path) -> AsyncIterator[tuple[Backend, Backend]]:
    pair = (await Backend("one", keys, tmp_path).start(), await Backend("two", keys, tmp_path).start())
    yield pair
    for backend in pair:
        await backend.stop()


async def served_by(door: Door, headers: dict[str, str], calls: int = 20) -> list[str]:
    async with door.http(headers=headers) as http:
        answers = [await http.get("/v1/runs/run_1") for _ in range(calls)]
    assert [answer.status_code for answer in answers] == [200] * calls
    return [answer.json()["agent"] for answer in answers]


@pytest.mark.asyncio(loop_scope="function")
async def test_replicas_share_the_work_and_one_may_go(two, keys: KeyFiles, bearer, tmp_path: Path) -> None:
    """No call fails: not beside an endpoint that is dead from the start, nor while a replica drains."""
    one, other = two
    addresses = [one.address, other.address, f"127.0.0.1:{free_port()}"]
    async with open_door(tmp_path / "e", orchestrator=addresses, memory=addresses, jwks=keys.public) as door:
        before = await served_by(door, bearer)
        assert before.count("one") == before.count("two") == 10
        leaving = asyncio.create_task(one.stop())
        names = []
        while not leaving.done():
            names += await served_by(door, bearer, calls=5)
        await leaving
        assert set(names) <= {"one", "two"}
        assert set(await served_by(door, bearer)) == {"two"}


async def refusal_of(door: Door, protocol: str, headers: dict[str, str]) -> MeshError | None:
    if protocol == "native":
        async with native(door.address) as channel:
            try:
                stub = run_service_pb2_grpc.RunServiceStub(channel)
                await stub.GetRun(GET_RUN(run="run_1"), metadata=tuple(headers.items()))
            except grpc.aio.AioRpcError as error:
                return from_rpc_error(error)
    else:
        async with door.http() as http:
            try:
                await GrpcWebClient(http, headers).unary(f"{RUNS}/GetRun", GET_RUN(run="run_1"), run_pb2.Run)
            except MeshError as error:
                return error
    return None


@pytest.mark.asyncio(loop_scope="function")
async def test_a_service_that_is_down_is_told_at_once(keys: KeyFiles, bearer, tmp_path: Path) -> None:
    """And used again as soon as it is back."""
    address = f"127.0.0.1:{free_port()}"
    async with open_door(tmp_path / "e", orchestrator=[address], memory=[address], jwks=keys.public) as door:
        for protocol in ("native", "web"):
            started = time.monotonic()
            error = await refusal_of(door, protocol, bearer)
            assert time.monotonic() - started < 0.5
            assert isinstance(error, Unavailable)
            assert (error.reason, error.retry_after) == ("DEPENDENCY_UNAVAILABLE", 1.0)
            assert address not in str(error)
        async with door.http(headers=bearer) as http:
            answer = await http.get("/v1/runs/run_1")
            assert answer.status_code == 503
            assert answer.json()["code"] == 14
            assert answer.json()["details"][0]["reason"] == "DEPENDENCY_UNAVAILABLE"
            assert address not in answer.text
            backend = await Backend("late", keys, tmp_path, listen=address).start()
            try:
                async with asyncio.timeout(5):
                    while (await http.get("/v1/runs/run_1")).status_code != 200:
                        pass
            finally:
                await backend.stop()


@pytest.mark.asyncio(loop_scope="function")
async def test_a_flood_is_refused_in_each_protocol(keys: KeyFiles, bearer, two, tmp_path: Path) -> None:
    addresses = [two[0].address]
    limits = {"calls_per_second": 1, "calls_burst": 5}
    async with open_door(tmp_path / "e", orchestrator=addresses, memory=addresses, jwks=keys.public, **limits) as door:
        async with door.http(headers=bearer) as http:
            answers = [await http.get("/v1/runs/run_1") for _ in range(20)]
        refused = [answer for answer in answers if answer.status_code == 429]
        assert 5 <= answers.index(refused[0]) <= 6
        assert refused[0].json()["code"] == 8
        details = {detail["@type"].rpartition(".")[2]: detail for detail in refused[0].json()["details"]}
        assert details["ErrorInfo"]["reason"] == "RATE_LIMITED"
        assert details["RetryInfo"]["retryDelay"] == "1s"
        for protocol in ("native", "web"):
            errors = [await refusal_of(door, protocol, bearer) for _ in range(6)]
            told = [error for error in errors if error is not None]
            assert told
            for error in told:
                assert isinstance(error, ResourceExhausted)
                assert (error.reason, error.retry_after) == ("RATE_LIMITED", 1.0)


async def test_long_calls_have_the_time_of_their_own_route(
    keys: KeyFiles, backend: Backend, bearer: dict[str, str], tmp_path: Path
) -> None:
    """JSON calls too, though they begin on a route with the short bound of ordinary ones."""
    addresses = [backend.address]
    hurry = {": 15s": ": 0.4s", "stream_idle_timeout: 60s": "stream_idle_timeout: 0.4s"}
    async with open_door(
        tmp_path / "e", orchestrator=addresses, memory=addresses, jwks=keys.public, hurry=hurry
    ) as door:
        async with door.http(headers=bearer) as http:
            waited = await http.get("/v1/runs/run_1:wait", params={"max_wait": "1s"})
            assert waited.status_code == 200, waited.text
            async with http.stream("GET", "/v1/runs/endless/events") as response:
                started = time.monotonic()
                async for line in response.aiter_lines():
                    json.loads(line)
                    if time.monotonic() - started > 1:
                        break
            late = await http.get("/v1/runs/slow")
            assert late.status_code in (408, 504)
            assert late.json()["code"] == 4
        async with native(door.address) as channel:
            stub = run_service_pb2_grpc.RunServiceStub(channel)
            with pytest.raises(grpc.aio.AioRpcError) as too_long:
                await stub.GetRun(GET_RUN(run="slow"), metadata=tuple(bearer.items()), timeout=30)
            assert too_long.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
            assert from_rpc_error(too_long.value).reason == "DEADLINE_EXCEEDED"
