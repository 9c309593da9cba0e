# ruff: noqa: N802 - the methods bear the names of the contract
"""A RunService that keeps what it is asked and tells what a test scripts, for the command line and the client.

It judges nothing: what the verbs do is tested on whole meshes. It is served over a real socket.
"""

import threading
from collections.abc import Iterator
from concurrent import futures
from types import TracebackType
from typing import Any, Self

import grpc
from agentmesh.errors.v1.failure_pb2 import Failure
from agentmesh.orchestrator.v1.input_request_pb2 import InputRequest
from agentmesh.orchestrator.v1.run_control_pb2 import ListStepsResponse
from agentmesh.orchestrator.v1.run_event_pb2 import InputAnswered, InputRequested, RunEvent, RunStateChanged
from agentmesh.orchestrator.v1.run_pb2 import Run
from agentmesh.orchestrator.v1.run_service_pb2 import BatchCreateRunsResponse, BatchCreateRunsResult
from agentmesh.orchestrator.v1.run_service_pb2_grpc import RunServiceServicer, add_RunServiceServicer_to_server
from agentmesh.orchestrator.v1.step_pb2 import Step

RUN = "run_1"


class ScriptedRuns(RunServiceServicer):
    """One run, `run_1`, of the session `ses_1`."""

    def __init__(self) -> None:
        self.calls: list[Any] = []
        """What was asked, in order; reads are left out."""
        self.run = Run(id=RUN, session="ses_1", state="RUN_STATE_RUNNING")
        self.steps: list[Step] = []
        self.after_answer: list[RunEvent] = []
        """What happens once a request is answered."""
        self.refuse_answer: tuple[grpc.StatusCode, str] | None = None
        """How the next answer is refused."""
        self.refuse_input = ""
        """The input that batches refuse."""
        self._events: list[RunEvent] = []
        self._happened = threading.Condition()
        self._server = grpc.server(futures.ThreadPoolExecutor(8))
        add_RunServiceServicer_to_server(self, self._server)
        self.address = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.stop(None).wait()

    def happen(self, *events: RunEvent) -> None:
        """Let subscribers see the events."""
        with self._happened:
            for event in events:
                event.sequence, event.run = len(self._events) + 1, RUN
                self._events.append(event)
                if event.HasField("state_changed"):
                    self.run.state = event.state_changed.state
                if event.HasField("input_requested"):
                    self.run.requests.append(event.input_requested.request)
            self._happened.notify_all()

    def CreateRun(self, request: Any, context: Any) -> Run:
        return self._keep(request)

    PauseRun = ResumeRun = StepRun = SteerRun = CancelRun = ForkRun = CreateRun

    def RespondToRequest(self, request: Any, context: grpc.ServicerContext) -> Run:
        self._keep(request)
        if self.refuse_answer:
            refusal, self.refuse_answer = self.refuse_answer, None
            context.abort(*refusal)
        kept = [each for each in self.run.requests if each.id != request.input_request]
        del self.run.requests[:]
        self.run.requests.extend(kept)
        self.happen(RunEvent(input_answered=InputAnswered(request=request.input_request, user="ada")))
        if not kept:
            self.happen(*self.after_answer)
        return self.run

    def GetRun(self, request: Any, context: grpc.ServicerContext) -> Run:
        if request.run != RUN:
            context.abort(grpc.StatusCode.NOT_FOUND, "there is no such run")
        return self.run

    def ListSteps(self, request: Any, context: Any) -> ListStepsResponse:
        """Answer in pages of two."""
        self._keep(request)
        start = int(request.page_token or 0)
        rest = str(start + 2) if start + 2 < len(self.steps) else ""
        return ListStepsResponse(steps=self.steps[start : start + 2], next_page_token=rest)

    def BatchCreateRuns(self, request: Any, context: Any) -> BatchCreateRunsResponse:
        self._keep(request)
        refused = Failure(reason="ERROR_REASON_FIELD_INVALID", message="no", source="orchestrator")
        return BatchCreateRunsResponse(
            results=[
                BatchCreateRunsResult(failure=refused)
                if each.input == self.refuse_input
                else BatchCreateRunsResult(run=Run(id=f"run_{each.request_id}"))
                for each in request.requests
            ]
        )

    def SubscribeRun(self, request: Any, context: grpc.ServicerContext) -> Iterator[RunEvent]:
        context.add_callback(self._wake)
        place = request.after_sequence
        while context.is_active():
            with self._happened:
                while len(self._events) <= place and context.is_active():
                    self._happened.wait()
                fresh = self._events[place:]
            for event in fresh:
                yield event
                if event.state_changed.state in {3, 4, 5}:
                    return
            place += len(fresh)

    def _wake(self) -> None:
        with self._happened:
            self._happened.notify_all()

    def _keep(self, request: Any) -> Run:
        self.calls.append(request)
        return self.run


def state(value: str, attempt: int = 1) -> RunEvent:
    """Return the event of a new state."""
    return RunEvent(state_changed=RunStateChanged(state=f"RUN_STATE_{value}", attempt=attempt))


def asks(request: str, kind: str = "APPROVAL", **more: str) -> RunEvent:
    """Return the event of a request; an approval of the tool `shell` unless told otherwise."""
    fields = {"tool": "shell", "arguments": '{"command": "ls"}', "arguments_digest": "ab" * 32} | more
    message = InputRequest(id=request, run=RUN, step="tool-2", kind=f"INPUT_KIND_{kind}", **fields)
    return RunEvent(input_requested=InputRequested(request=message))
