"""Clients that give a mesh jobs while it is being hurt, and keep everything that they saw."""

import asyncio
import contextlib
import itertools
from collections import Counter
from collections.abc import Awaitable, Callable
from functools import partial
from typing import ClassVar, TypeVar

from agentmesh.agent.v1.agent_spec_pb2 import AgentSpec, Approval, RunLimits, ToolPolicy
from agentmesh.orchestrator.v1.agent_catalog_service_pb2 import CreateAgentRequest
from agentmesh.orchestrator.v1.agent_definition_pb2 import AgentDefinition
from agentmesh.orchestrator.v1.run_service_pb2 import CreateRunRequest

from meshclient import MeshClient, new_request_id
from meshkit.errors import AlreadyExists, MeshError
from tests.faults.history import History, Watcher
from tests.faults.model import task

__all__ = ["ASKING", "FREE", "Load", "create_agents", "insist"]

FREE, ASKING = "free", "asking"
"""The agent that may do everything, and the one that asks before its second call."""
_PATIENCE = 90.0
_FINAL = {"ALREADY_EXISTS", "INVALID_ARGUMENT", "NOT_FOUND", "PERMISSION_DENIED", "UNAUTHENTICATED"}

Answer = TypeVar("Answer")


async def create_agents(client: MeshClient) -> None:
    """Make the agents that have effects, unless they are there."""
    limits = RunLimits(max_model_calls=500, max_tool_calls=500)
    ask = ToolPolicy(tool="effect_again", approval=Approval.APPROVAL_ASK)
    for name, policies in ((FREE, []), (ASKING, [ask])):
        spec = AgentSpec(
            runtime="langchain",
            instructions="Do the job.",
            tools=["effect_once", "effect_again"],
            limits=limits,
            tool_policies=policies,
        )
        request = CreateAgentRequest(request_id=new_request_id(), agent=AgentDefinition(name=name, spec=spec))
        with contextlib.suppress(AlreadyExists):
            await insist(partial(client.agents.CreateAgent, request))


async def insist(call: Callable[[], Awaitable[Answer]]) -> Answer:
    """Make a call, with the same request id, until the mesh has answered."""
    async with asyncio.timeout(_PATIENCE):
        while True:
            try:
                return await call()
            except MeshError as error:
                if error.reason in _FINAL:
                    raise
            await asyncio.sleep(0.2)


class Load:
    """Jobs in flight. Each run has two subscribers, one of which answers what it asks."""

    _numbers = itertools.count(1)
    _allowed: ClassVar = Counter[str]()
    """Of all loads, as effects are counted of all: what was allowed once stays allowed."""

    def __init__(self, client: MeshClient) -> None:
        self._client = client
        self.history = History(allowed=self._allowed)
        self.watcher = Watcher(client, self.history)
        self._following: list[asyncio.Task[None]] = []

    async def add(self, calls: int = 2, agent: str = FREE, *, answers: bool = True) -> str:
        """Create a run, as often as it takes until it is acknowledged, and follow it. Returns its id.

        Without `answers` nobody answers what it asks.
        """
        job = f"j{next(self._numbers)}"
        request = CreateRunRequest(request_id=new_request_id(), agent=agent, input=task(job, calls))
        run = (await insist(partial(self._client.runs.CreateRun, request))).id
        self.follow(run, job, answers=answers)
        return run

    def follow(self, run: str, job: str, *, answers: bool = True) -> None:
        """Follow a run that was acknowledged."""
        self.history.accepted[run] = job
        for one in (answers, False):
            self._following.append(asyncio.create_task(self.watcher.follow(run, answers=one)))

    async def done(self) -> None:
        """Wait until every run has ended."""
        async with asyncio.timeout(_PATIENCE):
            await asyncio.gather(*self._following)
