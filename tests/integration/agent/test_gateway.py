"""The model gateway with a framework of a few lines: any framework is one class."""

import asyncio
import json
import time
from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio

from agent_service.adapters.gateway.server import ModelGateway
from agent_service.domain.activity import Activity
from agent_service.domain.breaker import Breakers
from agent_service.domain.events import AgentEvent, Completed, StepFinished, TokenDelta, ToolResult
from agent_service.domain.gate import Gate
from agent_service.domain.task import Limits
from agent_service.domain.toolbox import Toolbox
from meshkit.errors import Internal, ResourceExhausted, Unavailable
from tests.fakes.model_server import Cut, ModelServer, call, chunk, raw, say, stall_after
from tests.integration.agent.conftest import MODEL_KEY, until
from tests.integration.agent.plain import PlainRuntime, asked, events_of, executor_of, gateway_to
from tests.unit.agent.tasks import FreeLedger, task


@pytest_asyncio.fixture
async def gateway(model: ModelServer) -> AsyncIterator[ModelGateway]:
    async with gateway_to(model) as gateway:
        yield gateway


async def test_a_stream_is_passed_on_byte_for_byte(gateway: ModelGateway, model: ModelServer) -> None:
    reply = say("Grüß", " 世界", piece_bytes=5)
    model.script(reply, when="pass it on")
    runtime = PlainRuntime()
    events = await events_of(executor_of(runtime, gateway), "pass it on")
    assert runtime.received == b"".join(step for step in reply.steps if isinstance(step, bytes))
    assert events[-1].event == Completed("Grüß 世界", events[-1].event.usage)  # type: ignore[union-attr]


async def test_a_framework_that_does_not_stream_gets_one_document(gateway: ModelGateway, model: ModelServer) -> None:
    model.script(call("calculator", {"expression": "2*3"}, text="Well."), when="one document")
    events = await events_of(executor_of(PlainRuntime(streams=False), gateway), "one document", tools=("calculator",))
    assert [event.event for event in events if isinstance(event.event, TokenDelta)] == [TokenDelta("Well.")]
    assert ToolResult("call-1", "calculator", "6", is_error=False) in [event.event for event in events]


async def test_what_does_not_stream_is_streamed_to_a_framework_that_wants_it(
    gateway: ModelGateway, model: ModelServer
) -> None:
    document = json.dumps(say("All", " at once").document).encode()
    model.script(raw(document, content_type="application/json"), when="document to stream")
    runtime = PlainRuntime()
    events = await events_of(executor_of(runtime, gateway), "document to stream")
    assert events[-1].event.output == "All at once"  # type: ignore[union-attr]
    assert runtime.received.endswith(b"data: [DONE]\n\n")


async def test_a_key_opens_its_own_run_only_while_it_lasts(gateway: ModelGateway, model: ModelServer) -> None:
    gate = Gate(FreeLedger(), Activity(Limits(), time.monotonic), time.monotonic)
    toolbox = Toolbox([], task(), gate, Breakers(time.monotonic))
    async with httpx.AsyncClient(trust_env=False) as http:
        with gateway.open(task(run="run_7", attempt=2), gate, {"": toolbox}) as speakers:
            endpoint = speakers.of().model
            assert endpoint.key.startswith("run_7.2.")
            assert endpoint.key not in repr(endpoint)
            bearer = {"authorization": f"Bearer {endpoint.key}"}
            models = await http.get(f"{endpoint.url}/models", headers=bearer)
            assert models.json()["data"][0]["id"] == "scripted-1"
            url = f"{endpoint.url}/chat/completions"
            for headers in ({}, {"authorization": f"Bearer {endpoint.key}x"}, {"authorization": "Bearer"}):
                assert (await http.post(url, json=asked("with a wrong key"), headers=headers)).status_code == 401
            for body in (b"", b"[]", b"{", b"{}", b'{"messages": [], "n": 2}', b"[" * 100_000):
                assert (await http.post(url, content=body, headers=bearer)).status_code == 400
            answer = await http.post(url, json=asked("with the right key"), headers=bearer)
            assert answer.status_code == 200
        assert (await http.post(url, json=asked("too late"), headers=bearer)).status_code == 401
        assert (await http.get(f"{endpoint.url}/models", headers=bearer)).status_code == 401
    assert not model.about("with a wrong key")
    assert not model.about("too late")


