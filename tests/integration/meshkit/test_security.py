"""Who may call what: every refusal over a real connection."""

import asyncio
from typing import Any

import grpc
import pytest
from google.protobuf import descriptor_pool
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from meshkit import context, errors
from meshkit.auth.issuer import PeerTokens
from tests.integration.meshkit.conftest import Mesh, say
from tests.integration.meshkit.echo import METHODS, Echo, EchoStub

DEEP = "eyJhbGciOiJFUzI1NiIsImtpZCI6IngifQ." + "W1tb" * 900 + ".x"  # a claim part of 2,700 opened lists


async def who(_request: Any, _context: Any) -> Any:
    caller = context.current()
    return Echo(text=f"{caller.tenant}/{caller.subject}/{caller.service}", tags=sorted(caller.scopes))


async def nothing(_requests: Any, _context: Any) -> Any:
    return Echo()


async def nothings(_requests: Any, _context: Any) -> Any:
    yield Echo()


HANDLERS = {name: nothings if METHODS[name][1] else nothing for name in METHODS}


async def outcome(stub: EchoStub, method: str) -> errors.MeshError | None:
    client_streams, server_streams, *_ = METHODS[method]
    ended = asyncio.Event()

    async def requests() -> Any:
        # Nothing is written: gRPC tells INTERNAL of a write that meets the end of its call, in place of how that ended.
        await ended.wait()
        return
        yield

    call = getattr(stub, method)(requests() if client_streams else Echo())
    try:
        if server_streams:
            [each async for each in call]
        else:
            await call
    except errors.MeshError as error:
        return error
    finally:
        ended.set()
    return None


@pytest.mark.parametrize("token", ["", "x", "mesh_a_b", DEEP], ids=["none", "noise", "key", "deep"])
async def test_every_method_refuses_who_is_not_known(mesh: Mesh, token: str) -> None:
    stub = await mesh.stub(await mesh.serve(HANDLERS), token=token)
    for method in METHODS:
        error = await outcome(stub, method)
        assert isinstance(error, errors.Unauthenticated), method
        assert error.message == "the credentials are missing, expired, malformed or not for this service"


async def test_every_method_refuses_a_scope_that_is_not_its_own(mesh: Mesh) -> None:
    token = mesh.tokens.token("echo", "echo.say2", "ECHO.SAY", "users.act_as", "*")
    stub = await mesh.stub(await mesh.serve(HANDLERS), token=token)
    for method in METHODS:
        assert isinstance(await outcome(stub, method), errors.PermissionDenied), method


async def test_the_missing_scope_is_named(mesh: Mesh) -> None:
    stub = await mesh.stub(await mesh.serve(HANDLERS), token=mesh.tokens.token("other"))
    error = await outcome(stub, "Say")
    assert error is not None
    assert (error.reason, error.metadata["scope"]) == ("SCOPE_MISSING", "echo.say")


async def test_the_right_scope_opens_its_methods_and_no_other(mesh: Mesh) -> None:
    stub = await mesh.stub(await mesh.serve(HANDLERS), token=mesh.tokens.token("echo.say", "echo.inside"))
    refused = {method for method in METHODS if await outcome(stub, method) is not None}
    assert refused == {"Naked", "Inside"}  # no policy; and no service


async def test_only_a_service_calls_an_internal_method(mesh: Mesh) -> None:
    address = await mesh.serve({"Inside": who})
    tokens = PeerTokens(mesh.tokens.internal_issuer, service="orchestrator", audience="echo", scopes={"echo.inside"})
    stub = await mesh.stub(address, credentials=tokens)
    with context.use(context.CallContext("acme", "ada", frozenset({"admin"}))):
        answer = await stub.Inside(Echo())
    assert (answer.text, list(answer.tags)) == ("acme/ada/orchestrator", ["echo.inside"])
    forged = mesh.tokens.token("echo.inside", actor="service:orchestrator")  # signed by the users' issuer
    assert isinstance(await outcome(await mesh.stub(address, token=forged), "Inside"), errors.Unauthenticated)


async def test_health_is_open_and_reflection_is_for_known_callers(mesh: Mesh) -> None:
    address = await mesh.serve({"Say": say})
    async with grpc.aio.insecure_channel(address) as channel:
        health = health_pb2_grpc.HealthStub(channel)
        for name in ("", "agentmesh.test.v1.EchoService"):
            answer = await health.Check(health_pb2.HealthCheckRequest(service=name))
            assert answer.status == health_pb2.HealthCheckResponse.SERVING
        request = reflection_pb2.ServerReflectionRequest(list_services="")
        stub = reflection_pb2_grpc.ServerReflectionStub(channel)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            [each async for each in stub.ServerReflectionInfo(iter([request]))]
        assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
        known = (("authorization", f"Bearer {mesh.tokens.token()}"),)
        async for answer in stub.ServerReflectionInfo(iter([request]), metadata=known):
            names = {each.name for each in answer.list_services_response.service}
    assert "agentmesh.test.v1.EchoService" in names
    assert all(descriptor_pool.Default().FindServiceByName(name) for name in names)


