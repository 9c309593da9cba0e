"""Any server that speaks OpenAI's `/embeddings`, behind the port `Embedder`.

Owns the HTTP call and the suspicion of its answer: count, order, dimension and numbers are checked before they reach
an index. Neither the key, nor a text, nor the server's words ever enter an error.
"""

import math
from collections.abc import Sequence
from typing import Any, Self

import httpx
from pydantic import SecretStr

from memory_service.adapters.embedding.batching import MAX_TEXTS
from meshkit.errors import DeadlineExceeded, InvalidArgument, ResourceExhausted, Unavailable

__all__ = ["OpenAIEmbedder"]

_BATCH = 64  # texts in one request; servers commonly take a few hundred, and slow ones should answer in time
# Characters sent of one text: models commonly read 512 to 8,191 tokens and many servers refuse more instead of cutting.
_MAX_CHARACTERS = 8_000
_REQUEST_SECONDS = 10.0
_MAX_CALLS = 32  # calls of embed() at work at once, beyond which the server would only queue them


class OpenAIEmbedder:
    """An `Embedder` over HTTP. Make it with `connect`."""

    def __init__(self, client: httpx.AsyncClient, model: str, dimension: int) -> None:
        self.model = model
        self.dimension = dimension
        self._client = client
        self._calls = 0
        self._closed = False

    @classmethod
    async def connect(
        cls, url: str, model: str, key: SecretStr | None = None, *, request_timeout: float = _REQUEST_SECONDS
    ) -> Self:
        """Ask the server for one vector to learn its dimension, and return the embedder.

        `url` is the API's base, as in `https://api.openai.com/v1`; `request_timeout` is in seconds. Raises what
        `Embedder.embed` raises of a remote model.
        """
        client = _client(url, key, request_timeout)
        try:
            (probe,) = await _request(client, model, ["dimension"])
        except BaseException:
            await client.aclose()
            raise
        return cls(client, model, len(probe))

    @classmethod
    def known(cls, url: str, model: str, dimension: int, key: SecretStr | None = None) -> Self:
        """Return the embedder of a model whose dimension is known, without asking the server."""
        return cls(_client(url, key, _REQUEST_SECONDS), model, dimension)

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """See `Embedder.embed`."""
        self._check_open()
        if len(texts) > MAX_TEXTS:
            raise InvalidArgument(f"{len(texts)} texts to embed at once; at most {MAX_TEXTS} are allowed")
        if self._calls >= _MAX_CALLS:
            raise ResourceExhausted("too many texts wait to be embedded", retry_after=1.0)
        self._calls += 1
        try:
            vectors: list[list[float]] = []
            for start in range(0, len(texts), _BATCH):
                self._check_open()  # it may have closed during the request before
                vectors += await _request(self._client, self.model, texts[start : start + _BATCH])
        finally:
            self._calls -= 1
        if any(len(vector) != self.dimension for vector in vectors):
            raise _failed(f"sent vectors of another dimension than {self.dimension}")
        return vectors

    async def close(self) -> None:
        """See `Embedder.close`; the connections close, and requests under way fail with Unavailable as well."""
        self._closed = True
        await self._client.aclose()

    def _check_open(self) -> None:
        if self._closed:
            raise Unavailable("the embedding model is shutting down", reason="DRAINING")


def _client(url: str, key: SecretStr | None, timeout: float) -> httpx.AsyncClient:
    headers = {"Authorization": f"Bearer {key.get_secret_value()}"} if key else {}
    # trust_env: the environment is read by the configuration alone.
    return httpx.AsyncClient(base_url=url, headers=headers, timeout=timeout, trust_env=False)


async def _request(client: httpx.AsyncClient, model: str, texts: Sequence[str]) -> list[list[float]]:
    # Many servers refuse an empty text; a space means as little.
    texts = [text[:_MAX_CHARACTERS].encode("utf-8", "replace").decode() or " " for text in texts]
    body = {"model": model, "input": texts, "encoding_format": "float"}
    try:
        response = await client.post("embeddings", json=body)
    except httpx.TimeoutException as error:
        raise DeadlineExceeded("the embedding endpoint did not answer in time", reason="MODEL_TIMEOUT") from error
    except httpx.HTTPError as error:
        raise Unavailable("the embedding endpoint cannot be reached", retry_after=1.0) from error
    if response.status_code != httpx.codes.OK:
        raise _failed(f"answered HTTP status {response.status_code}")
    try:
        return _vectors(response.json(), len(texts))
    except (ValueError, TypeError, KeyError, OverflowError) as error:
        raise _failed("sent something that is not one vector for each text") from error


def _vectors(answer: Any, count: int) -> list[list[float]]:
    """Return the answer's vectors in the order of the texts, at length 1. Raises what a misshapen answer leads to."""
    rows = {row["index"]: row["embedding"] for row in answer["data"]}
    if len(answer["data"]) != count or rows.keys() != set(range(count)):
        raise ValueError("the indices are not those of the texts")
    return [_unit(rows[index]) for index in range(count)]


def _unit(values: list[Any]) -> list[float]:
    vector = [float(value) for value in values]
    length = math.hypot(*vector)
    if not math.isfinite(length) or length == 0.0:
        raise ValueError("not a direction")
    return [value / length for value in vector]


def _failed(what: str) -> Unavailable:
    return Unavailable(f"the embedding endpoint {what}", reason="MODEL_FAILED", retry_after=1.0)
