"""The outside world of the kill matrix: it counts, in the test's process, every effect that a tool really had."""

import socket
import threading
from collections import Counter
from types import TracebackType
from typing import Self

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

__all__ = ["EffectServer"]


class EffectServer:
    """Takes effects. `calls` counts them by (tool, job, number); `keys` tells the idempotency keys of each."""

    def __init__(self) -> None:
        self.calls: Counter[tuple[str, str, int]] = Counter()
        self.keys: dict[tuple[str, str, int], set[str]] = {}
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/effect"
        application = Starlette(routes=[Route("/effect", self._effect, methods=["POST"])])
        config = uvicorn.Config(application, lifespan="off", log_config=None, timeout_graceful_shutdown=1)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._listener]}, name="effects", daemon=True
        )

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.should_exit = True
        self._thread.join(10)
        assert not self._thread.is_alive()

    async def _effect(self, request: Request) -> PlainTextResponse:
        wanted = await request.json()
        call = (wanted["tool"], wanted["job"], wanted["number"])
        self.calls[call] += 1
        self.keys.setdefault(call, set()).add(wanted["key"])
        return PlainTextResponse(f"effect {wanted['number']}")
