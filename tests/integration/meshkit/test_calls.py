"""All four call shapes through the whole chain: values, errors with details, cancellation, and order of clean-up."""

# ruff: noqa: PT012, ASYNC110 - streams raise while they are read; what is polled for has no event of its own

import asyncio
import contextlib
import gc
import logging
import re
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest

from meshkit import context, errors
from meshkit.rpc.streams import open_stream
from tests.integration.meshkit.conftest import Mesh, say
from tests.integration.meshkit.echo import Echo


async def expand(request: Any, _context: Any) -> AsyncIterator[Any]:
    for number in range(request.count):
        yield Echo(text=f"{request.text}{number}")


async def collect(requests: AsyncIterator[Any], _context: Any) -> Any:
    return Echo(text="".join([each.text async for each in requests]))


async def chat(requests: AsyncIterator[Any], _context: Any) -> AsyncIterator[Any]:
    async for each in requests:
        yield Echo(text=each.text.upper())


async def expand_by_writing(request: Any, call: grpc.aio.ServicerContext[Any, Any]) -> None:
    for number in range(request.count):
        await call.write(Echo(text=f"{request.text}{number}"))


async def messages(*texts: str) -> AsyncIterator[Any]:
    for text in texts:
        yield Echo(text=text)


async def test_all_four_shapes_carry_values(mesh: Mesh) -> None:
    stub = await mesh.stub(await mesh.serve({"Say": say, "Expand": expand, "Collect": collect, "Chat": chat}))
    assert (await stub.Say(Echo(text="a"))).text == "a"
    assert [each.text async for each in stub.Expand(Echo(text="b", count=3))] == ["b0", "b1", "b2"]
    assert (await stub.Collect(messages("x", "y"))).text == "xy"
    assert [each.text async for each in stub.Chat(messages("p", "q"))] == ["P", "Q"]


async def test_a_handler_that_writes_by_itself_works_too(mesh: Mesh) -> None:
    stub = await mesh.stub(await mesh.serve({"Expand": expand_by_writing}))
    assert [each.text async for each in stub.Expand(Echo(text="w", count=2))] == ["w0", "w1"]


async def test_read_and_write_calls_work_on_the_client(mesh: Mesh) -> None:
    stub = await mesh.stub(await mesh.serve({"Chat": chat}))
    call = stub.Chat()
    await call.write(Echo(text="a"))
    assert (await call.read()).text == "A"
    await call.done_writing()
    assert await call.read() is grpc.aio.EOF


FAILURE = errors.ResourceExhausted("three is enough", reason="LIMIT_REACHED", retry_after=1.5, metadata={"limit": "3"})


async def fail_unary(_request: Any, _context: Any) -> Any:
    raise FAILURE


async def fail_after_two(_request: Any, _context: Any) -> AsyncIterator[Any]:
    yield Echo(text="1")
    yield Echo(text="2")
    raise FAILURE


@pytest.mark.parametrize("shape", ["Say", "Expand", "Collect", "Chat"])
async def test_an_error_arrives_as_the_same_class_with_its_details(mesh: Mesh, shape: str) -> None:
    handler = fail_unary if shape in {"Say", "Collect"} else fail_after_two
    stub = await mesh.stub(await mesh.serve({shape: handler}))
    method = getattr(stub, shape)
    call = method(messages("m")) if shape in {"Collect", "Chat"} else method(Echo())
    got: list[str] = []
    with pytest.raises(errors.ResourceExhausted) as caught:
        if shape in {"Say", "Collect"}:
            await call
        else:
            async for each in call:
                got.append(each.text)  # noqa: PERF401 - what came before the error counts
    assert got == ([] if shape in {"Say", "Collect"} else ["1", "2"])
    assert caught.value.message == "three is enough"
    assert caught.value.reason == "LIMIT_REACHED"
    assert caught.value.retry_after == 1.5
    assert caught.value.metadata["limit"] == "3"
    assert re.fullmatch("[0-9a-f]{32}", caught.value.metadata["trace_id"])


SECRET = "postgres://mesh:hunter2hunter2@10.0.0.7/mesh"


async def leak_unary(_request: Any, _context: Any) -> Any:
    raise ValueError(f"cannot connect to {SECRET}")


