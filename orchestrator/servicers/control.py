# ruff: noqa: N802 - the contract names the methods
"""RunService, the part that people use on runs that are there: holding, answers, steering, forks, the list of steps."""

from dataclasses import dataclass
from typing import Any

from agentmesh.orchestrator.v1 import run_control_pb2, run_pb2, run_service_pb2_grpc

from meshkit.context import current
from meshkit.paging import page_size
from orchestrator.adapters.on_behalf import current_traceparent
from orchestrator.convert.control import fork_from_proto, step_to_proto
from orchestrator.convert.requests import reply_from_proto
from orchestrator.convert.runs import request_key, run_to_proto
from orchestrator.domain.forking import Forking
from orchestrator.domain.model import Run
from orchestrator.domain.pausing import Pausing
from orchestrator.domain.requests import Requests
from orchestrator.domain.steering import Steering
from orchestrator.domain.stepping import Stepping

__all__ = ["Control", "ControlServicer"]


@dataclass(frozen=True, slots=True)
class Control:
    """The verbs that are served here."""

    pausing: Pausing
    requests: Requests
    steering: Steering
    forking: Forking
    stepping: Stepping


class ControlServicer(run_service_pb2_grpc.RunServiceServicer):
    """Serves the control of runs; `RunServicer` is made of it."""

    def __init__(self, control: Control) -> None:
        self._control = control

    async def PauseRun(self, request: run_control_pb2.PauseRunRequest, context: Any) -> run_pb2.Run:
        """Hold a run."""
        return await self.shown(await self._control.pausing.pause(current(), request.run))

    async def ResumeRun(self, request: run_control_pb2.ResumeRunRequest, context: Any) -> run_pb2.Run:
        """Let a run go on."""
        return await self.shown(await self._control.pausing.resume(current(), request.run))

    async def StepRun(self, request: run_control_pb2.StepRunRequest, context: Any) -> run_pb2.Run:
        """Let one step of a run happen."""
        return await self.shown(await self._control.pausing.step(current(), request.run))

    async def RespondToRequest(self, request: run_control_pb2.RespondToRequestRequest, context: Any) -> run_pb2.Run:
        """Answer what a run asks."""
        reply = reply_from_proto(request)
        run = await self._control.requests.respond(current(), request.run, request.input_request, reply)
        return await self.shown(run)

    async def SteerRun(self, request: run_control_pb2.SteerRunRequest, context: Any) -> run_pb2.Run:
        """Say something to a run."""
        caller = current()
        key = request_key(caller, "SteerRun", request)
        return await self.shown(await self._control.steering.steer(caller, key, request.run, request.text))

    async def ForkRun(self, request: run_control_pb2.ForkRunRequest, context: Any) -> run_pb2.Run:
        """Make a run that begins as another did."""
        caller = current()
        fork = fork_from_proto(caller, request, current_traceparent())
        return await self.shown(await self._control.forking.fork(caller, fork))

    async def ListSteps(
        self, request: run_control_pb2.ListStepsRequest, context: Any
    ) -> run_control_pb2.ListStepsResponse:
        """List what a run has done."""
        size, full = page_size(request.page_size), request.view == run_pb2.RUN_VIEW_FULL
        page = await self._control.stepping.list(current(), request.run, size, request.page_token, full=full)
        steps = [step_to_proto(step) for step in page.items]
        return run_control_pb2.ListStepsResponse(steps=steps, next_page_token=page.next_page_token)

    async def shown(self, run: Run, view: run_pb2.RunView = run_pb2.RUN_VIEW_FULL) -> run_pb2.Run:
        """Return one run as a message, with what it asks of people."""
        return run_to_proto(run, view, await self._control.requests.open(run))
