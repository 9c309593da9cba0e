"""The loopback endpoint: an OpenAI-compatible server that only the frameworks of this process can use.

Owns the keys and the calls in flight of each run. A key is made for one attempt at one run and dies with it; leaving
the run cancels its calls, which closes the sockets to the model before anything else happens.
"""

import asyncio
import json
import secrets
import socket
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send

from agent_service.adapters.gateway.call import ModelCall
from agent_service.adapters.gateway.conversation import Conversation
from agent_service.adapters.gateway.route import ModelRoute
from agent_service.adapters.gateway.upstream import Upstream
from agent_service.domain.breaker import Breakers
from agent_service.domain.gate import Gate
from agent_service.domain.prices import Prices
from agent_service.domain.runtime import ModelEndpoint
from agent_service.domain.task import Task
from agent_service.domain.toolbox import Toolbox
from meshkit.errors import MeshError

__all__ = ["ModelGateway"]

# A conversation of the longest history and all its recalled memory, escaped as JSON, is some MiB.
_MAX_REQUEST_BYTES = 32 * 1024 * 1024

# Longer than frameworks keep an idle connection: one that is closed just as it is used again would fail a run.
_KEEP_ALIVE_SECONDS = 120


@dataclass(slots=True)
class _Run:
    """What a key opens."""

    model: str
    route: ModelRoute
    gate: Gate
    toolbox: Toolbox
    conversation: Conversation = field(default_factory=Conversation)
    calls: set[asyncio.Task[Any]] = field(default_factory=set)


class ModelGateway:
    """Serves models to the runs of this process."""

    def __init__(self, upstream: Upstream, default_model: str, breakers: Breakers, prices: Prices) -> None:
        self._upstream, self._default_model, self._breakers, self._prices = upstream, default_model, breakers, prices
        self._runs: dict[str, _Run] = {}
        self._url = ""
        self._server: _Server | None = None
        self._serving: asyncio.Task[None] | None = None

    @property
    def default_model(self) -> str:
        """The model of agents that name none."""
        return self._default_model

    @property
    def calls_in_flight(self) -> int:
        """How many model calls are under way."""
        return sum(len(run.calls) for run in self._runs.values())

    async def start(self) -> None:
        """Listen on a free loopback port."""
        # The protocol is named because asyncio sets TCP_NODELAY only then: without it every answer waits 40 ms for an
        # acknowledgement. It listens at once, so nobody need wait for the server to be ready.
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.bind(("127.0.0.1", 0))
        listener.listen(1024)
        self._url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        app = Starlette(
            routes=[
                Route("/v1/chat/completions", _Completions(self), methods=["POST"]),
                Route("/v1/models", self._models, methods=["GET"]),
            ]
        )
        config = uvicorn.Config(
            app,
            http="h11",
            ws="none",
            lifespan="off",
            access_log=False,
            proxy_headers=False,
            log_config=None,
            log_level="critical",  # it would log every cancelled call as an error of the application
            timeout_graceful_shutdown=1,
            timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        )
        self._server = _Server(config)
        self._serving = asyncio.create_task(self._server.serve(sockets=[listener]), name="model gateway")

    async def stop(self) -> None:
        """Stop listening and close the connections to the model."""
        if self._server is not None and self._serving is not None:
            self._server.should_exit = True
            await self._serving
        await self._upstream.close()

    @contextmanager
    def open(self, task: Task, gate: Gate, toolbox: Toolbox) -> Iterator[ModelEndpoint]:
        """Give the run its endpoint inside the block."""
        key = f"{task.run}.{task.attempt}.{secrets.token_urlsafe(32)}"
        route = ModelRoute(self._upstream, self._breakers, task.tenant, task.fallback_models)
        run = self._runs[key] = _Run(task.model or self._default_model, route, gate, toolbox)
        try:
            yield ModelEndpoint(self._url, key, run.model)
        finally:
            del self._runs[key]
            for call in run.calls:
                call.cancel()

    def run_of(self, request: Request) -> _Run | None:
        """Return the run whose key the request carries."""
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        return self._runs.get(key) if scheme.lower() == "bearer" else None

    def call(self, run: _Run, request: dict[str, Any]) -> ModelCall:
        """Return a model call for the run."""
        return ModelCall(run.route, run.gate, run.toolbox, run.conversation, self._prices, request)

    async def _models(self, request: Request) -> Response:
        run = self.run_of(request)
        if run is None:
            return _refusal(401, "this key is of no run")
        return JSONResponse({"object": "list", "data": [{"id": run.model, "object": "model", "owned_by": "agentmesh"}]})


class _Server(uvicorn.Server):
    """Leaves the process's signals to the process."""

    def capture_signals(self) -> AbstractContextManager[None]:  # type: ignore[override]
        return nullcontext()


class _Completions:
    """`POST /v1/chat/completions`, as plain ASGI: the fewest steps between the endpoint's bytes and the framework's."""

    def __init__(self, gateway: ModelGateway) -> None:
        self._gateway = gateway

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        run = self._gateway.run_of(request)
        if run is None:
            await _refusal(401, "this key is of no run")(scope, receive, send)
            return
        wanted = await _read(request)
        if wanted is None:
            await _refusal(400, "the body must be one JSON object with messages, for one choice")(scope, receive, send)
            return
        task = asyncio.current_task()
        assert task is not None
        run.calls.add(task)
        watcher = asyncio.create_task(_cancel_when_gone(receive, task), name="model caller")
        try:
            await self._answer(self._gateway.call(run, wanted), bool(wanted.get("stream")), scope, receive, send)
        finally:
            run.calls.discard(task)
            watcher.cancel()

    async def _answer(self, call: ModelCall, streams: bool, scope: Scope, receive: Receive, send: Send) -> None:
        if not streams:
            try:
                answer = await call.run(None)
            except MeshError as error:
                # The run ends by this error anyway; the framework only needs to stop.
                await _refusal(502, error.reason)(scope, receive, send)
                return
            await JSONResponse(answer)(scope, receive, send)
            return
        started = False

        async def forward(piece: bytes) -> None:
            nonlocal started
            if not started:
                started = True
                await send(_start(200, b"text/event-stream"))
            await send({"type": "http.response.body", "body": piece, "more_body": True})

        try:
            await call.run(forward)
        except MeshError as error:
            if not started:
                await _refusal(502, error.reason)(scope, receive, send)
                return
            raise  # cuts the connection: a stream that just ended would look like an answer
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _cancel_when_gone(receive: Receive, task: asyncio.Task[Any]) -> None:
    """Cancel the call when its framework has closed the connection."""
    while (await receive())["type"] != "http.disconnect":
        pass
    task.cancel()


async def _read(request: Request) -> dict[str, Any] | None:
    body = bytearray()
    with suppress(ClientDisconnect):
        async for piece in request.stream():
            body += piece
            if len(body) > _MAX_REQUEST_BYTES:
                return None
    try:
        wanted = json.loads(bytes(body))
    except (ValueError, RecursionError):
        return None
    is_one = isinstance(wanted, dict) and isinstance(wanted.get("messages"), list) and wanted.get("n") in {None, 1}
    return wanted if is_one else None


def _start(status: int, content_type: bytes) -> Message:
    return {"type": "http.response.start", "status": status, "headers": [(b"content-type", content_type)]}


def _refusal(status: int, message: str) -> Response:
    kind = "authentication_error" if status == 401 else "invalid_request_error" if status == 400 else "server_error"
    return JSONResponse({"error": {"message": message, "type": kind, "code": None}}, status_code=status)
