# ruff: noqa: N802 - the contract names the methods
"""An agent service and a memory service that do as the input says, on real sockets with real tokens.

Inputs for the agent: `say N MS` (N words, MS milliseconds apart), `hang` (a word, then silence), `break A` (dies in the
middle up to attempt A, then answers), `fail`, `limit`, `tool`, `rest A` (up to attempt A it suspends itself once it is
told to rest, then answers), `drain A` (up to attempt A it is shutting down), `two A` (a step that is told to its end,
then a second one; dies in that up to attempt A), `ask AGENT TASK` (asks another agent, through the ledger, and says
what it answered), `circle` (asks itself the same).
"""

import asyncio
import json
import time
from collections.abc import AsyncGenerator
from typing import Any

from agentmesh.agent.v1 import activity_pb2, agent_service_pb2, agent_service_pb2_grpc
from agentmesh.memory.v1 import (
    context_pb2,
    context_service_pb2,
    context_service_pb2_grpc,
    interaction_pb2,
    interaction_service_pb2,
    interaction_service_pb2_grpc,
)
from agentmesh.orchestrator.v1 import ledger_service_pb2, ledger_service_pb2_grpc

from meshkit import context
from meshkit.errors import ResourceExhausted, Unavailable
from meshkit.rpc.channel import open_channel
from meshkit.rpc.service_config import load_service_config
from orchestrator.domain.steps import tool_digest

Event = agent_service_pb2.AgentEvent


class FakeAgent(agent_service_pb2_grpc.AgentServiceServicer):
    """Does as the input says and records what it was asked."""

    def __init__(self) -> None:
        self.requests: list[agent_service_pb2.ExecuteRequest] = []
        self.callers: list[context.CallContext] = []
        self.cancelled: dict[str, float] = {}
        self.active: set[str] = set()
        self.resting: set[str] = set()
        """Runs that are told to rest."""
        self.ledger = ""
        """The orchestrator's address, for those that ask others."""

    async def Describe(self, request: Any, grpc_context: Any) -> agent_service_pb2.RuntimeDescription:
        tools = [agent_service_pb2.ToolDescription(name=name) for name in ("calculator", "current_time")]
        kinds = ["TEAM_KIND_HANDOFF", "TEAM_KIND_SEQUENTIAL"]
        return agent_service_pb2.RuntimeDescription(
            name="langchain", framework_version="1", tools=tools, team_kinds=kinds
        )

    async def Execute(
        self, request: agent_service_pb2.ExecuteRequest, grpc_context: Any
    ) -> AsyncGenerator[Event, None]:
        self.requests.append(request)
        self.callers.append(context.current())
        self.active.add(request.run)
        try:
            async for event in self._perform(request, *request.input.split()):
                yield event
        except (asyncio.CancelledError, GeneratorExit):
            self.cancelled[request.run] = time.monotonic()
            raise
        finally:
            self.active.discard(request.run)

    async def _perform(
        self, request: agent_service_pb2.ExecuteRequest, verb: str, *numbers: str
    ) -> AsyncGenerator[Event, None]:
        agent = request.agent
        again = bool(numbers) and numbers[0].isdecimal() and request.attempt <= int(numbers[0])
        if verb == "drain" and again:
            raise Unavailable("it is shutting down", reason="DRAINING")
        if verb == "two":
            kind = activity_pb2.STEP_KIND_TOOL
            yield Event(agent=agent, step="tool-9", step_started=activity_pb2.StepStarted(kind=kind, name="t"))
            yield Event(agent=agent, step="tool-9", step_finished=activity_pb2.StepFinished(kind=kind))
        yield Event(agent=agent, step="model-1", message_started=activity_pb2.MessageStarted())
        if verb == "hang":
            yield Event(agent=agent, step="model-1", token_delta=activity_pb2.TokenDelta(text="waiting"))
            await asyncio.Event().wait()
        if verb == "rest" and again:
            yield Event(agent=agent, step="model-1", token_delta=activity_pb2.TokenDelta(text="half"))
            while request.run not in self.resting:  # noqa: ASYNC110 - a test says so
                await asyncio.sleep(0.005)
            yield Event(suspended=activity_pb2.Suspended())
            return
        if verb in ("ask", "circle"):
            asked, task = (numbers[0], " ".join(numbers[1:])) if verb == "ask" else (agent, verb)
            answer = await self._ask(request, asked, task)
            told = activity_pb2.Completed(output=answer or "")
            yield Event(suspended=activity_pb2.Suspended()) if answer is None else Event(completed=told)
            return
        if verb == "fail":
            raise Unavailable("the model refused", reason="MODEL_FAILED")
        if verb == "limit":
            limit = activity_pb2.LimitReached(limit="max_tool_calls", value=1)
            yield Event(agent=agent, limit_reached=limit)
            raise ResourceExhausted("max_tool_calls", reason="LIMIT_REACHED")
        if verb == "tool":
            call = activity_pb2.ToolCall(id="call-1", name="calculator", arguments="{}")
            yield Event(agent=agent, step="tool-1", tool_call=call)
        count, pause = (int(numbers[0]), int(numbers[1]) / 1000) if verb == "say" else (3, 0.001)
        words = [f"w{place} " for place in range(count)]
        for place, word in enumerate(words):
            if verb in ("break", "two") and place == 1 and again:
                raise Unavailable("the process died")
            yield Event(agent=agent, step="model-1", token_delta=activity_pb2.TokenDelta(text=word))
            if pause:
                await asyncio.sleep(pause)
        text = "".join(words)
        usage = activity_pb2.Usage(input_tokens=10, output_tokens=count, model_calls=1)
        yield Event(agent=agent, step="model-1", usage=usage)
        finished = activity_pb2.MessageFinished(text=text, finish_reason=activity_pb2.FINISH_REASON_STOP)
        yield Event(agent=agent, step="model-1", message_finished=finished)
        if verb == "tool":
            usage.tool_calls = 1
        yield Event(completed=activity_pb2.Completed(output=text, usage=usage))

    async def _ask(self, request: agent_service_pb2.ExecuteRequest, agent: str, task: str) -> str | None:
        """Return what the other agent answered; None when told to give up."""
        name, arguments = f"ask_{agent.replace('-', '_')}", json.dumps({"task": task})
        step = ledger_service_pb2.BeginStepRequest(
            kind=activity_pb2.STEP_KIND_TOOL, name=name, agent=request.agent, occurrence=1, arguments=arguments,
            digest=tool_digest(name, arguments),
        )  # fmt: skip
        token = request.ledger_token
        async with open_channel(self.ledger, load_service_config("orchestrator"), credentials=lambda: token) as channel:
            verdict = await ledger_service_pb2_grpc.LedgerServiceStub(channel).BeginStep(step)
        assert not verdict.HasField("execute"), "an agent never does another one's work"
        return verdict.replay.result.tool.content if verdict.HasField("replay") else None


