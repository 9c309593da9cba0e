"""Control of one run: pause it, let it take one step, speak to it, answer what it asks, begin another one as it began.

Owns the calls of one run and the promise that nobody approves what they did not see: an approval takes the request
itself, not its id. What each verb means, and when it takes effect, is written at `RunService`.
"""

from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, TypeAlias

from agentmesh.orchestrator.v1.input_request_pb2 import InputKind, InputRequest
from agentmesh.orchestrator.v1.run_control_pb2 import (
    Answer,
    Approve,
    Deny,
    ForkRunRequest,
    ListStepsRequest,
    PauseRunRequest,
    RespondToRequestRequest,
    ResumeRunRequest,
    SteerRunRequest,
    StepRunRequest,
)
from agentmesh.orchestrator.v1.run_pb2 import Run, RunView
from agentmesh.orchestrator.v1.run_service_pb2 import CancelRunRequest, GetRunRequest
from agentmesh.orchestrator.v1.step_pb2 import Step, StepResult

from meshkit.ids import new_id

if TYPE_CHECKING:  # the generated stubs are typed for asyncio in their .pyi only
    from agentmesh.orchestrator.v1.run_service_pb2_grpc import RunServiceAsyncStub

__all__ = ["Decision", "RunControl", "approval"]

Decision: TypeAlias = Approve | Deny | Answer
"""How a request is answered."""


def approval(request: InputRequest, arguments: str = "") -> Approve:
    """Return the approval of exactly this request; `arguments` (JSON text) go on with others than it asks for."""
    seen = request.arguments_digest if request.kind == InputKind.INPUT_KIND_APPROVAL else ""
    return Approve(arguments_digest=seen, edited_arguments=arguments)


class RunControl:
    """The controls of one run. Every method raises MeshError, and NotFound for a run that the caller does not see."""

    def __init__(self, runs: "RunServiceAsyncStub", run: str) -> None:
        self._runs = runs
        self._run = run

    async def get(self) -> Run:
        """Return the run with all that it asks, but without its input and output."""
        return await self._runs.GetRun(GetRunRequest(run=self._run, view=RunView.RUN_VIEW_BASIC))

    async def pause(self) -> Run:
        """Let no further step begin."""
        return await self._runs.PauseRun(PauseRunRequest(run=self._run))

    async def resume(self) -> Run:
        """Let steps begin again."""
        return await self._runs.ResumeRun(ResumeRunRequest(run=self._run))

    async def step(self) -> Run:
        """Let one more step begin, then pause."""
        return await self._runs.StepRun(StepRunRequest(run=self._run))

    async def cancel(self) -> Run:
        """End the run now."""
        return await self._runs.CancelRun(CancelRunRequest(run=self._run))

    async def steer(self, text: str, *, request_id: str = "") -> Run:
        """Say something to the agent while it works. Give `request_id` to repeat a call that may have arrived."""
        request = SteerRunRequest(request_id=request_id or new_id("req"), run=self._run, text=text)
        return await self._runs.SteerRun(request)

    async def respond(self, request: str, decision: Decision) -> Run:
        """Answer the request with this id. Raises FailedPrecondition (REQUEST_CLOSED) if it no longer waits."""
        answered = RespondToRequestRequest(run=self._run, input_request=request)
        if isinstance(decision, Approve):
            answered.approve.CopyFrom(decision)
        elif isinstance(decision, Deny):
            answered.deny.CopyFrom(decision)
        else:
            answered.answer.CopyFrom(decision)
        return await self._runs.RespondToRequest(answered)

    async def approve(self, request: InputRequest, *, arguments: str = "") -> Run:
        """Let the tool be called as the request shows, or with other `arguments` (JSON text)."""
        return await self.respond(request.id, approval(request, arguments))

    async def deny(self, request: str, reason: str = "") -> Run:
        """Refuse the request with this id; the model is told the reason."""
        return await self.respond(request, Deny(reason=reason))

    async def answer(self, request: str, text: str) -> Run:
        """Answer the question with this id, or say what an interrupted tool did."""
        return await self.respond(request, Answer(text=text))

    async def fork(
        self, step: str = "", *, text: str | None = None, result: StepResult | None = None, request_id: str = ""
    ) -> Run:
        """Begin a new run that replays this one up to and with `step`.

        `text` is what the agent is asked instead, `result` what `step` brought instead: one of them, or neither. Give
        `request_id` to repeat a call that may have arrived.
        """
        request = ForkRunRequest(
            request_id=request_id or new_id("req"), run=self._run, step=step, input=text, result=result
        )
        return await self._runs.ForkRun(request)

    async def steps(self, *, full: bool = False) -> AsyncGenerator[Step, None]:
        """Yield what the run has done so far, in order; `full` with arguments and results."""
        view = RunView.RUN_VIEW_FULL if full else RunView.RUN_VIEW_BASIC
        token = ""
        while True:
            page = await self._runs.ListSteps(ListStepsRequest(run=self._run, view=view, page_token=token))
            for step in page.steps:
                yield step
            token = page.next_page_token
            if not token:
                return
