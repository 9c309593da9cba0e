"""The offline model as a server: an OpenAI-compatible endpoint on loopback that needs no network and no weights.

    python -m meshctl.embedded.model --port 0 --key-file KEY [--port-file PORT] [--delay-ms 20]

Owns HTTP: paths, the bearer key, streaming, errors. What is answered is decided in `rules.py`. Every wrong request gets
a 4xx status with OpenAI's error object. A client that goes away ends its answer at once.
"""

import argparse
import asyncio
import hmac
import json
import logging
import socket
import time
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from meshctl.embedded.completions import Answer, RequestError, parse
from meshctl.embedded.kept import write_private
from meshctl.embedded.rules import MODEL_ID, respond

__all__ = ["build_app"]

_log = logging.getLogger("meshctl.embedded.model")

_MOST_BYTES = 4 * 1024 * 1024  # as much as one message between our services
_MOST_CONNECTIONS = 1024  # more are answered with 503: each holds an answer in memory


def build_app(key: str, *, delay: float = 0.0) -> Starlette:
    """Make the application. `key` is the bearer key all requests need; `delay` the seconds before each piece."""

    async def models(request: Request) -> Response:
        _authenticate(request, key)
        return JSONResponse({"object": "list", "data": [{"id": MODEL_ID, "object": "model", "owned_by": "agentmesh"}]})

    async def complete(request: Request) -> Response:
        _authenticate(request, key)
        chat = parse(await _body(request))
        content = respond(chat.conversation, chat.offered, must_call=chat.must_call)
        answer = Answer(chat, content, f"chatcmpl-{uuid4().hex}", f"call_{uuid4().hex}", int(time.time()))
        if chat.stream:
            return StreamingResponse(_stream(answer, delay), media_type="text/event-stream")
        return StreamingResponse(_whole(answer, delay), media_type="application/json")

    return Starlette(
        routes=[Route("/v1/models", models), Route("/v1/chat/completions", complete, methods=["POST"])],
        exception_handlers={RequestError: _refused, HTTPException: _no_such_path},
    )


async def _stream(answer: Answer, delay: float) -> AsyncIterator[bytes]:
    sent, ended = 0, "cut"
    try:
        for chunk in answer.chunks():
            await asyncio.sleep(delay)  # also at 0: other streams get their turn
            yield f"data: {json.dumps(chunk, ensure_ascii=False)}\n\n".encode()
            sent += 1
        yield b"data: [DONE]\n\n"
        ended = "complete"
    finally:
        _log.info("action=stream id=%s chunks=%d ended=%s", answer.id, sent, ended)


async def _whole(answer: Answer, delay: float) -> AsyncIterator[bytes]:
    """Yield the answer in one piece; as a stream too, because only that ends when the client goes away."""
    await asyncio.sleep(delay * len(answer.pieces))
    yield json.dumps(answer.whole()).encode()


async def _body(request: Request) -> bytes:
    body = bytearray()
    try:
        async for part in request.stream():
            body += part
            if len(body) > _MOST_BYTES:
                raise RequestError(413, "request_too_large", f"the request is larger than {_MOST_BYTES} bytes")
    except ClientDisconnect:
        raise RequestError(400, "incomplete_body", "the body ended too early") from None
    return bytes(body)


def _authenticate(request: Request, key: str) -> None:
    given = request.headers.get("authorization", "").encode()
    if not hmac.compare_digest(given, f"Bearer {key}".encode()):
        raise RequestError(401, "invalid_api_key", "the bearer key is missing or wrong")


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestError)
    return JSONResponse(error.body, error.status)


async def _no_such_path(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    refusal = RequestError(error.status_code, "unknown_url", f"{request.method} {request.url.path}: {error.detail}")
    return JSONResponse(refusal.body, error.status_code, error.headers)


def main() -> None:
    """Serve until SIGTERM."""
    arguments = argparse.ArgumentParser(prog="meshctl.embedded.model", description="The offline model of the mesh.")
    arguments.add_argument("--port", type=int, default=0, help="port on 127.0.0.1; 0 takes a free one")
    arguments.add_argument("--key-file", type=Path, required=True, help="file with the bearer key")
    arguments.add_argument("--port-file", type=Path, help="file to write the port to, once it is open")
    arguments.add_argument("--delay-ms", type=float, default=0.0, help="pause before each piece of an answer")
    given = arguments.parse_args()
    key = given.key_file.read_text().strip()
    if not key:
        arguments.error(f"{given.key_file} is empty")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    # The protocol is named, or asyncio would not send small pieces at once (it sets TCP_NODELAY for TCP alone).
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", given.port))
        listener.listen(128)  # at once: whoever reads the port below may connect
        port = listener.getsockname()[1]
        if given.port_file:
            write_private(given.port_file, f"{port}\n")
        _log.info("action=listen url=http://127.0.0.1:%d/v1 model=%s", port, MODEL_ID)
        config = uvicorn.Config(
            build_app(key, delay=given.delay_ms / 1000),
            log_level="warning",
            access_log=False,
            lifespan="off",
            limit_concurrency=_MOST_CONNECTIONS,
            timeout_graceful_shutdown=2,
        )
        uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
