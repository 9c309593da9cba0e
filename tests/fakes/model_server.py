"""A scripted OpenAI-compatible model: the one thing that tests replace, spoken to over a real socket.

It says what a test tells it to, as badly as a test wants, and remembers what came in and how each connection ended.
It runs in a thread of its own, so that one server serves the tests of many event loops.

    with ModelServer() as model:
        model.script(call("calculator", {"expression": "6*7"}), say("It is 42."), when="six times seven")
"""

import asyncio
import json
import socket
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import uvicorn
from starlette.types import Receive, Scope, Send

__all__ = ["Cut", "Exchange", "ModelServer", "Reply", "Wait", "call", "fail", "raw", "say", "stall_after"]

FOREVER = 3600.0
Arguments = Mapping[str, Any] | str


@dataclass(frozen=True, slots=True)
class Wait:
    """A pause of so many seconds."""

    seconds: float


class Cut:
    """The connection breaks here."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What the model sends: pieces of the body, pauses and a cut, in order."""

    steps: Sequence[bytes | Wait | Cut]
    status: int = 200
    content_type: str = "text/event-stream"
    headers: Mapping[str, str] = field(default_factory=dict)
    document: Mapping[str, Any] | None = None
    """What it sends when it is asked for no stream."""


@dataclass(slots=True)
class Exchange:
    """A request, and how its answer went."""

    headers: dict[str, str]
    body: dict[str, Any]
    began: float = field(default_factory=time.monotonic)
    sent: list[float] = field(default_factory=list)
    """When each piece was sent (`time.monotonic`)."""
    dropped: float | None = None
    """When the client closed the connection before the end."""
    done: bool = False
    """True when everything was sent, or the connection ended."""

    @property
    def messages(self) -> list[dict[str, Any]]:
        return list(self.body["messages"])


def say(
    *words: str,
    delay: float = 0.0,
    thought: str = "",
    finish: str = "stop",
    usage: Mapping[str, int] | None = None,
    piece_bytes: int | None = None,
    model: str = "scripted-1",
) -> Reply:
    """Say the words, one a chunk, `delay` seconds apart; `piece_bytes` cuts the whole stream into pieces that long.

    `model` is the name under which it answers.
    """
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
    if thought:
        deltas.append({"reasoning_content": thought})
    deltas += [{"content": word} for word in words]
    used = dict(usage or {"prompt_tokens": 10, "completion_tokens": len(words)})
    message = {"role": "assistant", "content": "".join(words)}
    return _reply(deltas, finish, used, message, delay, piece_bytes, model)


def call(
    name: str,
    arguments: Arguments,
    *more: tuple[str, Arguments],
    text: str = "",
    ids: str = "call",
    model: str = "scripted-1",
) -> Reply:
    """Call tools: the first one, and `more`; arguments come in fragments of five characters, the calls interleaved."""
    calls = [(name, arguments), *more]
    texts = [each if isinstance(each, str) else json.dumps(each) for _, each in calls]
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": text or None}]
    deltas += [
        _fragment(index, {"id": f"{ids}-{index + 1}", "type": "function"}, {"name": tool, "arguments": ""})
        for index, (tool, _) in enumerate(calls)
    ]
    for start in range(0, max(map(len, texts)), 5):
        deltas += [
            _fragment(index, {}, {"arguments": each[start : start + 5]})
            for index, each in enumerate(texts)
            if each[start : start + 5]
        ]
    whole = [
        {"id": f"{ids}-{index + 1}", "type": "function", "function": {"name": tool, "arguments": texts[index]}}
        for index, (tool, _) in enumerate(calls)
    ]
    message = {"role": "assistant", "content": text or None, "tool_calls": whole}
    return _reply(deltas, "tool_calls", {"prompt_tokens": 20, "completion_tokens": 5}, message, 0.0, None, model)


def fail(status: int, *, retry_after: str | None = None, text: str = "no", code: str | None = None) -> Reply:
    """Answer with an error."""
    headers = {} if retry_after is None else {"retry-after": retry_after}
    body = json.dumps({"error": {"message": text, "code": code}}).encode()
    return Reply([body], status, "application/json", headers)


def stall_after(*words: str) -> Reply:
    """Say the words and then nothing more, with the connection open."""
    return raw(*(step for step in say(*words).steps[: len(words) + 1]), Wait(FOREVER))


def raw(*steps: bytes | Wait | Cut, content_type: str = "text/event-stream") -> Reply:
    """Send exactly this."""
    return Reply(steps, content_type=content_type)


