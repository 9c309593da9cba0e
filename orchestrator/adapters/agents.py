"""`domain.ports.Agents` over the agents' gRPC contract: one channel a runtime, round robin over its endpoints."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from typing import cast

from agentmesh.agent.v1 import agent_service_pb2, agent_service_pb2_grpc
from agentmesh.memory.v1 import context_pb2

from meshkit.auth.issuer import TokenIssuer
from meshkit.context import SERVICE_PREFIX
from meshkit.errors import MeshError
from meshkit.rpc.channel import MeshChannel
from meshkit.rpc.streams import open_stream
from orchestrator.adapters.on_behalf import acting_for
from orchestrator.convert.agents import spec_to_proto
from orchestrator.convert.events import activity_of
from orchestrator.domain.model import Run
from orchestrator.domain.ports import Activity, RuntimeStatus, Task

__all__ = ["MemoryTokens", "MeshAgents", "memory_tokens"]

_DESCRIBE_SECONDS = 2.0
_DESCRIPTION_KEPT_SECONDS = 30.0
_SILENCE_KEPT_SECONDS = 1.0
_MAX_TOKEN_SECONDS = 3600.0
_MARGIN_SECONDS = 5.0  # the run's own timer ends it first, with an event that says so

MemoryTokens = Callable[[Run, float], str]
"""Makes the token with which the agent's tools reach the user's memory, for so many seconds."""


def memory_tokens(issuer: TokenIssuer) -> MemoryTokens:
    """Return the maker of memory tokens that signs with the orchestrator's key."""

    def make(run: Run, seconds: float) -> str:
        return issuer.issue(
            audience="memory",
            tenant=run.tenant,
            subject=run.user,
            scopes=("memory.read", "memory.write"),
            lifetime=min(_MAX_TOKEN_SECONDS, seconds + _MARGIN_SECONDS),
            actor=f"{SERVICE_PREFIX}agent",
        )

    return make


class MeshAgents:
    """Runs agents and knows the runtimes."""

    def __init__(self, channels: Mapping[str, MeshChannel], tokens: MemoryTokens) -> None:
        """Take a channel a runtime."""
        self._stubs = {name: _stub(channel) for name, channel in channels.items()}
        self._tokens = tokens
        self._known: dict[str, tuple[RuntimeStatus, float]] = {}

    async def execute(self, task: Task) -> AsyncGenerator[Activity, None]:
        """Run the agent; leaving the generator cancels the call, which closes the model's socket."""
        run = task.run
        request = agent_service_pb2.ExecuteRequest(
            run=run.id,
            attempt=run.attempt,
            session=run.session,
            user=run.user,
            agent=run.agent,
            spec=spec_to_proto(run.spec),
            input=run.input,
            history=[
                agent_service_pb2.ChatMessage(role=f"ROLE_{message.role}", text=message.text)
                for message in task.history
            ],
            recalled=[context_pb2.ContextItem.FromString(item.body) for item in task.recalled],
            memory_token=self._tokens(run, task.seconds),
        )
        # The context counts at the start of the call only; it must not leak to whoever iterates.
        with acting_for(run, "execute"):
            # It waits for an agent that is away: a restart takes seconds, and refused connections are no attempts.
            call = self._stubs[run.spec.runtime].Execute(
                request, timeout=task.seconds + _MARGIN_SECONDS, wait_for_ready=True
            )
        async with open_stream(call) as events:
            async for event in events:
                activity = activity_of(event, run.attempt, run.trace_id)
                if activity is not None:
                    yield activity

    def configured(self, runtime: str) -> bool:
        """Tell whether there is a channel for the runtime."""
        return runtime in self._stubs

    async def status(self, runtime: str) -> RuntimeStatus | None:
        """Return how the runtime is; an answer is kept for a while."""
        if runtime not in self._stubs:
            return None
        status, until = self._known.get(runtime, (None, 0.0))
        if status is None or time.monotonic() >= until:
            status = await self._describe(runtime)
            kept = _SILENCE_KEPT_SECONDS if status.tools is None else _DESCRIPTION_KEPT_SECONDS
            self._known[runtime] = (status, time.monotonic() + kept)
        return status

    async def statuses(self) -> Sequence[RuntimeStatus]:
        """Return how all runtimes are now, by name."""
        return await asyncio.gather(*(self._describe(name) for name in sorted(self._stubs)))

    async def _describe(self, runtime: str) -> RuntimeStatus:
        try:
            request = agent_service_pb2.DescribeRequest()
            description = await self._stubs[runtime].Describe(request, timeout=_DESCRIBE_SECONDS)
        except MeshError:
            return RuntimeStatus(runtime, None)
        tools = frozenset(tool.name for tool in description.tools)
        return RuntimeStatus(runtime, tools, description.SerializeToString())


def _stub(channel: MeshChannel) -> "agent_service_pb2_grpc.AgentServiceAsyncStub":
    # The generator makes one class for both kinds of channels, and types for two.
    return cast("agent_service_pb2_grpc.AgentServiceAsyncStub", agent_service_pb2_grpc.AgentServiceStub(channel))
