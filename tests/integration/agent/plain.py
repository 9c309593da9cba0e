"""A framework of a few lines, and the means to run it on a gateway of this process."""

import json
import time
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any

import httpx

from agent_service.adapters.gateway.server import ModelGateway
from agent_service.adapters.gateway.upstream import ModelTimeouts, Upstream
from agent_service.adapters.json_schema import JsonSchemas
from agent_service.adapters.tools.calculator import Calculator
from agent_service.domain.breaker import Breakers
from agent_service.domain.events import AgentEvent
from agent_service.domain.execution import Executor
from agent_service.domain.prices import Prices
from agent_service.domain.runtime import Capability, ModelEndpoint, RuntimeDescription, Speakers
from agent_service.domain.task import Task
from agent_service.domain.tool import Tool
from agent_service.domain.toolbox import Toolbox
from tests.fakes.model_server import ModelServer
from tests.integration.agent.conftest import MODEL_KEY
from tests.unit.agent.tasks import FreeLedger, task


def asked(text: str, **more: Any) -> dict[str, Any]:
    return {"model": "scripted-1", "messages": [{"role": "user", "content": text}], **more}


class PlainRuntime:
    """A framework that streams, calls each tool it is asked to call, and catches every error that it meets."""

    def __init__(self, *, streams: bool = True) -> None:
        self.streams, self.endpoint = streams, ModelEndpoint("", "", "")
        self.received = b""
        self.breaks: BaseException | None = None

    def describe(self) -> RuntimeDescription:
        return RuntimeDescription("plain", "1", (Capability.STREAMS_TOKENS,))

    async def run(self, task: Task, speakers: Speakers) -> str:
        model, toolbox = speakers.of().model, speakers.of().toolbox
        self.endpoint = model
        headers = {"authorization": f"Bearer {model.key}"}
        async with httpx.AsyncClient(
            base_url=model.url, headers=headers, trust_env=False, verify=False, timeout=None
        ) as http:
            try:
                return await self._ask(task, http, toolbox)
            except httpx.HTTPError:
                return "I go on as if nothing had happened"

    async def _ask(self, task: Task, http: httpx.AsyncClient, toolbox: Toolbox) -> str:
        body = asked(task.input, stream=self.streams)
        async with http.stream("POST", "chat/completions", json=body) as response:
            self.received = b"".join([piece async for piece in response.aiter_raw()])
            response.raise_for_status()
        if self.breaks is not None:
            raise self.breaks
        if self.streams:
            lines = [line[6:] for line in self.received.split(b"\n") if line.startswith(b"data: {")]
            deltas = [choice["delta"] for line in lines for choice in json.loads(line)["choices"]]
            return "".join(delta.get("content") or "" for delta in deltas)
        message = json.loads(self.received)["choices"][0]["message"]
        for wanted in message.get("tool_calls", ()):
            await toolbox.call(wanted["id"], wanted["function"]["name"], json.loads(wanted["function"]["arguments"]))
        return str(message["content"] or "")


async def events_of(
    executor: Executor, text: str, *, into: list[AgentEvent] | None = None, **fields: Any
) -> list[AgentEvent]:
    told = [] if into is None else into
    async with aclosing(executor.execute(task(input=text, **fields))) as events:
        async for event in events:
            told.append(event)
    return told


def executor_of(runtime: PlainRuntime, gateway: ModelGateway, *tools: Tool, **options: Any) -> Executor:
    breakers = options.pop("breakers", None) or Breakers(time.monotonic)
    tools = tools or (Calculator(),)
    return Executor(runtime, gateway, tools, FreeLedger(), breakers, JsonSchemas(), **{"max_runs": 5, **options})


@asynccontextmanager
async def gateway_to(
    model: ModelServer, breakers: Breakers | None = None, timeouts: ModelTimeouts | None = None
) -> AsyncIterator[ModelGateway]:
    """Serve a gateway to the model."""
    upstream = Upstream(model.url, MODEL_KEY, timeouts or ModelTimeouts())
    gateway = ModelGateway(upstream, "scripted-1", breakers or Breakers(time.monotonic), Prices({}))
    await gateway.start()
    try:
        yield gateway
    finally:
        await gateway.stop()