class FakeMemory(
    context_service_pb2_grpc.ContextServiceServicer, interaction_service_pb2_grpc.InteractionServiceServicer
):
    """Recalls every interaction stored for the user, and can be told to fail."""

    def __init__(self) -> None:
        self.stored: list[interaction_pb2.Interaction] = []
        self.callers: list[context.CallContext] = []
        self.failures = 0

    async def GetContext(
        self, request: context_service_pb2.GetContextRequest, grpc_context: Any
    ) -> context_service_pb2.GetContextResponse:
        self._answer()
        user = context.current().acting_user(request.user)
        items = [
            context_pb2.ContextItem(layer=context_pb2.MEMORY_LAYER_SEMANTIC, score=0.5, tokens=1, interaction=each)
            for each in self.stored
            if each.user == user
        ]
        return context_service_pb2.GetContextResponse(items=items)

    async def StoreInteraction(
        self, request: interaction_service_pb2.StoreInteractionRequest, grpc_context: Any
    ) -> interaction_pb2.Interaction:
        self._answer()
        user = context.current().acting_user(request.user)
        stored = interaction_pb2.Interaction(
            id=request.request_id, user=user, session=request.session, run=request.run, agent=request.agent,
            input=request.input, output=request.output, create_time=request.create_time,
        )  # fmt: skip
        if all(each.id != stored.id for each in self.stored):
            self.stored.append(stored)
        return stored

    def _answer(self) -> None:
        self.callers.append(context.current())
        if self.failures:
            self.failures -= 1
            raise Unavailable("memory is away")
