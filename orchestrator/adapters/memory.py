"""`domain.ports.Memory` over the memory service's gRPC contract."""

from typing import cast

from agentmesh.memory.v1 import (
    context_pb2,
    context_service_pb2,
    context_service_pb2_grpc,
    interaction_service_pb2,
    interaction_service_pb2_grpc,
)

from meshkit.rpc.channel import MeshChannel
from orchestrator.adapters.on_behalf import acting_for
from orchestrator.convert.agents import timestamp
from orchestrator.domain.model import Run
from orchestrator.domain.ports import Recalled, RecalledItem

__all__ = ["MeshMemory"]

_RECALL_SECONDS = 3.0  # an agent without memory now is better than one with memory late


class MeshMemory:
    """Asks and tells memory for a run's user."""

    def __init__(self, channel: MeshChannel) -> None:
        self._context = cast(
            "context_service_pb2_grpc.ContextServiceAsyncStub", context_service_pb2_grpc.ContextServiceStub(channel)
        )
        self._interactions = cast(
            "interaction_service_pb2_grpc.InteractionServiceAsyncStub",
            interaction_service_pb2_grpc.InteractionServiceStub(channel),
        )

    async def recall(self, run: Run) -> Recalled:
        """Return what fits the run's input, from other turns than the latest: those the orchestrator has itself."""
        request = context_service_pb2.GetContextRequest(session=run.session, query=run.input, recent_limit=0)
        with acting_for(run, "recall", _RECALL_SECONDS):
            answer = await self._context.GetContext(request, timeout=_RECALL_SECONDS)
        items = [RecalledItem(_origin(item), item.SerializeToString()) for item in answer.items]
        return Recalled(items, list(answer.degraded))

    async def remember(self, run: Run, output: str, seconds: float) -> None:
        """Store the turn; the run's id makes it safe to repeat.

        It took place when the user spoke, however late it is stored. The run's end would not do: the first try comes
        before it, and a repeated request must not differ from the first.
        """
        request = interaction_service_pb2.StoreInteractionRequest(
            request_id=run.id,
            session=run.session,
            run=run.id,
            agent=run.agent,
            input=run.input,
            output=output,
            create_time=timestamp(run.create_time),
        )
        with acting_for(run, "remember", seconds):
            await self._interactions.StoreInteraction(request, timeout=seconds)


def _origin(item: context_pb2.ContextItem) -> str:
    return item.interaction.run if item.HasField("interaction") else ""