async def test_an_unknown_method_is_unimplemented(mesh: Mesh) -> None:
    stub = await mesh.stub(await mesh.serve({"Say": say}))
    assert isinstance(await outcome(stub, "Expand"), errors.Unimplemented)


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (Echo(count=-1), "count"),
        (Echo(tags=["a", "b", "c", "d"]), "tags"),
        (Echo(tags=["ok", "too long"]), "tags[1]"),
        (Echo(mode=7), "mode"),
        (Echo(inner=Echo(inner=Echo(count=-5))), "inner.inner.count"),
    ],
)
async def test_a_broken_rule_names_its_field(mesh: Mesh, request_: Any, field: str) -> None:
    stub = await mesh.stub(await mesh.serve({"Say": say}))
    with pytest.raises(errors.InvalidArgument) as caught:
        await stub.Say(request_)
    assert caught.value.reason == "FIELD_INVALID"
    assert [each.field for each in caught.value.field_violations] == [field]
    assert caught.value.field_violations[0].description


@pytest.mark.parametrize("depth", [0, 3])
async def test_a_field_that_we_do_not_know_is_refused(mesh: Mesh, depth: int) -> None:
    raw = b"\xf2\x06\x03new"  # field 110, three bytes
    for _ in range(depth):
        raw = b"\x2a" + bytes([len(raw)]) + raw  # inside the field `inner`
    request = Echo.FromString(raw)
    assert request.SerializeToString() == raw
    stub = await mesh.stub(await mesh.serve({"Say": say}))
    with pytest.raises(errors.InvalidArgument, match="does not know"):
        await stub.Say(request)


async def test_each_message_of_a_stream_is_checked(mesh: Mesh) -> None:
    seen: list[str] = []

    async def collect(requests: Any, _context: Any) -> Any:
        seen.extend([each.text async for each in requests])
        return Echo()

    async def requests() -> Any:
        yield Echo(text="good")
        yield Echo(count=-1)

    stub = await mesh.stub(await mesh.serve({"Collect": collect}))
    with pytest.raises(errors.InvalidArgument) as caught:
        await stub.Collect(requests())
    assert caught.value.field_violations[0].field == "count"


async def test_a_message_that_is_too_large_is_refused_cleanly(mesh: Mesh) -> None:
    stub = await mesh.stub(await mesh.serve({"Say": say}))
    with pytest.raises(errors.ResourceExhausted):
        await stub.Say(Echo(text="x" * (4 * 1024 * 1024 + 1)))
    assert (await stub.Say(Echo(text="still here"))).text == "still here"


async def test_a_second_tenant_is_not_slowed_by_the_first(mesh: Mesh) -> None:
    address = await mesh.serve({"Say": say}, settings={"limit_calls_per_second": 1.0, "limit_calls_burst": 3})
    noisy = await mesh.stub(address, token=mesh.tokens.token("echo.say", tenant="acme"))
    quiet = await mesh.stub(address, token=mesh.tokens.token("echo.say", tenant="zeta"))
    results = [await outcome(noisy, "Say") for _ in range(5)]
    assert [type(each) for each in results] == [type(None)] * 3 + [errors.ResourceExhausted] * 2
    refused = results[-1]
    assert refused is not None
    assert refused.reason == "RATE_LIMITED"
    assert refused.retry_after is not None
    assert 0 < refused.retry_after <= 1
    assert await outcome(quiet, "Say") is None


async def test_open_streams_are_limited_apart_from_calls(mesh: Mesh) -> None:
    async def forever(_request: Any, _context: Any) -> Any:
        while True:
            yield Echo(text="x" * 30_000)

    address = await mesh.serve({"Expand": forever, "Say": say}, settings={"limit_streams": 2})
    stub = await mesh.stub(address)
    streams = [stub.Expand(Echo()) for _ in range(2)]
    for stream in streams:
        await stream.read()
    assert (error := await outcome(stub, "Expand")) is not None
    assert error.reason == "RATE_LIMITED"
    assert await outcome(stub, "Say") is None
    other = await mesh.stub(address, token=mesh.tokens.token("echo.say", tenant="zeta"))
    third = other.Expand(Echo())
    await third.read()
    for stream in (*streams, third):
        stream.cancel()


async def test_a_process_that_is_full_says_so_at_once(mesh: Mesh) -> None:
    go_on = asyncio.Event()

    async def wait(request: Any, _context: Any) -> Any:
        await go_on.wait()
        return request

    stub = await mesh.stub(await mesh.serve({"Say": wait}, settings={"limit_concurrent_calls": 4}))
    calls = [asyncio.ensure_future(stub.Say(Echo(text=str(number)))) for number in range(8)]
    done, waiting = await asyncio.wait(calls, timeout=1)
    assert done
    assert waiting
    for call in done:
        error = call.exception()
        assert isinstance(error, errors.ResourceExhausted)
        assert error.reason == "OVERLOADED"
    go_on.set()
    assert all([(await call).text for call in waiting])
