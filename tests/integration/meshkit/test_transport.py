"""The connection itself, through the same factories with shorter times.

Frozen peers, quiet streams, slow readers, retries, several endpoints.
"""

# ruff: noqa: PT012 - streams raise while they are read

import asyncio
import signal
import time
from typing import Any

import pytest

from meshkit import errors
from meshkit.rpc.health import Health
from meshkit.rpc.transport import Transport
from meshkit.testing.credentials import TestTokens
from tests.integration.meshkit.conftest import Mesh, say
from tests.integration.meshkit.echo import SERVICE, Echo
from tests.integration.meshkit.processes import echo_process

SHORT = Transport(keepalive_ms=1000, ping_timeout_ms=1000)
RETRIED = {
    "methodConfig": [
        {
            "name": [{"service": SERVICE, "method": "Say"}, {"service": SERVICE, "method": "Expand"}],
            "timeout": "5s",
            "retryPolicy": {
                "maxAttempts": 3,
                "initialBackoff": "0.01s",
                "maxBackoff": "0.05s",
                "backoffMultiplier": 2,
                "retryableStatusCodes": ["UNAVAILABLE"],
            },
        }
    ]
}


async def test_a_frozen_peer_is_noticed(tokens: TestTokens, mesh: Mesh) -> None:
    async with echo_process(tokens) as echo:
        stub = await mesh.stub(echo.address, transport=SHORT)
        stream = aiter(stub.Expand(Echo()))
        await anext(stream)
        echo.process.send_signal(signal.SIGSTOP)
        started = time.monotonic()
        with pytest.raises(errors.Unavailable):
            async with asyncio.timeout(15):
                [each async for each in stream]
        assert time.monotonic() - started < 15


async def quiet(_request: Any, _context: Any) -> Any:
    yield Echo(text="first")
    await asyncio.sleep(6)
    yield Echo(text="last")


async def test_a_quiet_stream_stays_alive_because_both_sides_agree(mesh: Mesh) -> None:
    stub = await mesh.stub(await mesh.serve({"Expand": quiet}, transport=SHORT), transport=SHORT)
    assert [each.text async for each in stub.Expand(Echo())] == ["first", "last"]


async def test_a_quiet_stream_dies_where_the_sides_disagree(mesh: Mesh) -> None:
    """The control: with a server that allows fewer pings than this client sends, the stream is cut."""
    strict = Transport(keepalive_ms=600_000)
    stub = await mesh.stub(await mesh.serve({"Expand": quiet}, transport=strict), transport=SHORT)
    with pytest.raises(errors.Unavailable):
        [each async for each in stub.Expand(Echo())]


async def bytes_sent_to_a_reader_that_stands_still(mesh: Mesh, *, stock: bool = False) -> int:
    """Return how many bytes a server could send before it had to wait, with our channel or a stock one."""
    sent = 0

    async def flood(_request: Any, _context: Any) -> Any:
        nonlocal sent
        while True:
            yield Echo(text="x" * 1000)
            sent += 1000

    address = await mesh.serve({"Expand": flood})
    stub = await (mesh.stock_stub(address) if stock else mesh.stub(address))
    call = stub.Expand(Echo())
    await call.read()
    before = -1
    while before != sent:  # until nothing more leaves for a while
        before = sent
        await asyncio.sleep(0.4)
    call.cancel()
    return sent


async def test_a_slow_reader_holds_little(mesh: Mesh) -> None:
    ours = await bytes_sent_to_a_reader_that_stands_still(mesh)
    stock = await bytes_sent_to_a_reader_that_stands_still(mesh, stock=True)
    assert 0 < ours < 512 * 1024
    assert stock > 4 * ours  # the control: without our option the transport hoards


async def test_an_idempotent_call_is_tried_three_times(mesh: Mesh) -> None:
    tried: list[float] = []

    async def weak(request: Any, _context: Any) -> Any:
        tried.append(time.monotonic())
        if len(tried) < 3:
            raise errors.Unavailable("not yet")
        return Echo(text=request.text)

    stub = await mesh.stub(await mesh.serve({"Say": weak}), config=RETRIED)
    assert (await stub.Say(Echo(text="a"))).text == "a"
    assert len(tried) == 3


async def test_any_other_call_is_tried_once(mesh: Mesh) -> None:
    tried = 0

    async def weak(_request: Any, _context: Any) -> Any:
        nonlocal tried
        tried += 1
        raise errors.Unavailable("not yet")

    stub = await mesh.stub(await mesh.serve({"Once": weak}), config=RETRIED)
    with pytest.raises(errors.Unavailable, match="not yet"):
        await stub.Once(Echo())
    assert tried == 1


async def test_a_stream_that_has_begun_is_not_tried_again(mesh: Mesh) -> None:
    """So clients resume by sequence: a retry by the transport would be a lie."""
    tried = 0

    async def breaks(_request: Any, _context: Any) -> Any:
        nonlocal tried
        tried += 1
        yield Echo(text="1")
        raise errors.Unavailable("lost")

    stub = await mesh.stub(await mesh.serve({"Expand": breaks}), config=RETRIED)
    got: list[str] = []
    with pytest.raises(errors.Unavailable):
        async for each in stub.Expand(Echo()):
            got.append(each.text)  # noqa: PERF401 - what came before the error counts
    assert (got, tried) == (["1"], 1)


async def test_calls_go_round_and_only_to_who_is_serving(mesh: Mesh) -> None:
    served = [0, 0]
    up = [True, True]
    healths = [Health(interval=60), Health(interval=60)]
    addresses = []
    for number in (0, 1):

        async def count(request: Any, _context: Any, number: int = number) -> Any:
            served[number] += 1
            return request

        async def ping(number: int = number) -> None:
            if not up[number]:
                raise ConnectionError

        server = mesh.server({"Say": count}, health=healths[number])
        server.watch("store", ping)
        addresses.append(await mesh.start(server))
    stub = await mesh.stub(",".join(addresses))
    async with asyncio.timeout(5):
        while not all(served):  # both connections are made
            await stub.Say(Echo())
    served[:] = [0, 0]
    for _ in range(10):
        await stub.Say(Echo())
    assert served == [5, 5]
    up[0] = False
    await healths[0].look()
    await asyncio.sleep(0.1)
    served[:] = [0, 0]
    for _ in range(10):
        await stub.Say(Echo())
    assert served == [0, 10]


async def test_a_peer_that_is_not_there_is_unavailable_at_once(mesh: Mesh) -> None:
    stub = await mesh.stub("127.0.0.1:1")
    started = time.monotonic()
    with pytest.raises(errors.Unavailable) as caught:
        await stub.Say(Echo())
    assert time.monotonic() - started < 2
    assert "127.0.0.1" not in caught.value.message


async def test_calls_work_again_when_the_peer_is_back(mesh: Mesh) -> None:
    server = mesh.server({"Say": say})
    await server.start()
    stub = await mesh.stub(server.address)
    await stub.Say(Echo())
    await server.stop()
    with pytest.raises(errors.Unavailable):
        await stub.Say(Echo())
    await mesh.serve({"Say": say}, settings={"listen": server.address})
    async with asyncio.timeout(5):
        while True:
            try:
                await stub.Say(Echo())
            except errors.Unavailable:
                await asyncio.sleep(0.05)
            else:
                break
