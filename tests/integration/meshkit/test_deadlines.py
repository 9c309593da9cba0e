"""Every call has an end, each hop has less time than the one before, and nothing is begun too late."""

import asyncio
import time
from types import SimpleNamespace
from typing import Any

import grpc
import pytest

from meshkit import context, errors
from meshkit.context import CallContext
from meshkit.rpc.interceptors.chain import Call
from meshkit.rpc.interceptors.deadline import DeadlineLayer
from meshkit.rpc.policy import rule_of
from meshkit.rpc.streams import open_stream
from tests.integration.meshkit.conftest import Mesh
from tests.integration.meshkit.echo import SERVICE, Echo

SAY, EXPAND = f"/{SERVICE}/Say", f"/{SERVICE}/Expand"


def timeouts(**seconds: str) -> dict[str, Any]:
    return {
        "methodConfig": [
            {"name": [{"service": SERVICE, "method": name}], "timeout": timeout} for name, timeout in seconds.items()
        ]
    }


async def test_each_hop_has_less_time_than_the_one_before(mesh: Mesh) -> None:
    left: list[float] = []

    def note() -> None:
        remaining = context.current().remaining()
        assert remaining is not None
        left.append(remaining)

    async def last(request: Any, _context: Any) -> Any:
        note()
        return request

    third = await mesh.stub(await mesh.serve({"Say": last}))

    async def middle(request: Any, _context: Any) -> Any:
        note()
        return await third.Say(request, timeout=60)  # asks for more than there is

    async def chat(requests: Any, call: Any) -> Any:
        async for each in requests:
            yield await middle(each, call)

    second = await mesh.stub(await mesh.serve({"Chat": chat}))

    async def first(request: Any, _context: Any) -> Any:
        note()
        async with open_stream(second.Chat(iter([request]))) as answers:
            return await anext(answers)

    edge = await mesh.stub(await mesh.serve({"Say": first}))
    await edge.Say(Echo(), timeout=5)
    assert len(left) == 3
    assert 5 > left[0] > left[1] > left[2] > 4


async def test_the_last_hop_is_stopped_when_the_edge_is_out_of_time(mesh: Mesh) -> None:
    stopped = asyncio.Event()

    async def hang(_request: Any, _context: Any) -> Any:
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()

    inner = await mesh.stub(await mesh.serve({"Say": hang}))

    async def relay(request: Any, _context: Any) -> Any:
        return await inner.Say(request)

    outer = await mesh.stub(await mesh.serve({"Say": relay}))
    started = time.monotonic()
    with pytest.raises(errors.DeadlineExceeded):
        await outer.Say(Echo(), timeout=0.3)
    assert 0.25 < time.monotonic() - started < 0.45
    await asyncio.wait_for(stopped.wait(), 1)


async def hang_unary(_request: Any, _context: Any) -> Any:
    await asyncio.Event().wait()


async def hang_stream(_request: Any, _context: Any) -> Any:
    yield Echo(text="1")
    await asyncio.Event().wait()


async def test_who_sends_no_deadline_gets_that_of_the_contract(mesh: Mesh) -> None:
    configs = [timeouts(Say="0.2s", Expand="0.2s")]
    address = await mesh.serve({"Say": hang_unary, "Expand": hang_stream}, service_configs=configs)
    stub = await mesh.stub(address)  # this channel has no service config, so it sends none
    started = time.monotonic()
    with pytest.raises(errors.DeadlineExceeded, match=r"longer than 0\.2 s"):
        await stub.Say(Echo())
    stream = aiter(stub.Expand(Echo()))
    assert (await anext(stream)).text == "1"
    with pytest.raises(errors.DeadlineExceeded):
        await anext(stream)
    assert time.monotonic() - started < 1


async def test_nobody_gets_more_than_the_contract_allows(mesh: Mesh) -> None:
    stub = await mesh.stub(await mesh.serve({"Say": hang_unary}, service_configs=[timeouts(Say="0.2s")]))
    with pytest.raises(errors.DeadlineExceeded):
        await asyncio.wait_for(stub.Say(Echo(), timeout=60), 2)


async def test_the_channel_sends_the_timeout_of_the_contract(mesh: Mesh) -> None:
    stub = await mesh.stub(await mesh.serve({"Say": hang_unary}), config=timeouts(Say="0.2s"))
    with pytest.raises(errors.DeadlineExceeded):
        await asyncio.wait_for(stub.Say(Echo()), 2)


async def test_a_call_is_not_begun_when_no_time_is_left(mesh: Mesh) -> None:
    began = False

    async def begin(request: Any, _context: Any) -> Any:
        nonlocal began
        began = True
        return request

    stub = await mesh.stub(await mesh.serve({"Say": begin}))
    late = CallContext("acme", "ada", deadline=time.monotonic() + 0.01)
    with context.use(late), pytest.raises(errors.DeadlineExceeded, match="no time is left"):
        await stub.Say(Echo())
    assert not began
    with context.use(late.detached()):
        await stub.Say(Echo())
    assert began


async def test_a_call_that_arrives_late_is_refused_before_any_work() -> None:
    arrived: Any = SimpleNamespace(time_remaining=lambda: -0.5)
    call = Call(SAY, rule_of(SAY), {}, arrived, Echo())
    with context.use(CallContext("acme", "ada")), pytest.raises(errors.DeadlineExceeded, match="when the call arrived"):
        async with DeadlineLayer({}).around(call):
            pytest.fail("the handler was reached")


async def test_a_timeout_inside_a_handler_is_its_own(mesh: Mesh) -> None:
    async def slow_store(_request: Any, _context: Any) -> Any:
        async with asyncio.timeout(0.01):
            await asyncio.Event().wait()

    stub = await mesh.stub(await mesh.serve({"Say": slow_store}))
    with pytest.raises(errors.Internal):  # a defect: a store's time-out belongs to its adapter
        await stub.Say(Echo(), timeout=5)


async def test_the_status_is_the_standard_one_for_foreign_clients(mesh: Mesh) -> None:
    address = await mesh.serve({"Say": hang_unary}, service_configs=[timeouts(Say="0.1s")])
    async with grpc.aio.insecure_channel(address) as channel:
        call = channel.unary_unary(SAY, request_serializer=Echo.SerializeToString)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call(Echo(), metadata=(("authorization", f"Bearer {mesh.tokens.token('echo.say')}"),))
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
