"""What the door lets through and in which shape: JSON, web pages, sizes, headers, paths, methods not public."""

import base64

import grpc
import httpx
import pytest
from agentmesh.agent.v1 import agent_service_pb2, agent_service_pb2_grpc
from agentmesh.memory.v1 import memory_service_pb2, memory_service_pb2_grpc
from agentmesh.orchestrator.v1 import run_pb2, run_service_pb2, run_service_pb2_grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from meshkit.errors import InvalidArgument, NotFound, Unimplemented
from meshkit.rpc.status import from_rpc_error
from tests.fakes.grpc_web import GrpcWebClient
from tests.integration.envoy.backend import FACTS, GET_RUN, RUNS, Backend, native
from tests.integration.envoy.door import ORIGIN, Door, without_trace

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_json_speaks_the_contract(door: Door, bearer: dict[str, str]) -> None:
    fact = {"requestId": "1", "key": "city", "value": "Paris", "category": "FACT_CATEGORY_PROFILE"}
    async with door.http(headers=bearer) as http:
        put = await http.post("/v1/memory/facts", json=fact)
        found = await http.post("/v1/memory/facts:search", json={"query": "where"})
        made = await http.post("/v1/runs", json={"request_id": "1", "input": "hello"})
    assert put.json() == {
        "id": "fact_1", "key": "city", "value": "Paris", "category": "FACT_CATEGORY_PROFILE",
    }  # fmt: skip
    assert found.json() == {"degraded": True}
    assert made.json() == {"id": "run_1", "input": "hello", "state": "RUN_STATE_QUEUED"}
    assert put.headers["x-content-type-options"] == "nosniff"
    assert put.headers["cache-control"] == "no-store"


async def test_an_error_of_a_service_is_the_same_on_each_protocol(door: Door, bearer: dict[str, str]) -> None:
    async with native(door.address) as channel, door.http() as http:
        stub = run_service_pb2_grpc.RunServiceStub(channel)
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await stub.GetRun(GET_RUN(run="missing"), metadata=tuple(bearer.items()))
        with pytest.raises(NotFound) as web:
            await GrpcWebClient(http, bearer).unary(f"{RUNS}/GetRun", GET_RUN(run="missing"), run_pb2.Run)
        answer = await http.get("/v1/runs/missing", headers=bearer)
        stream = await http.get("/v1/runs/missing/events", headers=bearer)
    error = from_rpc_error(raised.value)
    assert isinstance(error, NotFound)
    assert (error.reason, error.message) == (web.value.reason, web.value.message)
    assert answer.status_code == stream.status_code == 404
    assert without_trace(answer.json()) == without_trace(stream.json())
    assert answer.json()["message"] == error.message
    assert answer.json()["details"][0]["reason"] == error.reason == "NOT_FOUND"


async def test_a_wrong_field_is_named(door: Door, bearer: dict[str, str]) -> None:
    async with door.http(headers=bearer) as http:
        answer = await http.post("/v1/memory/facts", json={"requestId": "1", "key": "", "value": "x", "importance": 7})
        with pytest.raises(InvalidArgument) as web:
            await GrpcWebClient(http, bearer).unary(
                f"{FACTS}/PutFact", memory_service_pb2.PutFactRequest(request_id="1", value="x"), run_pb2.Run
            )
    assert answer.status_code == 400
    (violations,) = [detail["fieldViolations"] for detail in answer.json()["details"] if "fieldViolations" in detail]
    assert {violation["field"] for violation in violations} == {"key", "importance"}
    assert {violation.field for violation in web.value.field_violations} == {"key"}


