"""An embedding endpoint of the outside world: any number of models, each a hash of words in a dimension of its own.

A model's name ends in its dimension, as in `words-48`. `hold` keeps answers back, `gone` are models it no longer has.
"""

import asyncio
import hashlib
import math
import socket
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

__all__ = ["EmbeddingServer", "embedding_server"]


class EmbeddingServer:
    """What it was asked, and how it is to behave."""

    def __init__(self) -> None:
        self.url = ""
        self.texts: Counter[str] = Counter()
        """How many texts each model was given."""
        self.hold: asyncio.Event | None = None
        self.gone: set[str] = set()

    async def embeddings(self, request: Request) -> Response:
        body = await request.json()
        model, texts = body["model"], body["input"]
        if model in self.gone:
            return JSONResponse({"error": {"message": "no such model"}}, status_code=404)
        self.texts[model] += len(texts)
        if self.hold is not None and texts != ["dimension"]:
            await self.hold.wait()
        dimension = int(model.rpartition("-")[2])
        rows = [{"index": number, "embedding": _vector(text, dimension)} for number, text in enumerate(texts)]
        return JSONResponse({"data": rows, "model": model})


def _vector(text: str, dimension: int) -> list[float]:
    vector = [0.0] * dimension
    for word in text.lower().split():
        vector[int.from_bytes(hashlib.sha256(word.encode()).digest()[:4], "big") % dimension] += 1.0
    length = math.hypot(*vector)
    return [number / length for number in vector] if length else [1.0, *vector[1:]]


@asynccontextmanager
async def embedding_server() -> AsyncIterator[EmbeddingServer]:
    """Serve on a free port until the block is left."""
    endpoint = EmbeddingServer()
    app = Starlette(routes=[Route("/v1/embeddings", endpoint.embeddings, methods=["POST"])])
    with socket.create_server(("127.0.0.1", 0)) as listener:
        endpoint.url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off", timeout_graceful_shutdown=1))
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            yield endpoint
        finally:
            if endpoint.hold:
                endpoint.hold.set()
            server.should_exit = True
            await serving
