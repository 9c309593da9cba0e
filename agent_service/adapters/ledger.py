"""`domain.ledger.Ledgers` over the orchestrator's gRPC contract, with the token of each attempt."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from agentmesh.agent.v1 import activity_pb2
from agentmesh.orchestrator.v1 import ledger_service_pb2, step_pb2
from agentmesh.orchestrator.v1.ledger_service_pb2_grpc import LedgerServiceStub

from agent_service.convert import file_to_proto, path_of, source_to_proto, usage_to_proto
from agent_service.domain.events import FileWritten, Source, StepKind, Usage
from agent_service.domain.ledger import Ask, Execute, Replay, Result, Steering, Suspend, Verdict
from agent_service.domain.task import Task
from agent_service.domain.tool import ToolAnswer
from meshkit.errors import DeadlineExceeded, Internal, Unavailable
from meshkit.rpc.channel import MeshChannel

if TYPE_CHECKING:  # the name exists for type checkers only
    from agentmesh.orchestrator.v1.ledger_service_pb2_grpc import LedgerServiceAsyncStub

__all__ = ["MeshLedgers"]

_SECONDS = 20.0
"""How long a ledger that is away is waited for; a restart of the orchestrator takes less."""
_FIRST_PAUSE_SECONDS, _LAST_PAUSE_SECONDS = 0.2, 2.0
_KINDS = {StepKind.MODEL: activity_pb2.STEP_KIND_MODEL, StepKind.TOOL: activity_pb2.STEP_KIND_TOOL}
_KINDS_OF = {number: kind for kind, number in _KINDS.items()}


class MeshLedgers:
    """Opens the ledgers of attempts."""

    def __init__(self, channel: MeshChannel) -> None:
        """Take a channel without credentials of its own; its owner closes it."""
        # The generator makes one class for both kinds of channels, and types for two.
        self._stub = cast("LedgerServiceAsyncStub", LedgerServiceStub(channel))

    def of(self, task: Task) -> "_MeshLedger":
        """Return the ledger of the task's attempt."""
        return _MeshLedger(self._stub, task)


class _MeshLedger:
    """`domain.ledger.Ledger` of one attempt."""

    def __init__(self, stub: "LedgerServiceAsyncStub", task: Task) -> None:
        self._stub, self._agent = stub, task.agent
        self._credentials = (("authorization", f"Bearer {task.ledger_token}"),)
        self._ahead: dict[tuple[StepKind, bytes, int], Replay] = {}

    async def begin(self, ask: Ask) -> Verdict:
        """Ask to begin a step; a ledger that is away is waited for.

        Once a step is replayed, those after it are read ahead, some at a time: a run that was interrupted asks for them
        next. What is recorded stays so, and the first step that is not is asked for again, also by whom.
        """
        if ahead := self._ahead.pop((ask.kind, ask.digest, ask.occurrence), None):
            return ahead
        verdict = await self._begin(ask)
        if isinstance(verdict, Replay) and not verdict.cached:
            await self._read_ahead(verdict.step)
        return verdict

    async def _begin(self, ask: Ask) -> Verdict:
        request = ledger_service_pb2.BeginStepRequest(
            kind=_KINDS[ask.kind],
            name=ask.name,
            agent=path_of(self._agent, ask.speaker),
            digest=ask.digest,
            occurrence=ask.occurrence,
            arguments=ask.arguments,
            repeatable=ask.repeatable,
        )
        answer = await self._ask(self._stub.BeginStep, request)
        steering = _steering_of(answer)
        match answer.WhichOneof("verdict"):
            case "execute":
                return Execute(answer.step, answer.execute.idempotency_key, answer.execute.arguments, steering)
            case "replay":
                return _replay_of(answer)
            case "suspend":
                return Suspend()
        raise Internal("the ledger gave a verdict that this version does not know")

    async def _read_ahead(self, step: str) -> None:
        request = ledger_service_pb2.ReplayStepsRequest(after=step)
        answer = await self._ask(self._stub.ReplaySteps, request)
        self._ahead = {
            (_KINDS_OF[recorded.kind], recorded.digest, recorded.occurrence): _replay_of(recorded)
            for recorded in answer.steps
        }

    async def complete(self, step: str, result: Result | None, usage: Usage) -> None:
        """Record what a step brought."""
        request = ledger_service_pb2.CompleteStepRequest(step=step, usage=usage_to_proto(usage))
        if isinstance(result, str):
            request.result.completion = result
        elif result is not None:
            request.result.tool.content = result.content
            request.result.tool.is_error = result.is_error
            request.result.tool.memory = result.memory_id
            request.result.tool.sources.extend(source_to_proto(source) for source in result.sources)
            request.result.tool.files.extend(file_to_proto(file) for file in result.files)
        await self._ask(self._stub.CompleteStep, request)

    async def _ask(self, method: Callable[..., Any], request: Any) -> Any:
        """Make the call, again while the ledger is away: both methods may be repeated.

        The channel's own retries are few for all its calls together, and a ledger that goes cuts off many at once.
        """
        clock = asyncio.get_running_loop().time
        late, pause = clock() + _SECONDS, _FIRST_PAUSE_SECONDS
        while True:
            try:
                left = late - clock()
                return await method(request, metadata=self._credentials, timeout=left, wait_for_ready=True)
            except (Unavailable, DeadlineExceeded) as error:
                if clock() + pause >= late:
                    raise Unavailable("the ledger is away") from error
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LAST_PAUSE_SECONDS)


def _replay_of(told: ledger_service_pb2.BeginStepResponse | ledger_service_pb2.RecordedStep) -> Replay:
    return Replay(told.step, _result_of(told.replay.result), told.replay.cached, _steering_of(told))


def _steering_of(
    told: ledger_service_pb2.BeginStepResponse | ledger_service_pb2.RecordedStep,
) -> tuple[Steering, ...]:
    return tuple(Steering(said.number, said.text) for said in told.steering)


def _result_of(result: step_pb2.StepResult) -> Result:
    if result.WhichOneof("result") == "completion":
        return result.completion
    sources = tuple(Source(source.uri, source.title) for source in result.tool.sources)
    files = tuple(FileWritten(file.name, file.media_type, file.size) for file in result.tool.files)
    return ToolAnswer(result.tool.content, result.tool.is_error, result.tool.memory, sources, files)
