"""The memory service as the tools see it: one stub, the run's own token on every call.

Owns how the run's token travels. It names the user and the tenant, so a tool cannot ask for anybody else's memory.
"""

from typing import TYPE_CHECKING, cast

from agentmesh.memory.v1 import (
    document_pb2,
    document_service_pb2,
    fact_pb2,
    interaction_pb2,
    interaction_service_pb2,
    memory_service_pb2,
)
from agentmesh.memory.v1.document_service_pb2_grpc import DocumentServiceStub
from agentmesh.memory.v1.interaction_service_pb2_grpc import InteractionServiceStub
from agentmesh.memory.v1.memory_service_pb2_grpc import MemoryServiceStub

from agent_service.domain.task import Task
from agent_service.domain.tool import ToolError
from meshkit.rpc.channel import MeshChannel

if TYPE_CHECKING:  # these names exist for type checkers only
    from agentmesh.memory.v1.document_service_pb2_grpc import DocumentServiceAsyncStub
    from agentmesh.memory.v1.interaction_service_pb2_grpc import InteractionServiceAsyncStub
    from agentmesh.memory.v1.memory_service_pb2_grpc import MemoryServiceAsyncStub

__all__ = ["Memory"]


class Memory:
    """Calls the memory service for the user of a run."""

    def __init__(self, channel: MeshChannel) -> None:
        """Take a channel without credentials of its own; its owner closes it."""
        self._facts = cast("MemoryServiceAsyncStub", MemoryServiceStub(channel))
        self._turns = cast("InteractionServiceAsyncStub", InteractionServiceStub(channel))
        self._documents = cast("DocumentServiceAsyncStub", DocumentServiceStub(channel))

    async def search_facts(self, task: Task, query: str, limit: int) -> list[fact_pb2.Fact]:
        """Return the user's facts that fit best. Raises MeshError."""
        request = memory_service_pb2.SearchFactsRequest(query=query, limit=limit)
        answer = await self._facts.SearchFacts(request, metadata=_credentials(task))
        return [match.fact for match in answer.matches]

    async def search_turns(self, task: Task, query: str, limit: int) -> list[interaction_pb2.Interaction]:
        """Return the user's earlier turns that fit best. Raises MeshError."""
        request = interaction_service_pb2.SearchInteractionsRequest(query=query, limit=limit)
        answer = await self._turns.SearchInteractions(request, metadata=_credentials(task))
        return [match.interaction for match in answer.matches]

    async def search_documents(self, task: Task, query: str, limit: int) -> list[document_pb2.Passage]:
        """Return the passages of the user's documents that fit best. Raises MeshError."""
        request = document_service_pb2.SearchDocumentsRequest(query=query, limit=limit)
        answer = await self._documents.SearchDocuments(request, metadata=_credentials(task))
        return [match.passage for match in answer.matches]

    async def put_fact(self, task: Task, request: memory_service_pb2.PutFactRequest) -> fact_pb2.Fact:
        """Say something about the user and return the fact as memory has it then. Raises MeshError."""
        return await self._facts.PutFact(request, metadata=_credentials(task))


def _credentials(task: Task) -> tuple[tuple[str, str], ...]:
    if not task.memory_token:
        raise ToolError("This run has no access to memory.")
    return (("authorization", f"Bearer {task.memory_token}"),)
