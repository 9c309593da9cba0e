"""Where the door finds things: keys behind a URL, services on unix sockets, its own pages on another."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from meshkit.auth.issuer import KeyFiles
from tests.integration.envoy.backend import Backend
from tests.integration.envoy.door import open_door


@asynccontextmanager
async def keys_over_http(keys: KeyFiles) -> AsyncIterator[str]:
    document = keys.public.read_bytes()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: %d\r\n\r\n" % len(document) + document)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/jwks.json"


async def test_keys_come_from_a_url_and_services_from_sockets(
    keys: KeyFiles, bearer: dict[str, str], tmp_path: Path
) -> None:
    addresses = [f"unix:{tmp_path}/one.sock"]
    backend = await Backend("one", keys, tmp_path, listen=addresses[0]).start()
    try:
        async with (
            keys_over_http(keys) as url,
            open_door(tmp_path / "e", orchestrator=addresses, memory=addresses, jwks=url) as door,
            door.http() as http,
        ):
            assert (await http.get("/v1/runs/run_1", headers=bearer)).json()["user"] == "ada"
            forged = {"authorization": bearer["authorization"][:-4] + "AAAA"}
            assert (await http.get("/v1/runs/run_1", headers=forged)).status_code == 401
    finally:
        await backend.stop()


async def test_without_the_issuer_no_token_is_good(keys: KeyFiles, bearer: dict[str, str], tmp_path: Path) -> None:
    """API keys need no issuer and go on."""
    backend = await Backend("one", keys, tmp_path).start()
    addresses = [backend.address]
    try:
        async with (
            open_door(
                tmp_path / "e", orchestrator=addresses, memory=addresses, jwks="http://127.0.0.1:9/jwks.json"
            ) as door,
            door.http() as http,
        ):
            refused = await http.get("/v1/runs/run_1", headers=bearer)
            assert refused.status_code == 401
            assert refused.json()["details"][0]["reason"] == "UNAUTHENTICATED"
            passed = await http.get("/v1/runs/run_1", headers={"x-api-key": backend.api_key})
            assert passed.json()["user"] == "backend"
    finally:
        await backend.stop()


@pytest.mark.parametrize(("method", "path", "status"), [
    ("GET", "/ready", 200),
    ("GET", "/stats/prometheus", 200),
    ("POST", "/quitquitquit", 403),
    ("GET", "/config_dump", 403),
    ("POST", "/logging?level=trace", 403),
])  # fmt: skip
async def test_the_admin_pages_only_show(
    keys: KeyFiles, backend_address: str, tmp_path: Path, method: str, path: str, status: int
) -> None:
    socket = tmp_path / "admin.sock"
    addresses = [backend_address]
    async with (
        open_door(tmp_path / "e", orchestrator=addresses, memory=addresses, jwks=keys.public, admin=socket),
        httpx.AsyncClient(transport=httpx.AsyncHTTPTransport(uds=str(socket)), base_url="http://admin") as http,
    ):
        assert socket.stat().st_mode & 0o777 == 0o600
        assert (await http.request(method, path)).status_code == status


@pytest.fixture
def backend_address() -> str:
    return "127.0.0.1:9"  # nobody is there, and the pages do not mind
