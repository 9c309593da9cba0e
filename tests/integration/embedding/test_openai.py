"""The HTTP embedder against a real server on a socket: a good one, and every way to be a bad one."""

import asyncio
import math
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest
import uvicorn
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from memory_service.adapters.embedding.factory import build_embedder
from memory_service.adapters.embedding.openai import OpenAIEmbedder
from meshkit.errors import DeadlineExceeded, InvalidArgument, MeshError, ResourceExhausted, Unavailable

KEY = SecretStr("sk-very-secret")


class EmbeddingServer:
    """Gives each text the vector (length, 1, 0), unreduced and in reverse order; `answer` replaces what it says."""

    def __init__(self) -> None:
        self.url = ""
        self.requests: list[dict[str, Any]] = []
        self.answer: Response | None = None
        self.hold: asyncio.Event | None = None
        self.arrived = asyncio.Event()

    async def embeddings(self, request: Request) -> Response:
        if request.headers.get("authorization") != "Bearer sk-very-secret":
            return JSONResponse({"error": {"message": "sk-wrong is no key"}}, status_code=401)
        body = await request.json()
        self.requests.append(body)
        if self.hold:
            self.arrived.set()
            await self.hold.wait()
        if self.answer:
            return self.answer
        rows = [{"index": i, "embedding": [len(text), 1, 0]} for i, text in enumerate(body["input"])]
        return JSONResponse({"data": rows[::-1], "model": body["model"]})


@pytest.fixture
async def server() -> AsyncIterator[EmbeddingServer]:
    endpoint = EmbeddingServer()
    app = Starlette(routes=[Route("/v1/embeddings", endpoint.embeddings, methods=["POST"])])
    with socket.create_server(("127.0.0.1", 0)) as listener:
        endpoint.url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        http = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off"))
        serving = asyncio.create_task(http.serve(sockets=[listener]))
        try:
            yield endpoint
        finally:
            if endpoint.hold:
                endpoint.hold.set()
            http.should_exit = True
            await serving


@pytest.fixture
async def embedder(server: EmbeddingServer) -> AsyncIterator[OpenAIEmbedder]:
    embedder = await OpenAIEmbedder.connect(server.url, "text-model", KEY)
    server.requests.clear()
    yield embedder
    await embedder.close()


async def test_vectors_are_in_order_and_of_length_one(server: EmbeddingServer, embedder: OpenAIEmbedder) -> None:
    assert (embedder.model, embedder.dimension) == ("text-model", 3)
    vectors = await embedder.embed(["a", "four"])
    assert vectors == [pytest.approx([1 / math.sqrt(2)] * 2 + [0]), pytest.approx([4 / 17**0.5, 1 / 17**0.5, 0])]
    assert server.requests[0]["model"] == "text-model"


async def test_many_texts_travel_in_several_requests(server: EmbeddingServer, embedder: OpenAIEmbedder) -> None:
    texts = ["x" * (number + 1) for number in range(150)]
    vectors = await embedder.embed(texts)
    assert [round(vector[0] / vector[1]) for vector in vectors] == [len(text) for text in texts]
    assert [len(request["input"]) for request in server.requests] == [64, 64, 22]
    assert await embedder.embed([]) == []
    with pytest.raises(InvalidArgument):
        await embedder.embed(["x"] * 1025)


async def test_empty_broken_and_long_texts_are_made_acceptable(
    server: EmbeddingServer, embedder: OpenAIEmbedder
) -> None:
    await embedder.embed(["", "\ud800", "é" * 100_000])
    assert [len(text) for text in server.requests[0]["input"]] == [1, 1, 8000]