def chunk(delta: Mapping[str, Any], finish: str | None = None, **more: Any) -> bytes:
    """Return one event of a stream."""
    data = {
        "id": "c-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "scripted-1",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
        **more,
    }
    return b"data: " + json.dumps(data, ensure_ascii=False).encode() + b"\n\n"


def _fragment(index: int, call: Mapping[str, Any], function: Mapping[str, Any]) -> dict[str, Any]:
    return {"tool_calls": [{"index": index, **call, "function": dict(function)}]}


def _reply(
    deltas: list[dict[str, Any]],
    finish: str,
    usage: dict[str, int],
    message: dict[str, Any],
    delay: float,
    piece_bytes: int | None,
    model: str,
) -> Reply:
    events = [chunk(delta, model=model) for delta in deltas]
    events += [chunk({}, finish, model=model), chunk({}, choices=[], usage=usage, model=model), b"data: [DONE]\n\n"]
    if piece_bytes:
        stream = b"".join(events)
        events = [stream[start : start + piece_bytes] for start in range(0, len(stream), piece_bytes)]
    steps: list[bytes | Wait | Cut] = []
    for event in events:
        steps += [Wait(delay), event] if delay and steps else [event]
    document = {
        "id": "c-1",
        "object": "chat.completion",
        "created": 1,
        "model": model,
        "choices": [{"index": 0, "message": message, "finish_reason": finish}],
        "usage": usage,
    }
    return Reply(steps, document=document)


class ModelServer:
    """Serves scripts."""

    def __init__(self) -> None:
        self.exchanges: list[Exchange] = []
        self.fallback = say("Yes.")
        self._scripts: dict[str, deque[Reply]] = {}
        # With its protocol named, asyncio sets TCP_NODELAY, as it would on a socket of its own.
        self._listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen(512)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/v1"
        config = uvicorn.Config(
            self._serve,
            interface="asgi3",
            lifespan="off",
            ws="none",
            log_config=None,
            log_level="critical",
            timeout_graceful_shutdown=1,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._run, name="model server", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.should_exit = True
        self._thread.join(10)
        assert not self._thread.is_alive()

    def script(self, *replies: Reply, when: str = "") -> None:
        """Give these replies, in order, to requests in which a user's message holds `when`."""
        self._scripts[when] = deque(replies)

    def about(self, words: str) -> list[Exchange]:
        """Return the exchanges in which a user's message holds these words."""
        return [each for each in self.exchanges if words in _asked(each.body)]

    def open_calls(self) -> int:
        """Return how many answers are still being given."""
        return sum(not each.done for each in self.exchanges)

    def _run(self) -> None:
        asyncio.run(self._server.serve(sockets=[self._listener]))

    def _reply_to(self, body: Mapping[str, Any]) -> Reply:
        asked = _asked(body)
        for when, replies in self._scripts.items():
            if when in asked and replies:
                return replies.popleft()
        return self.fallback

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = {key.decode(): value.decode() for key, value in scope["headers"]}
        body = bytearray()
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        exchange = Exchange(headers, json.loads(body))
        self.exchanges.append(exchange)
        answer = asyncio.create_task(self._answer(exchange, send))
        gone = asyncio.create_task(_until_gone(receive))
        try:
            await asyncio.wait([answer, gone], return_when=asyncio.FIRST_COMPLETED)
            if not answer.done():
                exchange.dropped = time.monotonic()
                answer.cancel()
            else:
                answer.result()  # a cut leaves as an exception, at which uvicorn breaks the connection
        finally:
            gone.cancel()
            exchange.done = True

    async def _answer(self, exchange: Exchange, send: Send) -> None:
        reply = self._reply_to(exchange.body)
        steps, content_type = reply.steps, reply.content_type
        if not exchange.body.get("stream") and reply.document is not None:
            steps, content_type = [json.dumps(reply.document).encode()], "application/json"
        headers = {"content-type": content_type, **reply.headers}
        encoded = [(key.encode(), value.encode()) for key, value in headers.items()]
        await send({"type": "http.response.start", "status": reply.status, "headers": encoded})
        for step in steps:
            if isinstance(step, Cut):
                raise ConnectionAbortedError
            if isinstance(step, Wait):
                await asyncio.sleep(step.seconds)
                continue
            await send({"type": "http.response.body", "body": step, "more_body": True})
            exchange.sent.append(time.monotonic())
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def _asked(body: Mapping[str, Any]) -> str:
    return "\n".join(_texts(body))


def _texts(body: Mapping[str, Any]) -> Iterator[str]:
    for message in body.get("messages", ()):
        if message.get("role") == "user" and isinstance(message.get("content"), str):
            yield message["content"]


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
