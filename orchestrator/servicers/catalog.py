# ruff: noqa: N802 - the contract names the methods
"""AgentCatalogService."""

from typing import Any

from agentmesh.orchestrator.v1 import agent_catalog_service_pb2 as messages
from agentmesh.orchestrator.v1 import agent_catalog_service_pb2_grpc, agent_definition_pb2
from google.protobuf import empty_pb2

from meshkit.context import current
from meshkit.paging import page_size
from orchestrator.convert.agents import agent_from_proto, agent_to_proto, runtime_to_proto
from orchestrator.convert.runs import request_key
from orchestrator.domain.catalog import Catalog

__all__ = ["CatalogServicer"]


class CatalogServicer(agent_catalog_service_pb2_grpc.AgentCatalogServiceServicer):
    """Serves agents and runtimes."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    async def CreateAgent(
        self, request: messages.CreateAgentRequest, context: Any
    ) -> agent_definition_pb2.AgentDefinition:
        """Add an agent."""
        caller = current()
        key = request_key(caller, "CreateAgent", request)
        return agent_to_proto(await self._catalog.create(caller, key, agent_from_proto(request.agent)))

    async def GetAgent(self, request: messages.GetAgentRequest, context: Any) -> agent_definition_pb2.AgentDefinition:
        """Read an agent."""
        return agent_to_proto(await self._catalog.get(current(), request.agent))

    async def ListAgents(self, request: messages.ListAgentsRequest, context: Any) -> messages.ListAgentsResponse:
        """List agents by name."""
        page = await self._catalog.list(current(), page_size(request.page_size), request.page_token)
        agents = [agent_to_proto(agent) for agent in page.items]
        return messages.ListAgentsResponse(agents=agents, next_page_token=page.next_page_token)

    async def UpdateAgent(
        self, request: messages.UpdateAgentRequest, context: Any
    ) -> agent_definition_pb2.AgentDefinition:
        """Replace an agent."""
        return agent_to_proto(await self._catalog.update(current(), agent_from_proto(request.agent)))

    async def DeleteAgent(self, request: messages.DeleteAgentRequest, context: Any) -> empty_pb2.Empty:
        """Delete an agent."""
        await self._catalog.delete(current(), request.agent)
        return empty_pb2.Empty()

    async def ListRuntimes(self, request: messages.ListRuntimesRequest, context: Any) -> messages.ListRuntimesResponse:
        """List the runtimes and how they are."""
        statuses = await self._catalog.runtimes()
        return messages.ListRuntimesResponse(runtimes=[runtime_to_proto(status) for status in statuses])
