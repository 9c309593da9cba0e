"""A blocking model behind an event loop: one thread works, requests take turns, the queue is bounded.

Owns the queue and its fairness. It knows no model: it gets a function. The event loop is never blocked, and only the
loop touches the queue, so there is no lock.

    run() -> waiting requests -> a batch with a share of each -> thread: encode(batch) -> futures
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from meshkit.errors import Internal, InvalidArgument, ResourceExhausted, Unavailable

__all__ = ["MAX_TEXTS", "Batching", "BatchingEmbedder"]

Out = TypeVar("Out")

# Texts that may wait, and that one call may bring: some seconds of work on two processors. Who comes later is told to
# come again, because a longer wait would outlive most deadlines.
MAX_TEXTS = 1024
# Texts in one batch: what a newcomer waits for at most before its own turn.
_BATCH = 8
# Texts that one request may put into a batch while others wait: a query passes a long list of documents.
_SHARE = 4
_RETRY_AFTER = 1.0  # seconds


@dataclass(eq=False, slots=True)
class _Request(Generic[Out]):
    texts: Sequence[str]
    answer: asyncio.Future[list[Out]]
    taken: int = 0
    done: list[Out] = field(default_factory=list)


class Batching(Generic[Out]):
    """A blocking function of texts, one result for each. Made and used within one event loop."""

    def __init__(self, encode: Callable[[Sequence[str]], list[Out]], *, max_texts: int = MAX_TEXTS) -> None:
        """Wrap `encode`, which is only ever called by one thread; at most `max_texts` texts wait."""
        self._encode = encode
        self._max_texts = max_texts
        self._pending = 0  # texts of all requests that have no answer yet, bounded by max_texts
        self._waiting: deque[_Request[Out]] = deque()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="embedding")
        self._worker: asyncio.Task[None] | None = None
        self._closed = False

    async def run(self, texts: Sequence[str]) -> list[Out]:
        """Return the function's result for each text. Raises what `Embedder.embed` raises."""
        if self._closed:
            raise _draining()
        if len(texts) > self._max_texts:
            raise InvalidArgument(f"{len(texts)} texts to embed at once; at most {self._max_texts} are allowed")
        if self._pending + len(texts) > self._max_texts:
            raise ResourceExhausted("too many texts wait to be embedded", retry_after=_RETRY_AFTER)
        if not texts:
            return []
        request = _Request(texts, asyncio.get_running_loop().create_future())
        self._waiting.append(request)
        self._pending += len(texts)
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._work())
        try:
            return await request.answer
        finally:
            self._pending -= len(texts)

    async def close(self) -> None:
        """See `Embedder.close`."""
        self._closed = True
        for request in self._waiting:
            _fail(request, _draining())
        if self._worker is not None:
            await self._worker
        self._thread.shutdown()

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        while batch := self._next_batch():
            texts = [text for _, text in batch]
            try:
                results = await loop.run_in_executor(self._thread, self._encode, texts)
            except Exception as error:  # noqa: BLE001 - whatever it is, those who wait must learn of it
                for request, _ in batch:
                    _fail(request, Internal("the embedding model failed"), cause=error)
                continue
            for (request, _), result in zip(batch, results, strict=True):
                request.done.append(result)
                if len(request.done) == len(request.texts) and not request.answer.done():
                    request.answer.set_result(request.done)

    def _next_batch(self) -> list[tuple[_Request[Out], str]]:
        batch: list[tuple[_Request[Out], str]] = []
        while self._waiting and len(batch) < _BATCH:
            request = self._waiting.popleft()
            if request.answer.done():  # cancelled, or failed with an earlier batch
                continue
            share = request.texts[request.taken : request.taken + min(_SHARE, _BATCH - len(batch))]
            request.taken += len(share)
            batch.extend((request, text) for text in share)
            if request.taken < len(request.texts):
                self._waiting.append(request)
        return batch


class BatchingEmbedder:
    """An `Embedder` over a blocking function."""

    def __init__(
        self,
        model: str,
        dimension: int,
        encode: Callable[[Sequence[str]], list[list[float]]],
        *,
        max_texts: int = MAX_TEXTS,
    ) -> None:
        """Wrap `encode` as `Batching` does."""
        self.model, self.dimension = model, dimension
        self._batches = Batching(encode, max_texts=max_texts)

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """See `Embedder.embed`."""
        return await self._batches.run(texts)

    async def close(self) -> None:
        """See `Embedder.close`."""
        await self._batches.close()


def _draining() -> Unavailable:
    return Unavailable("the embedding model is shutting down", reason="DRAINING")


def _fail(request: _Request[Any], error: Exception, *, cause: Exception | None = None) -> None:
    if not request.answer.done():
        error.__cause__ = cause
        request.answer.set_exception(error)
