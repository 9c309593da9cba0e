"""A run's events from the first to the last, across broken streams, restarts and drained replicas.

Owns the resume rule: after an interruption it subscribes again after the last sequence it handed out, so no event is
lost, repeated or reordered. gRPC cannot do this: it never retries a stream that has begun.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import TYPE_CHECKING

from agentmesh.orchestrator.v1.run_event_pb2 import RunEvent
from agentmesh.orchestrator.v1.run_pb2 import RunState
from agentmesh.orchestrator.v1.run_service_pb2 import StreamRunRequest, SubscribeRunRequest

from meshkit.errors import MeshError
from meshkit.rpc.streams import ClientStream, open_stream

if TYPE_CHECKING:
    from agentmesh.orchestrator.v1.run_service_pb2_grpc import RunServiceAsyncStub

__all__ = ["follow_run", "start_run"]

_TERMINAL = {RunState.RUN_STATE_SUCCEEDED, RunState.RUN_STATE_FAILED, RunState.RUN_STATE_CANCELLED}
_RESUMABLE = {"DEPENDENCY_UNAVAILABLE", "DRAINING", "SUBSCRIBER_TOO_SLOW", "DEADLINE_EXCEEDED", "INTERNAL", "CANCELLED"}
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 2.0
_LONGEST_SILENCE = 30.0  # three heartbeats


async def start_run(
    runs: "RunServiceAsyncStub", request: StreamRunRequest, *, patience: float
) -> AsyncGenerator[RunEvent, None]:
    """Create a run and yield its events until it is terminal. See `follow_run` for the rest.

    Safe to interrupt before the first event: the `request_id` makes a second creation find the first run.
    """
    async with aclosing(_resumed(lambda: runs.StreamRun(request), runs, patience)) as events:
        async for event in events:
            yield event


async def follow_run(
    runs: "RunServiceAsyncStub", run: str, after_sequence: int, *, patience: float
) -> AsyncGenerator[RunEvent, None]:
    """Yield a run's events after a sequence until it is terminal; heartbeats are left out, gaps are not.

    `patience` is how many seconds it tries to reach the mesh again without progress before it raises the last error.
    Raises MeshError: at once for what no retry cures, as an unknown run or a bad token. INTERNAL is tried again, since
    a proxy tells the loss of a replica in that way.
    """
    first = SubscribeRunRequest(run=run, after_sequence=after_sequence)
    async with aclosing(_resumed(lambda: runs.SubscribeRun(first), runs, patience)) as events:
        async for event in events:
            yield event


async def _resumed(
    opening: Callable[[], ClientStream[RunEvent]], runs: "RunServiceAsyncStub", patience: float
) -> AsyncGenerator[RunEvent, None]:
    run, sequence, pause, progress = "", 0, _FIRST_PAUSE, time.monotonic()
    while True:
        if run and sequence:
            call: ClientStream[RunEvent] = runs.SubscribeRun(SubscribeRunRequest(run=run, after_sequence=sequence))
        else:
            call = opening()
        try:
            async with open_stream(call, idle=_LONGEST_SILENCE) as events:
                async for event in events:
                    pause, progress = _FIRST_PAUSE, time.monotonic()
                    run, sequence = event.run or run, event.sequence or sequence
                    if not event.HasField("heartbeat"):
                        yield event
                    if event.state_changed.state in _TERMINAL:
                        return
        except MeshError as error:
            if error.reason not in _RESUMABLE or time.monotonic() - progress > patience:
                raise
        else:
            return  # nothing follows: the run had ended before the sequence that was asked for
        await asyncio.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)
