"""A mesh for one test: servers and channels that are closed in reverse order, and tokens that the servers believe."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import grpc
import pytest
import pytest_asyncio

from meshkit.auth.authenticator import build_authenticator
from meshkit.config import ServiceSettings
from meshkit.rpc.channel import MeshChannel, open_channel
from meshkit.rpc.server import MeshServer
from meshkit.rpc.transport import TRANSPORT, Transport
from meshkit.testing.credentials import TestTokens
from meshkit.testing.serving import serving
from tests.integration.meshkit.echo import METHODS, SERVICE, Echo, EchoStub, register

NO_RETRY: dict[str, Any] = {}


async def say(request: Any, _context: Any) -> Any:
    return Echo(text=request.text)


class Mesh:
    """Starts echo servers and opens stubs to them."""

    def __init__(self, stack: AsyncExitStack, tokens: TestTokens) -> None:
        self._stack, self.tokens = stack, tokens

    def server(
        self, handlers: Mapping[str, Callable[..., Any]], *, settings: Mapping[str, Any] | None = None, **options: Any
    ) -> MeshServer:
        auth = self.tokens.settings()
        config = ServiceSettings(
            **{**auth.model_dump(), "listen": "127.0.0.1:0", "shutdown_grace": 0.4, **(settings or {})}
        )
        server = MeshServer(
            config, options.pop("authenticator", build_authenticator(config, service="echo")), **options
        )
        server.add(register, handlers, SERVICE)  # type: ignore[arg-type]
        return server

    async def serve(self, handlers: Mapping[str, Callable[..., Any]], **options: Any) -> str:
        return await self.start(self.server(handlers, **options))

    async def start(self, server: MeshServer) -> str:
        return await self._stack.enter_async_context(serving(server))

    async def stock_stub(self, address: str) -> Any:
        """Open a stub on gRPC's own channel, without any option of ours but the credentials."""
        inner = await self._stack.enter_async_context(grpc.aio.insecure_channel(address))
        return EchoStub(MeshChannel(inner, lambda: self.tokens.token("echo.say")))

    async def stub(
        self,
        address: str,
        *,
        token: str | None = None,
        config: Mapping[str, Any] | None = None,
        transport: Transport = TRANSPORT,
        credentials: Callable[[], str] | None = None,
    ) -> Any:
        token = self.tokens.token("echo.say") if token is None else token
        channel = open_channel(
            address, config or NO_RETRY, credentials=credentials or (lambda: token), transport=transport
        )
        return EchoStub(await self._stack.enter_async_context(channel))


@pytest.fixture
def tokens(tmp_path: Path) -> TestTokens:
    return TestTokens(tmp_path / "keys")


@pytest_asyncio.fixture
async def mesh(tokens: TestTokens) -> AsyncIterator[Mesh]:
    async with AsyncExitStack() as stack:
        yield Mesh(stack, tokens)


__all__ = ["METHODS", "Mesh"]