@pytest.mark.parametrize(("method", "path", "body", "status"), [
    ("POST", "/v1/memory/facts", b'{"key": ', 400),
    ("POST", "/v1/memory/facts", b'{"no_such_field": 1}', 400),
    ("POST", "/v1/memory/facts", b'{"category": "NO_SUCH_CATEGORY"}', 400),
    ("POST", "/v1/memory/facts", b'{"importance": "very"}', 400),
    ("GET", "/v1/runs/run_1?no_such_parameter=1", b"", 400),
    ("GET", "/v1/nothing", b"", 404),
    ("PATCH", "/v1/runs/run_1", b"", 404),
    ("GET", "/", b"", 404),
    ("POST", f"{RUNS}/GetRun", b"{}", 404),  # the path of gRPC, without being gRPC
    ("GET", "/stats", b"", 404),
])  # fmt: skip
async def test_what_is_no_call_is_refused_in_words(
    door: Door, backend: Backend, bearer: dict[str, str], method: str, path: str, body: bytes, status: int
) -> None:
    async with door.http(headers=bearer) as http:
        answer = await http.request(method, path, content=body)
    assert answer.status_code == status, answer.text
    assert not backend.runs.seen
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["message"]
    assert answer.json()["details"][0]["reason"] == {400: "FIELD_INVALID", 404: "UNIMPLEMENTED"}[status]


async def test_a_hidden_slash_is_refused_at_the_door(door: Door, backend: Backend, bearer: dict[str, str]) -> None:
    async with door.http(headers=bearer) as http:
        answer = await http.get("/v1/runs/..%2f..%2fstats")
    assert answer.status_code == 400
    assert answer.json()["message"] == "the request cannot be read"
    assert not backend.asked


async def test_a_body_beyond_the_limit_is_refused(door: Door, bearer: dict[str, str]) -> None:
    async with door.http(headers=bearer) as http:
        answer = await http.post("/v1/memory/facts", json={"requestId": "1", "key": "k", "value": "x" * 5_000_000})
        assert answer.status_code == 413
        assert answer.json()["details"][0]["reason"] == "FIELD_INVALID"
    async with native(door.address) as channel:
        facts = memory_service_pb2_grpc.MemoryServiceStub(channel)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await facts.PutFact(
                memory_service_pb2.PutFactRequest(request_id="1", value="x" * 5_000_000),
                metadata=tuple(bearer.items()),
            )
        assert refused.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_a_large_body_within_the_limit_passes(door: Door, bearer: dict[str, str]) -> None:
    """Both ways, though connections buffer 32 KiB only."""
    async with door.http(headers=bearer) as http:
        large = await http.post("/v1/runs", json={"requestId": "1", "input": "x" * 262_144})
        assert large.status_code == 200, large.text
        assert len(large.json()["input"]) == 262_144
        answer = await http.get("/v1/memory/facts/fact_1")
        assert len(answer.json()["value"]) == 3_000_000


@pytest.mark.parametrize("path", ["/v1/runs/run_1", f"{RUNS}/GetRun"])
async def test_a_listed_page_may_call(door: Door, path: str) -> None:
    asks = {"access-control-request-method": "POST", "access-control-request-headers": "authorization"}
    async with door.http() as http:
        listed = await http.options(path, headers={"origin": ORIGIN, **asks})
        foreign = await http.options(path, headers={"origin": "https://evil.example", **asks})
    assert listed.status_code == 200
    assert listed.headers["access-control-allow-origin"] == ORIGIN
    assert "authorization" in listed.headers["access-control-allow-headers"]
    assert not [name for name in foreign.headers if name.startswith("access-control-")]


async def test_a_listed_page_reads_answers_and_errors(door: Door, bearer: dict[str, str]) -> None:
    async with door.http() as http:
        for headers in (bearer, {}, {"authorization": "Bearer bad"}):
            answer = await http.get("/v1/runs/run_1", headers={"origin": ORIGIN, **headers})
            assert answer.headers["access-control-allow-origin"] == ORIGIN
            exposed = answer.headers["access-control-expose-headers"]
            assert {"grpc-status", "grpc-message", "grpc-status-details-bin"} <= set(exposed.split(", "))
        foreign = await http.get("/v1/runs/run_1", headers={"origin": "https://evil.example", **bearer})
    assert not [name for name in foreign.headers if name.startswith("access-control-")]


