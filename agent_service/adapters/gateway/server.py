"""The loopback endpoint: an OpenAI-compatible server that only the frameworks of this process can use.

Owns the keys and the calls in flight of each run. A key is made for one attempt at one run and dies with it; leaving
the run cancels its calls, which closes the sockets to the model before anything else happens.
"""

import asyncio
import json
import secrets
import socket
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
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
from agent_service.domain.runtime import ModelEndpoint, Speaker, Speakers
from agent_service.domain.task import Task
from agent_service.domain.toolbox import Toolbox
from meshkit.errors import MeshError

__all__ = ["ModelGateway"]

# A conversation of the longest history and all its recalled memory, escaped as JSON, is some MiB.
_MAX_REQUEST_BYTES = 32 * 1024 * 1024

_TRACE = TraceContextTextMapPropagator()

# Longer than frameworks keep an idle connection: one that is closed just as it is used again would fail a run.
_KEEP_ALIVE_SECONDS = 120


@dataclass(slots=True)
class _Voice:
    """What a key opens: the model of one speaker of a run. All of them speak in one conversation with people."""

    model: str
    route: ModelRoute
    gate: Gate
    speaker: str
    toolbox: Toolbox
    conversation: Conversation
    calls: set[asyncio.Task[Any]] = field(default_factory=set)


class _Speakers:
    """`domain.runtime.Speakers` of one run."""

    def __init__(self, speakers: Mapping[str, Speaker]) -> None:
        self._speakers = speakers

    def of(self, name: str = "") -> Speaker:
        """Return what the speaker has."""
        return self._speakers[name]


class ModelGateway:
    """Serves models to the runs of this process."""

    def __init__(self, upstream: Upstream, default_model: str, breakers: Breakers, prices: Prices) -> None:
        self._upstream, self._default_model, self._breakers, self._prices = upstream, default_model, breakers, prices
        self._voices: dict[str, _Voice] = {}
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
        return sum(len(voice.calls) for voice in self._voices.values())

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
    def open(self, task: Task, gate: Gate, toolboxes: Mapping[str, Toolbox]) -> Iterator[Speakers]:
        """Give each speaker of the run its endpoint inside the block."""
        trace: dict[str, str] = {}
        _TRACE.inject(trace)  # of the call that runs the agent: its frameworks know nothing of it
        route = ModelRoute(self._upstream, self._breakers, task.tenant, task.fallback_models, trace)
        conversation = Conversation()
        own_models = {member.name: member.model for member in task.team.members} if task.team else {}
        voices: dict[str, _Voice] = {}
        speakers: dict[str, Speaker] = {}
        for name, toolbox in toolboxes.items():
            key = f"{task.run}.{task.attempt}.{secrets.token_urlsafe(32)}"
            model = own_models.get(name) or task.model or self._default_model
            voices[key] = _Voice(model, route, gate, name, toolbox, conversation)
            speakers[name] = Speaker(ModelEndpoint(self._url, key, model), toolbox)
        self._voices |= voices
        try:
            yield _Speakers(speakers)
        finally:
            for key, voice in voices.items():
                del self._voices[key]
                for call in voice.calls:
                    call.cancel()

    async def ask(self, endpoint: ModelEndpoint, request: Mapping[str, Any]) -> str:
        """Ask a speaker's model outside of any framework, and return what it said."""
        answer = await self.call(self._voices[endpoint.key], {**request, "model": endpoint.model}).run(None)
        return str(answer["choices"][0]["message"]["content"] or "")

    def voice_of(self, request: Request) -> _Voice | None:
        """Return whose key the request carries."""
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        return self._voices.get(key) if scheme.lower() == "bearer" else None

    def call(self, voice: _Voice, request: dict[str, Any]) -> ModelCall:
        """Return a model call of the speaker."""
        return ModelCall(
            voice.route, voice.gate, voice.speaker, voice.toolbox, voice.conversation, self._prices, request
        )

    async def _models(self, request: Request) -> Response:
        voice = self.voice_of(request)
        if voice is None:
            return _refusal(401, "this key is of no run")
        model = {"id": voice.model, "object": "model", "owned_by": "agentmesh"}
        return JSONResponse({"object": "list", "data": [model]})


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
        voice = self._gateway.voice_of(request)
        if voice is None:
            await _refusal(401, "this key is of no run")(scope, receive, send)
            return
        wanted = await _read(request)
        if wanted is None:
            await _refusal(400, "the body must be one JSON object with messages, for one choice")(scope, receive, send)
            return
        task = asyncio.current_task()
        assert task is not None
        voice.calls.add(task)
        watcher = asyncio.create_task(_cancel_when_gone(receive, task), name="model caller")
        try:
            await self._answer(self._gateway.call(voice, wanted), bool(wanted.get("stream")), scope, receive, send)
        finally:
            voice.calls.discard(task)
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
