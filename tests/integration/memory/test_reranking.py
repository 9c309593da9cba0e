"""A reranker behind HTTP puts what was found in order, and is not needed for an answer."""

import asyncio
import json
import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from agentmesh.memory.v1.interaction_service_pb2 import SearchInteractionsRequest
from pydantic import ValidationError

from memory_service.config import Config
from tests.integration.memory.conftest import Client, Mesh, until

KEY = "a-secret-key"


class Endpoint:
    """Judges by the length of a text, the longest best, unless told otherwise."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self.answer: Callable[[list[str]], Any] = lambda texts: {
            "results": [
                {"index": index, "relevance_score": len(text) / 1000} for index, text in reversed([*enumerate(texts)])
            ]
        }
        self.status = 200


@pytest.fixture
def endpoint() -> Iterator[tuple[Endpoint, str]]:
    state = Endpoint()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            state.asked.append(body)
            state.keys.append(self.headers["authorization"])
            answer = json.dumps(state.answer(body["documents"])).encode()
            self.send_response(state.status)
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield state, f"http://127.0.0.1:{server.server_port}/v1"
    server.shutdown()
    thread.join()
    server.server_close()


async def found(client: Client) -> list[str]:
    answer = await client.turns.SearchInteractions(SearchInteractionsRequest(query="harbour", limit=3))
    assert all(0 <= match.score <= 1 for match in answer.matches)
    return [match.interaction.input for match in answer.matches]


async def test_what_was_found_is_put_in_order(mesh: Mesh, tenant: str, endpoint: tuple[Endpoint, str]) -> None:
    state, url = endpoint
    ada = await mesh.client(await mesh.serve(reranker_url=url, reranker_model="judge", reranker_key=KEY), tenant=tenant)
    texts = ["harbour", "harbour and kettle and violin", "harbour kettle"]
    for text in texts:
        await ada.say(text)
    assert await found(ada) == sorted(texts, key=len, reverse=True)
    assert state.asked[-1]["query"] == "harbour"
    assert state.asked[-1]["model"] == "judge"
    assert set(state.keys) == {f"Bearer {KEY}"}


@pytest.mark.parametrize("broken", ["an error", "no JSON of ours", "a text left out", "a judgement of nothing"])
async def test_an_answer_that_is_none_leaves_the_order(
    mesh: Mesh, tenant: str, endpoint: tuple[Endpoint, str], broken: str
) -> None:
    state, url = endpoint
    ada = await mesh.client(await mesh.serve(reranker_url=url, reranker_model="judge"), tenant=tenant)
    plain = await mesh.client(await mesh.serve(), tenant=tenant)
    for text in ("harbour", "harbour and kettle and violin", "harbour kettle"):
        await ada.say(text)
    match broken:
        case "an error":
            state.status = 500
        case "no JSON of ours":
            state.answer = lambda _: {"results": "none"}
        case "a text left out":
            state.answer = lambda texts: {"results": [{"index": 0, "relevance_score": 1.0}] * len(texts)}
        case _:
            state.answer = lambda texts: {"results": [{"index": 9, "relevance_score": 1.0}] * len(texts)}
    # The vectors come while they ask: in the end both give the same.
    await until(lambda: asyncio.gather(found(ada), found(plain)), lambda orders: orders[0] == orders[1])
    assert state.asked


async def test_an_endpoint_that_is_silent_costs_a_second(mesh: Mesh, tenant: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/v1"
        ada = await mesh.client(await mesh.serve(reranker_url=url, reranker_model="judge"), tenant=tenant)
        await ada.say("harbour")
        await ada.say("harbour kettle")
        async with asyncio.timeout(5):
            assert len(await found(ada)) == 2


def test_an_endpoint_needs_a_model(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="MESH_RERANKER_MODEL"):
        Config(**settings, reranker_url="http://127.0.0.1:1")
