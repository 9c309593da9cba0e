"""Circuits as a run meets them: what fails is left alone at once, probed once, and trusted again."""

import asyncio
import statistics
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from agent_service.domain.breaker import OPEN_SECONDS, Breakers, Circuit
from agent_service.domain.events import AgentEvent, StepFinished, ToolResult
from agent_service.domain.tool import ToolAnswer, ToolError, ToolRun
from meshkit.errors import InvalidArgument, MeshError, Unavailable
from meshkit.testing.clock import FrozenClock
from tests.fakes.model_server import ModelServer, call, fail, say
from tests.integration.agent.conftest import until
from tests.integration.agent.plain import PlainRuntime, events_of, executor_of, gateway_to


async def failure_of(*arguments: Any, **fields: Any) -> tuple[MeshError, float]:
    """Return how a run failed, and how many seconds its last step took."""
    events: list[AgentEvent] = []
    with pytest.raises(Unavailable) as caught:
        await events_of(*arguments, into=events, **fields)
    finished = events[-1].event
    assert isinstance(finished, StepFinished)
    return caught.value, finished.seconds


async def test_a_model_that_fails_is_left_alone_probed_once_and_trusted_again(model: ModelServer) -> None:
    clock, told = FrozenClock(), list[bool]()
    breakers = Breakers(clock, lambda _circuit, is_open: told.append(is_open))
    model.script(*[fail(500)] * 6, say("Slowly", " well", " again.", delay=0.2), when="are you well")
    async with gateway_to(model, breakers) as gateway:
        executor = executor_of(PlainRuntime(), gateway)

        async def refused() -> float:
            error, seconds = await failure_of(executor, "are you well")
            assert error.reason == "CIRCUIT_OPEN"
            return seconds

        for _ in range(2):
            await failure_of(executor, "are you well")
        assert len(model.about("are you well")) == 5
        fast = statistics.median([await refused() for _ in range(20)])
        print(f"an open circuit refuses within {fast * 1e3:.2f} ms")
        assert fast < 0.005
        clock.advance(OPEN_SECONDS)
        await refused()  # the probe fails; its own step meets the open circuit again
        assert len(model.about("are you well")) == 6
        clock.advance(OPEN_SECONDS)
        probe = asyncio.create_task(events_of(executor, "are you well"))
        await until(lambda: len(model.about("are you well")) == 7)
        await refused()  # while one probes the others wait
        assert len(model.about("are you well")) == 7
        assert (await probe)[-1].event.output == "Slowly well again."  # type: ignore[union-attr]
        await events_of(executor, "are you well")
    assert told == [True, False]


@pytest.mark.parametrize("status", [400, 404, 429])
async def test_refusals_open_no_circuit(model: ModelServer, status: int) -> None:
    """The request is wrong, or we ask too often: that another's request would fail, too, does not follow."""
    model.script(*[fail(status, retry_after="60")] * 8, when=f"refuse {status} times")
    async with gateway_to(model) as gateway:
        for _ in range(8):
            error, _ = await failure_of(executor_of(PlainRuntime(), gateway), f"refuse {status} times")
            assert error.reason == "MODEL_FAILED"
    assert len(model.about(f"refuse {status} times")) == 8


@dataclass
class Brittle:
    """A tool that fails as told."""

    error: Exception | None
    called: int = 0
    name: str = "brittle"
    description: str = "Breaks."
    input_schema: Mapping[str, Any] = field(default_factory=lambda: {"type": "object"})
    timeout: float = 5.0
    repeatable: bool = True
    writes_memory: bool = False

    async def call(self, arguments: Mapping[str, Any], run: ToolRun) -> ToolAnswer:
        self.called += 1
        if self.error is not None:
            raise self.error
        return ToolAnswer("done")


async def results_of(tool: Brittle, model: ModelServer, breakers: Breakers, times: int, tenant: str) -> list[str]:
    """Call the tool in so many runs; return what the model is told each time."""
    model.script(*[call("brittle", {}) for _ in range(times)], when="use the tool")
    told: list[str] = []
    async with gateway_to(model) as gateway:
        for number in range(times):
            fields = {"tools": ("brittle",), "tenant": tenant, "run": f"run_{number}"}
            # Each run has a ledger of its own, which knows nothing of the others' steps.
            executor = executor_of(PlainRuntime(streams=False), gateway, tool, breakers=breakers)
            events = await events_of(executor, "use the tool", **fields)
            told += [event.event.content for event in events if isinstance(event.event, ToolResult)]
    return told


async def test_a_tool_that_fails_is_left_alone_for_its_tenant(model: ModelServer) -> None:
    clock, told = FrozenClock(), list[Circuit]()
    breakers = Breakers(clock, lambda circuit, _is_open: told.append(circuit))
    tool = Brittle(Unavailable("away"))
    results = await results_of(tool, model, breakers, 7, "acme")
    assert results == ["The tool failed: DEPENDENCY_UNAVAILABLE."] * 5 + ["The tool failed: CIRCUIT_OPEN."] * 2
    assert tool.called == 5
    assert told == [Circuit("acme", "tool", "brittle")]
    tool.error = None
    assert await results_of(tool, model, breakers, 1, "umbrella") == ["done"]
    clock.advance(OPEN_SECONDS)
    assert await results_of(tool, model, breakers, 2, "acme") == ["done"] * 2


@pytest.mark.parametrize("error", [ToolError("Give me a number."), InvalidArgument("not so")])
async def test_a_tool_that_is_called_wrongly_is_well(model: ModelServer, error: Exception) -> None:
    tool = Brittle(error)
    results = await results_of(tool, model, Breakers(FrozenClock()), 7, "acme")
    assert len(results) == tool.called == 7