async def test_claims_in_headers_count_for_nothing(door: Door, backend: Backend, bearer: dict[str, str]) -> None:
    """Neither who one is, nor what Envoy tells itself between its own hops: here a timeout of a millisecond."""
    claims = {"x-user-id": "root", "x-tenant-id": "other", "x-forwarded-user": "root"}
    tuned = {"x-envoy-upstream-rq-timeout-ms": "1", "x-envoy-retry-on": "5xx"}
    traced = {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "x-request-id": "mine"}
    async with door.http(headers={**bearer, **claims, **tuned, **traced}) as http:
        assert (await http.get("/v1/runs/run_1")).json()["user"] == "ada"
        waited = await http.get("/v1/runs/run_1:wait", params={"max_wait": "0.1s"})
        assert waited.status_code == 200
    (seen,) = backend.runs.seen
    assert not seen.keys() & {*claims, "x-envoy-upstream-rq-timeout-ms", "x-envoy-retry-on"}
    assert {name: seen[name] for name in traced} == traced


async def test_headers_with_underscores_are_refused(door: Door, backend: Backend, bearer: dict[str, str]) -> None:
    async with door.http(headers={**bearer, "x_user_id": "root"}) as http:
        assert (await http.get("/v1/runs/run_1")).status_code == 400
    async with door.http(http2=True, headers={**bearer, "x_user_id": "root"}) as http:
        with pytest.raises(httpx.RemoteProtocolError):  # the stream is reset
            await http.get("/v1/runs/run_1")
    assert not backend.runs.seen


async def test_internal_and_foreign_methods_are_not_there(door: Door, bearer: dict[str, str]) -> None:
    metadata = tuple(bearer.items())
    async with native(door.address) as channel:
        agents = agent_service_pb2_grpc.AgentServiceStub(channel)
        with pytest.raises(grpc.aio.AioRpcError) as describe:
            await agents.Describe(agent_service_pb2.DescribeRequest(), metadata=metadata)
        with pytest.raises(grpc.aio.AioRpcError) as watch:
            async for _ in health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest()):
                pass
    for refused in (describe.value, watch.value):
        assert isinstance(from_rpc_error(refused), Unimplemented)
        assert from_rpc_error(refused).message == "there is no such method"
    async with door.http() as http:
        with pytest.raises(Unimplemented):
            await GrpcWebClient(http, bearer).unary(
                "/agentmesh.agent.v1.AgentService/Describe", GET_RUN(run="1"), run_pb2.Run
            )


async def test_health_is_open_and_reflection_asks_who(door: Door, bearer: dict[str, str]) -> None:
    async with native(door.address) as channel:
        health = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest())
        assert health.status == health_pb2.HealthCheckResponse.SERVING

        async def names(metadata: tuple[tuple[str, str], ...]) -> set[str]:
            call = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo(metadata=metadata)
            await call.write(reflection_pb2.ServerReflectionRequest(list_services=""))
            await call.done_writing()
            answer = await call.read()
            return {service.name for service in answer.list_services_response.service}

        assert "agentmesh.orchestrator.v1.RunService" in await names(tuple(bearer.items()))
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await names(())
        assert refused.value.code() == grpc.StatusCode.UNAUTHENTICATED


async def test_broken_grpc_web_is_refused(door: Door, backend: Backend, bearer: dict[str, str]) -> None:
    headers = {**bearer, "content-type": "application/grpc-web-text", "accept": "application/grpc-web-text"}
    async with door.http(headers=headers) as http:
        answer = await http.post(f"{RUNS}/GetRun", content=b"!!! no base64 !!!")
        assert answer.headers["grpc-status"] == "3"
        request = run_service_pb2.GetRunRequest(run="run_1").SerializeToString()
        framed = base64.b64encode(b"\0" + len(request).to_bytes(4) + request)
        text = await http.post(f"{RUNS}/GetRun", content=framed)
        assert base64.b64decode(text.content[:8])[0] == 0
    assert len(backend.runs.seen) == 1
