"""Conversations stored and questions asked through the gRPC API, as a client of memory does.

Owns the mapping: a turn is an interaction whose input is its text (with the caption of its photo), its speaker the one
who spoke, its session the conversation's, its time that of the session and a second more with every turn.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

import asyncpg
from agentmesh.memory.v1.interaction_service_pb2 import SearchInteractionsRequest, StoreInteractionRequest

from bench.locomo.data import Conversation
from meshclient import MeshClient

__all__ = ["Asked", "ask", "drained", "stored"]

_IN_FLIGHT = 8
_MOST = 100


@dataclass(frozen=True, slots=True)
class Asked:
    """What the search answered to one question."""

    conversation: str
    category: int
    evidence: frozenset[int]
    ranked: Sequence[int]
    """Places of the turns that were found, best first."""
    seconds: float

    def recall(self, depth: int) -> float:
        """Return the share of the evidence among the first ones."""
        return len(self.evidence & set(self.ranked[:depth])) / len(self.evidence)


async def stored(client: MeshClient, conversation: Conversation) -> Mapping[str, int]:
    """Store the turns of a conversation; returns the place of each turn by its interaction's id."""
    room = asyncio.Semaphore(_IN_FLIGHT)

    async def store(place: int) -> str:
        turn = conversation.turns[place]
        request = StoreInteractionRequest(
            request_id=f"{conversation.name}-{turn.dia_id}",
            session=f"session-{turn.session}",
            speaker=turn.speaker,
            input=turn.text,
        )
        request.create_time.FromDatetime(turn.time + timedelta(seconds=place))
        async with room:
            return (await client.interactions.StoreInteraction(request)).id

    ids = await asyncio.gather(*map(store, range(len(conversation.turns))))
    return {each: place for place, each in enumerate(ids)}


async def drained(database_url: str, *, seconds: float = 600.0) -> None:
    """Return once nothing waits to be indexed."""
    connection = await asyncpg.connect(database_url)
    try:
        async with asyncio.timeout(seconds):
            while await connection.fetchval("SELECT count(*) FROM memory.outbox"):  # noqa: ASYNC110 - another's work
                await asyncio.sleep(0.2)
    finally:
        await connection.close()


async def ask(client: MeshClient, conversation: Conversation, places: Mapping[str, int]) -> list[Asked]:
    """Ask the questions of a conversation, one after the other."""
    answers = []
    for question in conversation.questions:
        began = time.perf_counter()
        answer = await client.interactions.SearchInteractions(
            SearchInteractionsRequest(query=question.text, limit=_MOST)
        )
        seconds = time.perf_counter() - began
        if answer.degraded:
            raise RuntimeError("the search answered by words alone: this machine is too busy to measure on")
        ranked = [places[match.interaction.id] for match in answer.matches]
        answers.append(Asked(conversation.name, question.category, question.evidence, ranked, seconds))
    return answers
