"""The queue before a blocking model: order, turns, bound, cancellation, failure, closing."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator, Sequence

import pytest

from memory_service.adapters.embedding.batching import BatchingEmbedder
from meshkit.errors import Internal, InvalidArgument, ResourceExhausted, Unavailable


class GatedModel:
    """Encodes a text as its number, one batch for each `gate.release()`; remembers the batches."""

    def __init__(self) -> None:
        self.gate = threading.Semaphore(0)
        self.started = threading.Semaphore(0)
        self.batches: list[list[str]] = []

    def encode(self, texts: Sequence[str]) -> list[list[float]]:
        self.batches.append(list(texts))
        self.started.release()
        assert self.gate.acquire(timeout=30)
        if "bad" in texts:
            raise RuntimeError("secret detail of the model")
        return [[float(text)] for text in texts]

    async def wait_started(self) -> None:
        assert await asyncio.to_thread(self.started.acquire, timeout=30)

    def open(self) -> None:
        self.gate.release(1000)


@pytest.fixture
def model() -> Iterator[GatedModel]:
    model = GatedModel()
    yield model
    model.open()


@pytest.fixture
async def embedder(model: GatedModel) -> AsyncIterator[BatchingEmbedder]:
    embedder = BatchingEmbedder("gated", 1, model.encode, max_texts=40)
    yield embedder
    model.open()
    await embedder.close()


def numbers(first: int, count: int) -> list[str]:
    return [str(number) for number in range(first, first + count)]


async def begin(embedder: BatchingEmbedder, texts: list[str]) -> asyncio.Task[list[list[float]]]:
    task = asyncio.create_task(embedder.embed(texts))
    await asyncio.sleep(0)  # lets the task reach the queue; not a wait for time to pass
    return task


async def test_every_caller_gets_its_own_vectors_in_order(model: GatedModel, embedder: BatchingEmbedder) -> None:
    model.open()
    answers = await asyncio.gather(*(embedder.embed(numbers(start, 7)) for start in (0, 100, 200, 300)))
    assert answers == [[[float(start + i)] for i in range(7)] for start in (0, 100, 200, 300)]
    assert await embedder.embed([]) == []


async def test_requests_that_wait_share_one_batch(model: GatedModel, embedder: BatchingEmbedder) -> None:
    first = await begin(embedder, ["0"])
    await model.wait_started()
    others = [await begin(embedder, [str(number)]) for number in range(1, 9)]
    model.open()
    await asyncio.gather(first, *others)
    assert model.batches == [["0"], numbers(1, 8)]


async def test_a_query_does_not_wait_for_a_long_list(model: GatedModel, embedder: BatchingEmbedder) -> None:
    documents = await begin(embedder, numbers(0, 39))
    await model.wait_started()
    query = await begin(embedder, ["1000"])
    model.gate.release(2)
    assert await asyncio.wait_for(query, 30) == [[1000.0]]
    assert not documents.done()
    model.open()
    assert await documents == [[float(number)] for number in range(39)]


async def test_a_full_queue_refuses_at_once_and_recovers(model: GatedModel, embedder: BatchingEmbedder) -> None:
    waiting = await begin(embedder, numbers(0, 40))
    with pytest.raises(ResourceExhausted) as refused:
        await embedder.embed(["40"])
    assert refused.value.reason == "OVERLOADED"
    assert refused.value.retry_after
    model.open()
    assert len(await waiting) == 40
    assert len(await embedder.embed(numbers(0, 40))) == 40


async def test_more_texts_than_ever_fit_are_a_wrong_argument(embedder: BatchingEmbedder) -> None:
    with pytest.raises(InvalidArgument):
        await embedder.embed(numbers(0, 41))


async def test_a_cancelled_caller_frees_its_place_and_delays_nobody(
    model: GatedModel, embedder: BatchingEmbedder
) -> None:
    running = await begin(embedder, numbers(0, 4))
    await model.wait_started()
    waiting = await begin(embedder, numbers(100, 36))
    for task in (running, waiting):
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    last = await begin(embedder, numbers(0, 40))
    model.open()
    assert len(await asyncio.wait_for(last, 30)) == 40
    assert not any(text in batch for batch in model.batches for text in numbers(100, 36))


async def test_a_deadline_ends_the_wait(model: GatedModel, embedder: BatchingEmbedder) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await embedder.embed(["1"])
    model.open()
    assert await embedder.embed(["2"]) == [[2.0]]


async def test_a_failing_model_fails_those_in_the_batch_and_lives_on(
    model: GatedModel, embedder: BatchingEmbedder
) -> None:
    model.open()
    with pytest.raises(Internal) as failed:
        await embedder.embed(["bad", *numbers(0, 30)])
    assert "secret" not in failed.value.message
    assert isinstance(failed.value.__cause__, RuntimeError)
    assert await embedder.embed(["3"]) == [[3.0]]


async def test_closing_finishes_what_runs_and_refuses_what_waits(model: GatedModel) -> None:
    embedder = BatchingEmbedder("gated", 1, model.encode)
    running = await begin(embedder, ["1"])
    await model.wait_started()
    waiting = await begin(embedder, ["2"])
    closing = asyncio.create_task(embedder.close())
    with pytest.raises(Unavailable) as drained:
        await waiting
    assert drained.value.reason == "DRAINING"
    model.open()
    await closing
    assert await running == [[1.0]]
    with pytest.raises(Unavailable):
        await embedder.embed(["3"])


async def test_the_event_loop_runs_while_the_model_works(model: GatedModel, embedder: BatchingEmbedder) -> None:
    task = await begin(embedder, ["1"])
    await model.wait_started()  # the model blocks its thread, and we are still here
    assert not task.done()
    model.open()
    assert await task == [[1.0]]
