"""The memory service's contract over a dictionary, behind the mesh's real server: tokens, scopes and rules are checked.

It stands in for a peer that has its own tests, so that these need no database.
"""

from collections import defaultdict
from contextlib import AbstractAsyncContextManager
from typing import Any

from agentmesh.memory.v1 import (
    document_pb2,
    document_service_pb2,
    fact_pb2,
    interaction_pb2,
    interaction_service_pb2,
    memory_service_pb2,
)
from agentmesh.memory.v1.document_service_pb2_grpc import (
    DocumentServiceServicer,
    add_DocumentServiceServicer_to_server,
)
from agentmesh.memory.v1.interaction_service_pb2_grpc import (
    InteractionServiceServicer,
    add_InteractionServiceServicer_to_server,
)
from agentmesh.memory.v1.memory_service_pb2_grpc import MemoryServiceServicer, add_MemoryServiceServicer_to_server

from meshkit import context
from meshkit.auth.authenticator import build_authenticator
from meshkit.config import ServiceSettings
from meshkit.rpc.server import MeshServer
from meshkit.testing.credentials import TestTokens
from meshkit.testing.serving import serving


class MemoryPeer(MemoryServiceServicer, InteractionServiceServicer, DocumentServiceServicer):
    """Facts by tenant and user; every fact fits every query."""

    def __init__(self) -> None:
        self.facts: dict[tuple[str, str], list[fact_pb2.Fact]] = defaultdict(list)
        self.turns: dict[tuple[str, str], list[interaction_pb2.Interaction]] = defaultdict(list)
        self.passages: dict[tuple[str, str], list[document_pb2.Passage]] = defaultdict(list)
        self.callers: list[context.CallContext] = []
        self.request_ids: list[str] = []

    def _who(self, user: str) -> tuple[str, str]:
        caller = context.current()
        self.callers.append(caller)
        return caller.tenant, caller.acting_user(user)

    async def PutFact(self, request: Any, _context: Any) -> fact_pb2.Fact:  # noqa: N802 - the contract\'s name
        who = self._who(request.user)
        self.request_ids.append(request.request_id)
        for known in self.facts[who]:
            if known.key == request.key and known.origin == fact_pb2.FACT_ORIGIN_CLIENT:
                known.contested = known.value != request.value
                return known  # the user is believed
        fact = fact_pb2.Fact(
            id=f"fact_{len(self.facts[who])}",
            key=request.key,
            value=request.value,
            category=request.category,
            run=request.run,
            step=request.step,
            origin=fact_pb2.FACT_ORIGIN_AGENT,
        )
        self.facts[who].append(fact)
        return fact

    async def SearchFacts(self, request: Any, _context: Any) -> memory_service_pb2.SearchFactsResponse:  # noqa: N802 - the contract\'s name
        facts = self.facts[self._who(request.user)]
        return memory_service_pb2.SearchFactsResponse(matches=[fact_pb2.FactMatch(fact=fact) for fact in facts])

    async def SearchInteractions(self, request: Any, _context: Any) -> Any:  # noqa: N802 - the contract\'s name
        turns = self.turns[self._who(request.user)]
        matches = [interaction_pb2.InteractionMatch(interaction=turn) for turn in turns]
        return interaction_service_pb2.SearchInteractionsResponse(matches=matches)

    async def SearchDocuments(self, request: Any, _context: Any) -> Any:  # noqa: N802 - the contract\'s name
        passages = self.passages[self._who(request.user)][: request.limit]
        matches = [document_pb2.PassageMatch(passage=passage) for passage in passages]
        return document_service_pb2.SearchDocumentsResponse(matches=matches)

    async def _not_used(self, request: Any, _context: Any) -> Any:
        raise NotImplementedError

    GetFact = ListFacts = DeleteFact = SupersedeFact = ListFactVersions = ExplainFact = _not_used
    StoreInteraction = ListInteractions = _not_used
    IngestDocument = GetDocument = ListDocuments = DeleteDocument = _not_used


def memory_server(peer: MemoryPeer, tokens: TestTokens, listen: str) -> AbstractAsyncContextManager[str]:
    """Serve the peer at the address `listen`."""
    config = ServiceSettings(**{**tokens.settings().model_dump(), "listen": listen, "shutdown_grace": 0.5})
    server = MeshServer(config, build_authenticator(config, service="memory"))
    server.add(add_MemoryServiceServicer_to_server, peer, "agentmesh.memory.v1.MemoryService")
    server.add(add_InteractionServiceServicer_to_server, peer, "agentmesh.memory.v1.InteractionService")
    server.add(add_DocumentServiceServicer_to_server, peer, "agentmesh.memory.v1.DocumentService")
    return serving(server)
