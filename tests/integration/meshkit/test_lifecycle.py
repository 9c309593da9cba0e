"""Starting and ending: one port one server, health, systemd, drain; the end of real processes by signal."""

import asyncio
import json
import signal
import socket
import time
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from meshkit import errors
from meshkit.config import ConfigError
from meshkit.rpc.health import Health
from meshkit.rpc.systemd import Notifier
from meshkit.testing.credentials import TestTokens
from meshkit.testing.serving import serving
from tests.integration.meshkit.conftest import Mesh, say
from tests.integration.meshkit.echo import SERVICE, Echo
from tests.integration.meshkit.processes import echo_process

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


async def status(address: str, name: str = "") -> int:
    async with grpc.aio.insecure_channel(address) as channel:
        answer = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(service=name))
        return int(answer.status)


async def test_a_second_server_on_the_port_is_refused(mesh: Mesh) -> None:
    address = await mesh.serve({"Say": say})
    second = mesh.server({"Say": say}, settings={"listen": address})
    with pytest.raises(ConfigError, match="MESH_LISTEN: cannot listen"):
        await second.start()
    await second.stop()


async def test_a_server_listens_on_a_unix_socket(mesh: Mesh, tmp_path: Path) -> None:
    address = await mesh.serve({"Say": say}, settings={"listen": f"unix:{tmp_path}/echo.sock"})
    assert address.startswith("unix:")
    stub = await mesh.stub(address)
    assert (await stub.Say(Echo(text="hi"))).text == "hi"


async def test_health_follows_critical_dependencies_only(mesh: Mesh) -> None:
    up = {"postgres": True, "redis": True}

    def ping(name: str) -> Any:
        async def ask() -> None:
            if not up[name]:
                raise ConnectionError(name)

        return ask

    async def hangs() -> None:
        await asyncio.Event().wait()

    health = Health(interval=0.02, timeout=0.05)
    server = mesh.server({"Say": say}, health=health)
    server.watch("postgres", ping("postgres"))
    server.watch("redis", ping("redis"), critical=False)
    server.watch("slow", hangs, critical=False)
    async with serving(server) as address:
        assert await status(address) == await status(address, SERVICE) == SERVING
        async with grpc.aio.insecure_channel(address) as channel:
            watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest(service=SERVICE))
            assert (await watch.read()).status == SERVING
            up["redis"] = False
            await health.look()
            assert await status(address) == SERVING
            up["postgres"] = False
            assert (await watch.read()).status == NOT_SERVING
            up["postgres"] = True
            assert (await watch.read()).status == SERVING
            watch.cancel()


async def test_resources_are_closed_in_reverse_after_the_last_call(mesh: Mesh) -> None:
    order: list[str] = []

    async def slow(_request: Any, _context: Any) -> Any:
        await asyncio.sleep(0.2)
        order.append("call")
        return Echo()

    server = mesh.server({"Say": slow})
    server.resources.callback(order.append, "first opened")
    server.resources.callback(order.append, "second opened")
    async with serving(server) as address:
        stub = await mesh.stub(address)
        call = asyncio.ensure_future(stub.Say(Echo()))
        await asyncio.sleep(0.05)
    await call
    assert order == ["call", "second opened", "first opened"]


async def test_what_does_not_end_is_told_and_cut_at_the_end_of_the_grace(mesh: Mesh) -> None:
    async def forever(_requests: Any, _context: Any) -> Any:
        yield Echo()
        await asyncio.Event().wait()

    server = mesh.server({"Chat": forever}, settings={"shutdown_grace": 0.4})
    await server.start()
    stub = await mesh.stub(server.address)
    call = stub.Chat()
    await call.read()
    started = time.monotonic()
    await server.stop()
    assert time.monotonic() - started < 1.5
    with pytest.raises(errors.Unavailable) as caught:
        await call.read()
    assert caught.value.reason == "DRAINING"


async def test_sigterm_drains_a_process_and_loses_nothing(tokens: TestTokens, mesh: Mesh, tmp_path: Path) -> None:
    """49 streams and 50 calls in flight: calls end well, resumable streams hear DRAINING, work goes on to its end."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(5)
        variables = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "200000", "MESH_SHUTDOWN_GRACE": "10"}
        async with echo_process(tokens, variables) as echo:
            heard = [systemd.recv(100) for _ in range(4)]
            assert heard[0] == b"READY=1"
            assert heard[1:] == [b"WATCHDOG=1"] * 3
            stub = await mesh.stub(echo.address)
            streams = [aiter(stub.Expand(Echo())) for _ in range(48)]
            counts = [(await anext(stream)).count for stream in streams]
            work = stub.Chat()
            assert (await work.read()).text == "working"
            async with grpc.aio.insecure_channel(echo.address) as channel:
                watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest())
                assert (await watch.read()).status == SERVING
                second = await mesh.stub(echo.address)  # a connection carries 100 streams at most
                calls = [asyncio.ensure_future(second.Say(Echo(text=str(n), seconds=1.0))) for n in range(50)]
                await asyncio.sleep(0.3)
                echo.process.send_signal(signal.SIGTERM)
                signalled = time.monotonic()
                assert (await watch.read()).status == NOT_SERVING
                assert time.monotonic() - signalled < 1.0
            for number, stream in enumerate(streams):
                reason = ""
                try:
                    async for each in stream:
                        assert each.count == counts[number] + 1  # in order, nothing left out
                        counts[number] = each.count
                except errors.Unavailable as error:
                    reason = error.reason
                assert reason == "DRAINING"
            assert (await work.read()).text == "done"
            assert await work.read() is grpc.aio.EOF
            assert [(await call).text for call in calls] == [str(n) for n in range(50)]
            assert await asyncio.wait_for(echo.wait(), 5) == 0
            assert time.monotonic() - signalled < 5
            assert "closed what was opened" in echo.log
            events = [json.loads(line)["event"] for line in echo.log if line.startswith("{")]
            assert events == ["listening", "draining", "stopped"]
        rest = []
        systemd.setblocking(False)
        try:
            while True:
                rest.append(systemd.recv(100))
        except BlockingIOError:
            assert b"STOPPING=1" in rest


async def test_a_configuration_that_cannot_work_ends_with_its_reason(tokens: TestTokens) -> None:
    async with echo_process(tokens, {"MESH_LISTEN": "256.0.0.1:1"}) as echo:
        assert await echo.wait() == 78
        assert any("MESH_LISTEN: cannot listen on 256.0.0.1:1" in line for line in echo.log)
        assert not any("Traceback" in line for line in echo.log)
    async with echo_process(tokens, {"MESH_SHUTDOWN_GRACE": "soon"}) as echo:
        assert await echo.wait() == 78
        assert any("MESH_SHUTDOWN_GRACE" in line for line in echo.log)


async def test_without_systemd_nothing_is_said_and_nothing_fails(tmp_path: Path) -> None:
    Notifier(None, 1000).notify("READY=1")
    Notifier(str(tmp_path / "nobody")).notify("READY=1")
    await asyncio.wait_for(Notifier(None, 1000).keep_watchdog(), 1)
