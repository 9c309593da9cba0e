"""`domain.ports.Agents` over the agents' gRPC contract: one channel a runtime, round robin over its endpoints."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import cast

from agentmesh.agent.v1 import agent_service_pb2, agent_service_pb2_grpc

from meshkit.auth.issuer import TokenIssuer
from meshkit.context import SERVICE_PREFIX
from meshkit.errors import MeshError
from meshkit.rpc.channel import MeshChannel
from meshkit.rpc.streams import open_stream
from orchestrator.adapters.on_behalf import acting_for
from orchestrator.convert.events import activity_of
from orchestrator.convert.specs import spec_to_proto
from orchestrator.convert.teams import team_kinds_of
from orchestrator.domain.model import Run
from orchestrator.domain.ports import Activity, RuntimeStatus, Task

__all__ = ["AgentTokens", "MeshAgents", "Minting", "mint_tokens"]

_DESCRIBE_SECONDS = 2.0
_DESCRIPTION_KEPT_SECONDS = 30.0
_SILENCE_KEPT_SECONDS = 1.0
_MAX_MEMORY_TOKEN_SECONDS = 3600.0
_DAY_SECONDS = 86_400.0
# The run's own timer ends an attempt, with an event that says so, and does not count the time for which it is idle.
# What is told to the agent is only the bound of what a lost attempt may do.
_MARGIN_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class AgentTokens:
    """What an attempt's agent may call: the user's memory, and the ledger for this attempt alone."""

    memory: str
    ledger: str


Minting = Callable[[Run, float], AgentTokens]
"""Makes the tokens of an attempt that works for so many seconds."""


def mint_tokens(issuer: TokenIssuer) -> Minting:
    """Return the maker of tokens that signs with the orchestrator's key."""

    def mint(run: Run, seconds: float) -> AgentTokens:
        agent = f"{SERVICE_PREFIX}agent"
        memory = issuer.issue(
            audience="memory",
            tenant=run.tenant,
            subject=run.user,
            scopes=("memory.read", "memory.write"),
            lifetime=min(_MAX_MEMORY_TOKEN_SECONDS, seconds),
            actor=agent,
        )
        ledger = issuer.issue(
            audience="orchestrator",
            tenant=run.tenant,
            subject=run.user,
            scopes=("ledger.write",),
            lifetime=min(_DAY_SECONDS, seconds),
            actor=agent,
            bound=f"{run.id}/{run.attempt}",
        )
        return AgentTokens(memory, ledger)

    return mint


class MeshAgents:
    """Runs agents and knows the runtimes."""

    def __init__(self, channels: Mapping[str, MeshChannel], mint: Minting) -> None:
        """Take a channel a runtime."""
        self._stubs = {name: _stub(channel) for name, channel in channels.items()}
        self._mint = mint
        self._known: dict[str, tuple[RuntimeStatus, float]] = {}

    async def execute(self, task: Task) -> AsyncGenerator[Activity, None]:
        """Run the agent; leaving the generator cancels the call, which closes the model's socket."""
        run = task.run
        seconds = min(_DAY_SECONDS, task.seconds + _MARGIN_SECONDS)
        tokens = self._mint(run, seconds)
        request = agent_service_pb2.ExecuteRequest.FromString(task.context)
        request.MergeFrom(
            agent_service_pb2.ExecuteRequest(
                run=run.id,
                attempt=run.attempt,
                session=run.session,
                user=run.user,
                agent=run.agent,
                spec=spec_to_proto(run.spec.lasting(timedelta(seconds=seconds))),
                input=run.input,
                memory_token=tokens.memory,
                ledger_token=tokens.ledger,
            )
        )
        # The context counts at the start of the call only; it must not leak to whoever iterates.
        with acting_for(run, "execute"):
            # It waits for an agent that is away: a restart takes seconds, and refused connections are no attempts.
            call = self._stubs[run.spec.runtime].Execute(request, timeout=seconds, wait_for_ready=True)
        async with open_stream(call) as events:
            async for event in events:
                activity = activity_of(event, run.trace_id)
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
        kinds = frozenset(team_kinds_of(description))
        return RuntimeStatus(runtime, tools, description.SerializeToString(), kinds)


def _stub(channel: MeshChannel) -> "agent_service_pb2_grpc.AgentServiceAsyncStub":
    # The generator makes one class for both kinds of channels, and types for two.
    return cast("agent_service_pb2_grpc.AgentServiceAsyncStub", agent_service_pb2_grpc.AgentServiceStub(channel))