async def test_a_framework_cannot_hide_a_failure(gateway: ModelGateway, model: ModelServer) -> None:
    model.script(raw(chunk({"content": "half"}), Cut()), when="hide it")
    events: list[AgentEvent] = []
    with pytest.raises(Unavailable) as caught:
        await events_of(executor_of(PlainRuntime(), gateway), "hide it", into=events)
    assert caught.value.reason == "MODEL_FAILED"
    assert isinstance(events[-1].event, StepFinished)
    assert len(model.about("hide it")) == 1  # it has read half an answer: nobody can take that back


async def test_a_frameworks_own_error_is_told_without_its_text(gateway: ModelGateway, model: ModelServer) -> None:
    runtime = PlainRuntime()
    runtime.breaks = LookupError(f"a secret: {MODEL_KEY}")
    with pytest.raises(Internal) as caught:
        await events_of(executor_of(runtime, gateway), "break yourself")
    assert (caught.value.reason, caught.value.message) == ("AGENT_FAILED", "the framework raised LookupError")


async def test_a_framework_that_cancels_itself_has_not_been_cancelled_by_the_caller(gateway: ModelGateway) -> None:
    runtime = PlainRuntime()
    runtime.breaks = asyncio.CancelledError()
    with pytest.raises(Unavailable, match="cancelled its own work"):
        await events_of(executor_of(runtime, gateway), "give up")


async def test_a_framework_that_hangs_up_closes_the_models_socket(gateway: ModelGateway, model: ModelServer) -> None:
    model.script(stall_after("a"), when="hang up")
    gate = Gate(FreeLedger(), Activity(Limits(), time.monotonic), time.monotonic)
    toolbox = Toolbox([], task(), gate, Breakers(time.monotonic))
    with gateway.open(task(), gate, {"": toolbox}) as speakers:
        endpoint = speakers.of().model
        headers = {"authorization": f"Bearer {endpoint.key}"}
        async with httpx.AsyncClient(trust_env=False) as http:
            url = f"{endpoint.url}/chat/completions"
            async with http.stream("POST", url, json=asked("hang up", stream=True), headers=headers) as response:
                await anext(aiter(response.aiter_raw()))
                assert gateway.calls_in_flight == 1
            hung_up = time.monotonic()
        (exchange,) = model.about("hang up")
        await until(lambda: exchange.dropped is not None)
        assert exchange.dropped is not None
        assert exchange.dropped - hung_up < 0.1
        await until(lambda: gateway.calls_in_flight == 0)


async def test_runs_beyond_the_number_are_refused_and_a_left_one_makes_room(
    gateway: ModelGateway, model: ModelServer
) -> None:
    model.script(stall_after("a"), when="take the place")
    executor = executor_of(PlainRuntime(), gateway, max_runs=1)
    first = executor.execute(task(input="take the place"))
    await anext(first)
    with pytest.raises(ResourceExhausted) as caught:
        await events_of(executor, "no place")
    assert caught.value.reason == "OVERLOADED"
    await first.aclose()
    assert executor.running == 0
    assert (await events_of(executor, "a place again"))[-1].event.output == "Yes."  # type: ignore[union-attr]


async def test_many_runs_at_once_keep_apart(gateway: ModelGateway, model: ModelServer) -> None:
    executor = executor_of(PlainRuntime(), gateway, max_runs=50)
    for number in range(50):
        model.script(say(*f"the number {number}".split(" "), delay=0.01), when=f"({number})")
    runs = await asyncio.gather(*(events_of(executor, f"({number})", run=f"run_{number}") for number in range(50)))
    for number, events in enumerate(runs):
        assert events[-1].event.output == f"thenumber{number}"  # type: ignore[union-attr]
