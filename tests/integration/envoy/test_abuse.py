"""Callers who misuse HTTP itself harm themselves alone."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from agentmesh.orchestrator.v1 import run_service_pb2_grpc
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import ConnectionTerminated, RemoteSettingsChanged
from h2.settings import SettingCodes

from meshkit.auth.issuer import KeyFiles
from tests.integration.envoy.backend import RUNS, SUBSCRIBE, Backend, native
from tests.integration.envoy.door import Door, open_door

pytestmark = pytest.mark.asyncio(loop_scope="module")


class RawHttp2:
    """A connection that sends what no decent client sends."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, authority: str) -> None:
        self._reader, self._writer, self.authority = reader, writer, authority
        self.h2 = H2Connection(H2Configuration(client_side=True))
        self.h2.initiate_connection()

    @classmethod
    async def connect(cls, door: Door) -> "RawHttp2":
        host, _, port = door.address.rpartition(":")
        return cls(*await asyncio.open_connection(host, int(port)), door.address)

    def request(self, headers: dict[str, str]) -> int:
        stream = self.h2.get_next_available_stream_id()
        pseudo = {":method": "POST", ":scheme": "http", ":path": f"{RUNS}/GetRun", ":authority": self.authority}
        self.h2.send_headers(stream, [*pseudo.items(), ("content-type", "application/grpc"), *headers.items()])
        return stream

    async def send(self) -> None:
        self._writer.write(self.h2.data_to_send())
        await self._writer.drain()

    async def events(self) -> AsyncIterator[object]:
        """Yield what comes until the door closes the connection."""
        async with asyncio.timeout(5):
            while data := await self._reader.read(65536):
                for event in self.h2.receive_data(data):
                    yield event
                await self.send()

    def close(self) -> None:
        self._writer.close()


async def test_the_limits_are_announced(door: Door) -> None:
    raw = await RawHttp2.connect(door)
    await raw.send()
    async for event in raw.events():
        if isinstance(event, RemoteSettingsChanged):
            announced = {code: change.new_value for code, change in event.changed_settings.items()}
            break
    raw.close()
    assert announced[SettingCodes.MAX_CONCURRENT_STREAMS] == 100
    assert announced[SettingCodes.INITIAL_WINDOW_SIZE] == 65536


async def test_rapid_reset_ends_the_connection(door: Door, backend: Backend, bearer: dict[str, str]) -> None:
    raw = await RawHttp2.connect(door)
    await raw.send()
    ended = False
    try:
        for _ in range(15):
            for _ in range(20):
                raw.h2.reset_stream(raw.request(bearer), ErrorCodes.CANCEL)
            await raw.send()
        async for event in raw.events():
            ended |= isinstance(event, ConnectionTerminated)
    except ConnectionError:
        ended = True  # closed before everything was sent
    finally:
        raw.close()
    assert ended
    async with door.http(headers=bearer) as http:
        assert (await http.get("/v1/runs/run_1")).status_code == 200


async def test_slow_headers_are_not_waited_for(
    keys: KeyFiles, backend: Backend, bearer: dict[str, str], tmp_path: Path
) -> None:
    addresses = [backend.address]
    hurry = {"request_headers_timeout: 10s": "request_headers_timeout: 0.3s"}
    async with open_door(
        tmp_path / "e", orchestrator=addresses, memory=addresses, jwks=keys.public, hurry=hurry
    ) as door:
        host, _, port = door.address.rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"GET /v1/runs/run_1 HTTP/1.1\r\nhost: mesh\r\nx-slow: ")
        async with asyncio.timeout(2):
            assert (await reader.readline()).startswith(b"HTTP/1.1 408")
            await reader.read()  # until the door closes the connection
        writer.close()


async def test_more_streams_than_a_connection_carries(door: Door, backend: Backend, bearer: dict[str, str]) -> None:
    """Towards the service the door opens another connection, so that 240 subscribers are all served."""
    async with AsyncExitStack() as stack:
        calls = []
        for _ in range(3):
            channel = await stack.enter_async_context(native(door.address))
            stub = run_service_pb2_grpc.RunServiceStub(channel)
            calls += [
                stub.SubscribeRun(SUBSCRIBE(run="endless"), metadata=tuple(bearer.items()), timeout=30)
                for _ in range(80)
            ]
        try:
            first = await asyncio.gather(*(call.read() for call in calls))
            assert [event.sequence for event in first] == [1] * 240
            assert backend.runs.speaking == 240
        finally:
            for call in calls:
                call.cancel()
