"""`agentmesh.agent.v1.AgentService`."""

from collections.abc import AsyncIterator
from contextlib import aclosing

import grpc
from agentmesh.agent.v1 import agent_service_pb2
from agentmesh.agent.v1.agent_service_pb2_grpc import AgentServiceServicer

from agent_service import convert
from agent_service.domain.execution import Executor
from meshkit.context import current

__all__ = ["AgentServicer"]

Context = grpc.aio.ServicerContext[object, object]


class AgentServicer(AgentServiceServicer):
    """Serves the agents of one framework. That the caller is the orchestrator is checked before a handler runs."""

    def __init__(self, executor: Executor, offline_model: str) -> None:
        """`offline_model` is the id of the model that is none."""
        self._executor, self._offline_model = executor, offline_model

    async def Describe(  # noqa: N802 - the contract's name
        self, request: agent_service_pb2.DescribeRequest, context: Context
    ) -> agent_service_pb2.RuntimeDescription:
        """Tell what this process can run."""
        model = self._executor.default_model
        return convert.description_of(
            self._executor.describe(), self._executor.tools, model, offline=model == self._offline_model
        )

    async def Execute(  # noqa: N802
        self, request: agent_service_pb2.ExecuteRequest, context: Context
    ) -> AsyncIterator[agent_service_pb2.AgentEvent]:
        """Run an agent."""
        task = convert.task_of(request, current().tenant)
        async with aclosing(self._executor.execute(task)) as events:  # closing it stops the agent and its model call
            async for event in events:
                yield convert.event_of(task.agent, event)