def rows(*embeddings: object) -> Response:
    data = [{"index": index, "embedding": embedding} for index, embedding in enumerate(embeddings)]
    return JSONResponse({"data": data})


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(JSONResponse({"error": "sk-very-secret and the text"}, status_code=400), id="refused"),
        pytest.param(JSONResponse({}, status_code=500), id="server error"),
        pytest.param(Response(status_code=302, headers={"location": "http://127.0.0.1:1/"}), id="redirect"),
        pytest.param(Response("<html>"), id="not JSON"),
        pytest.param(Response(b'"\xff"'), id="not UTF-8"),
        pytest.param(JSONResponse([]), id="not an object"),
        pytest.param(JSONResponse({"data": [7]}), id="no rows"),
        pytest.param(rows(), id="too few"),
        pytest.param(rows([1, 0, 0], [1, 0, 0]), id="too many"),
        pytest.param(JSONResponse({"data": [{"index": 5, "embedding": [1, 0, 0]}]}), id="foreign index"),
        pytest.param(rows([1, 0]), id="wrong dimension"),
        pytest.param(rows([]), id="no numbers"),
        pytest.param(rows([0, 0, 0]), id="no direction"),
        pytest.param(rows("abc"), id="text"),
        pytest.param(rows([1, None, 0]), id="null"),
        pytest.param(Response('{"data": [{"index": 0, "embedding": [NaN, 1, 0]}]}'), id="not a number"),
        pytest.param(Response('{"data": [{"index": 0, "embedding": [1e999, 1, 0]}]}'), id="infinite"),
        pytest.param(Response('{"data": [{"index": 0, "embedding": [1' + "0" * 400 + ", 1, 0]}]}"), id="huge"),
    ],
)
async def test_a_bad_answer_is_a_failed_model(
    server: EmbeddingServer, embedder: OpenAIEmbedder, answer: Response
) -> None:
    server.answer = answer
    with pytest.raises(Unavailable) as failed:
        await embedder.embed(["the text"])
    assert failed.value.reason == "MODEL_FAILED"
    assert "secret" not in str(failed.value)
    server.answer = None
    assert len(await embedder.embed(["the text"])) == 1


async def test_a_wrong_key_fails_at_the_start_without_showing_it(server: EmbeddingServer) -> None:
    with pytest.raises(Unavailable, match="401") as failed:
        await OpenAIEmbedder.connect(server.url, "text-model", SecretStr("sk-wrong"))
    assert "sk-wrong" not in repr(failed.value)


async def test_a_silent_server_is_a_timeout(server: EmbeddingServer) -> None:
    server.hold = asyncio.Event()
    with pytest.raises(DeadlineExceeded) as late:
        await OpenAIEmbedder.connect(server.url, "text-model", KEY, request_timeout=0.05)
    assert late.value.reason == "MODEL_TIMEOUT"


async def test_no_server_is_unavailable() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # bound and not listening: nobody else can take the port
        with pytest.raises(Unavailable) as failed:
            await OpenAIEmbedder.connect(f"http://127.0.0.1:{unused.getsockname()[1]}/v1", "text-model")
    assert failed.value.reason == "DEPENDENCY_UNAVAILABLE"


async def test_a_slow_server_does_not_gather_calls_without_end(
    server: EmbeddingServer, embedder: OpenAIEmbedder
) -> None:
    server.hold = asyncio.Event()
    calls = [asyncio.create_task(embedder.embed(["x"])) for _ in range(33)]
    done, _ = await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED, timeout=30)
    (refused,) = done
    assert isinstance(refused.exception(), ResourceExhausted)
    next(task for task in calls if not task.done()).cancel()
    server.hold.set()
    results = await asyncio.gather(*calls, return_exceptions=True)
    assert sum(isinstance(result, list) for result in results) == 31
    assert len(await embedder.embed(["x"])) == 1


async def test_the_factory_prefers_the_endpoint(server: EmbeddingServer) -> None:
    embedder = await build_embedder(None, url=server.url, model="text-model", key=KEY)
    assert (embedder.model, embedder.dimension) == ("text-model", 3)
    await embedder.close()
    with pytest.raises(MeshError) as closed:
        await embedder.embed(["x"])
    assert closed.value.reason == "DRAINING"
    with pytest.raises(ValueError, match="name of its model"):
        await build_embedder(None, url=server.url)


async def test_closing_ends_calls_under_way(server: EmbeddingServer, embedder: OpenAIEmbedder) -> None:
    server.hold = asyncio.Event()
    call = asyncio.create_task(embedder.embed(["x"] * 200))
    await server.arrived.wait()
    await embedder.close()
    server.hold.set()
    with pytest.raises(Unavailable):
        await asyncio.wait_for(call, 30)


async def test_a_proxy_in_the_environment_is_not_used(server: EmbeddingServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    embedder = await OpenAIEmbedder.connect(server.url, "text-model", KEY)
    await embedder.close()