async def leak_stream(_request: Any, _context: Any) -> AsyncIterator[Any]:
    yield Echo(text="1")
    raise errors.Internal(f"cannot connect to {SECRET}")


@pytest.mark.parametrize(("shape", "handler"), [("Say", leak_unary), ("Expand", leak_stream)])
async def test_the_text_of_a_defect_never_reaches_the_caller(mesh: Mesh, shape: str, handler: Any) -> None:
    stub = await mesh.stub(await mesh.serve({shape: handler}))
    call = getattr(stub, shape)(Echo())
    with pytest.raises(errors.Internal) as caught:
        if shape == "Say":
            await call
        else:
            [each async for each in call]
    everything = caught.value.message + str(await call.trailing_metadata()) + str(await call.details())
    assert "hunter2" not in everything
    assert "10.0.0.7" not in everything
    assert caught.value.message.startswith("internal error, trace ")
    assert len(caught.value.message.removeprefix("internal error, trace ")) == 32


async def test_a_cancelled_stream_unwinds_in_its_own_task_and_context(
    mesh: Mesh, caplog: pytest.LogCaptureFixture
) -> None:
    """20 streams blocked while sending and 20 while waiting: each runs its finally at once, in its own task."""
    unwound: list[tuple[bool, bool]] = []
    started = asyncio.Semaphore(0)
    never = asyncio.Event()

    async def stream(request: Any, _context: Any) -> AsyncIterator[Any]:
        task = asyncio.current_task()
        mine = context.current()
        try:
            started.release()
            if request.text == "wait":
                await never.wait()
            while True:
                yield Echo(text="x" * 16_000)  # until the flow-control window is full, and the write blocks
        finally:
            unwound.append((asyncio.current_task() is task, context.current_or_none() is mine))

    caplog.set_level(logging.DEBUG)
    stub = await mesh.stub(await mesh.serve({"Expand": stream}))
    calls = [stub.Expand(Echo(text=text)) for text in ["wait", "send"] * 20]
    for _ in calls:
        await started.acquire()
    async with asyncio.timeout(5):
        for call in calls:
            if calls.index(call) % 2:
                await call.read()
            call.cancel()
        while len(unwound) < len(calls):
            await asyncio.sleep(0.01)
    gc.collect()
    assert unwound == [(True, True)] * 40
    assert "detach" not in caplog.text
    assert "Task exception was never retrieved" not in caplog.text


async def test_a_cancel_reaches_the_next_hop_every_time(mesh: Mesh) -> None:
    """60 streams through a relay are cancelled: none goes on at the last hop."""
    running = 0
    most = 0

    async def work(_request: Any, _context: Any) -> AsyncIterator[Any]:
        nonlocal running, most
        running += 1
        most = max(most, running)
        try:
            while True:
                yield Echo(text="token")
                await asyncio.sleep(0.001)
        finally:
            running -= 1

    inner = await mesh.stub(await mesh.serve({"Expand": work}))

    async def relay(request: Any, _context: Any) -> AsyncIterator[Any]:
        async with open_stream(inner.Expand(request)) as relayed:
            async for each in relayed:
                yield each

    outer = await mesh.stub(await mesh.serve({"Expand": relay}))
    for _ in range(6):
        calls = [outer.Expand(Echo()) for _ in range(10)]
        await asyncio.gather(*(call.read() for call in calls))
        for call in calls:
            call.cancel()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1):
                while running:
                    await asyncio.sleep(0.002)
        assert running == 0
    assert most == 10


async def test_a_silent_stream_ends_when_its_reader_sets_a_limit(mesh: Mesh) -> None:
    ended = asyncio.Event()

    async def stall(_request: Any, _context: Any) -> AsyncIterator[Any]:
        try:
            yield Echo(text="1")
            await asyncio.Event().wait()
        finally:
            ended.set()

    stub = await mesh.stub(await mesh.serve({"Expand": stall}))
    got = []
    with pytest.raises(errors.Unavailable, match="silent"):
        async with open_stream(stub.Expand(Echo()), idle=0.1) as received:
            async for each in received:
                got.append(each.text)  # noqa: PERF401
    assert got == ["1"]
    await asyncio.wait_for(ended.wait(), 2)
