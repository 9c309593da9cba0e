"""Many tasks at once: cut into calls that the mesh accepts.

Owns the cutting. A refused task is a result like any other; only a call that fails as a whole is raised.
"""

from collections.abc import AsyncGenerator, Iterable, Iterator
from typing import TYPE_CHECKING

from agentmesh.orchestrator.v1.run_service_pb2 import BatchCreateRunsRequest, BatchCreateRunsResult, CreateRunRequest

if TYPE_CHECKING:
    from agentmesh.orchestrator.v1.run_service_pb2_grpc import RunServiceAsyncStub

__all__ = ["create_runs"]

_MOST_TASKS = 100
_MOST_BYTES = 2 * 1024 * 1024  # half of what a message may hold: the answer tells the inputs again


async def create_runs(
    runs: "RunServiceAsyncStub", requests: Iterable[CreateRunRequest]
) -> AsyncGenerator[BatchCreateRunsResult, None]:
    """Yield what became of each request, in their order. Raises MeshError; what was yielded before it was accepted."""
    for group in _groups(requests):
        for result in (await runs.BatchCreateRuns(BatchCreateRunsRequest(requests=group))).results:
            yield result


def _groups(requests: Iterable[CreateRunRequest]) -> Iterator[list[CreateRunRequest]]:
    group: list[CreateRunRequest] = []
    size = 0
    for request in requests:
        if group and (len(group) == _MOST_TASKS or size + request.ByteSize() > _MOST_BYTES):
            yield group
            group, size = [], 0
        group.append(request)
        size += request.ByteSize()
    if group:
        yield group
