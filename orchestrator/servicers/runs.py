# ruff: noqa: N802 - the contract names the methods
"""RunService."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from agentmesh.orchestrator.v1 import run_event_pb2, run_pb2, run_service_pb2

from meshkit.context import current
from meshkit.paging import page_size
from orchestrator.adapters.on_behalf import current_traceparent
from orchestrator.convert.events import event_to_proto
from orchestrator.convert.runs import created_to_proto, filter_from_proto, run_to_proto, task_from_proto
from orchestrator.domain.following import Following
from orchestrator.domain.runs import DEFAULT_WAIT_SECONDS, Runs
from orchestrator.domain.viewing import Viewer
from orchestrator.servicers.control import Control, ControlServicer
from orchestrator.servicers.stalled import PATIENCE_SECONDS, ending_stalled

__all__ = ["RunServicer"]

_FULL, _BASIC = run_pb2.RUN_VIEW_FULL, run_pb2.RUN_VIEW_BASIC
Events = AsyncGenerator[run_event_pb2.RunEvent, None]


class RunServicer(ControlServicer):
    """Serves runs."""

    def __init__(
        self, runs: Runs, following: Following, control: Control, *, patience: float = PATIENCE_SECONDS
    ) -> None:
        """End the stream of a subscriber that takes nothing for `patience` seconds."""
        super().__init__(control)
        self._runs, self._following, self._patience = runs, following, patience

    async def CreateRun(self, request: run_service_pb2.CreateRunRequest, context: Any) -> run_pb2.Run:
        """Accept a task."""
        caller = current()
        run = await self._runs.create(caller, task_from_proto(caller, request, current_traceparent()))
        return run_to_proto(run, _FULL)

    async def StreamRun(self, request: run_service_pb2.StreamRunRequest, context: Any) -> Events:
        """Accept a task and follow it."""
        caller = current()
        run = await self._runs.create(caller, task_from_proto(caller, request.run, current_traceparent()))
        cancels = request.on_disconnect == run_service_pb2.ON_DISCONNECT_CANCEL
        events = self._following.attend(caller, run.id, self._runs.cancel if cancels else None)
        async with aclosing(ending_stalled(events, self._patience)) as taken:
            async for event in taken:
                yield event_to_proto(event)

    async def BatchCreateRuns(
        self, request: run_service_pb2.BatchCreateRunsRequest, context: Any
    ) -> run_service_pb2.BatchCreateRunsResponse:
        """Accept many tasks."""
        caller, traceparent = current(), current_traceparent()
        tasks = [task_from_proto(caller, each, traceparent) for each in request.requests]
        created = await self._runs.create_many(caller, tasks)
        return run_service_pb2.BatchCreateRunsResponse(results=map(created_to_proto, created))

    async def GetRun(self, request: run_service_pb2.GetRunRequest, context: Any) -> run_pb2.Run:
        """Read a run."""
        run = await self._runs.get(current(), request.run)
        return await self.shown(run, request.view or _FULL)

    async def ListRuns(
        self, request: run_service_pb2.ListRunsRequest, context: Any
    ) -> run_service_pb2.ListRunsResponse:
        """List runs, newest first."""
        size = page_size(request.page_size)
        page = await self._runs.list(current(), filter_from_proto(request), size, request.page_token)
        runs = [run_to_proto(run, request.view or _BASIC) for run in page.items]
        return run_service_pb2.ListRunsResponse(runs=runs, next_page_token=page.next_page_token)

    async def WaitRun(self, request: run_service_pb2.WaitRunRequest, context: Any) -> run_pb2.Run:
        """Wait until a run is terminal."""
        seconds = request.max_wait.ToTimedelta().total_seconds() if request.HasField("max_wait") else None
        run = await self._runs.wait(current(), request.run, DEFAULT_WAIT_SECONDS if seconds is None else seconds)
        return await self.shown(run, request.view or _FULL)

    async def SubscribeRun(self, request: run_service_pb2.SubscribeRunRequest, context: Any) -> Events:
        """Follow a run."""
        events = self._following.follow(Viewer.of(current()), request.run, request.after_sequence)
        async with aclosing(ending_stalled(events, self._patience)) as taken:
            async for event in taken:
                yield event_to_proto(event)

    async def CancelRun(self, request: run_service_pb2.CancelRunRequest, context: Any) -> run_pb2.Run:
        """Cancel a run."""
        run = await self._runs.cancel(current(), request.run)
        return run_to_proto(run, _FULL)
