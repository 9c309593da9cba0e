"""What agents ask the ledger, and what they are told."""

from agentmesh.agent.v1 import activity_pb2
from agentmesh.orchestrator.v1 import ledger_service_pb2

from meshkit.context import CallContext
from meshkit.errors import InvalidArgument, PermissionDenied
from orchestrator.convert.outcomes import outcome_from_proto, outcome_to_proto
from orchestrator.domain.ledger import Attempt, Execute, Recorded, Replay, Said, StepAsk, StepName, Verdict
from orchestrator.domain.model import Usage
from orchestrator.domain.steps import Outcome, StepKind

__all__ = [
    "ask_from_proto",
    "attempt_of",
    "outcome_of",
    "recorded_to_proto",
    "step_name",
    "usage_from_proto",
    "verdict_to_proto",
]

_LAST_NUMBER = 2**31 - 1


def attempt_of(caller: CallContext) -> Attempt:
    """Return the attempt that the caller's token is bound to. Raises PermissionDenied for a token bound to none."""
    run, _, number = caller.bound.rpartition("/")
    if not run or not (number.isascii() and number.isdecimal()):
        raise PermissionDenied("this call needs the token of an attempt", reason="SCOPE_MISSING")
    return Attempt(caller.tenant, run, int(number))


def ask_from_proto(request: ledger_service_pb2.BeginStepRequest) -> StepAsk:
    """Return what is asked."""
    return StepAsk(
        StepKind(activity_pb2.StepKind.Name(request.kind).removeprefix("STEP_KIND_")),
        request.name,
        request.agent,
        request.digest,
        request.occurrence,
        request.arguments,
        request.repeatable,
    )


def verdict_to_proto(verdict: Verdict) -> ledger_service_pb2.BeginStepResponse:
    """Return what is to be done."""
    match verdict:
        case Execute(step, key, arguments, steering):
            return ledger_service_pb2.BeginStepResponse(
                step=step,
                execute=ledger_service_pb2.Execute(idempotency_key=key, arguments=arguments),
                steering=map(_steering, steering),
            )
        case Replay(step, outcome, cached, steering):
            return ledger_service_pb2.BeginStepResponse(
                step=step,
                replay=ledger_service_pb2.Replay(result=outcome_to_proto(outcome), cached=cached),
                steering=map(_steering, steering),
            )
    return ledger_service_pb2.BeginStepResponse(suspend=ledger_service_pb2.Suspend())


def recorded_to_proto(recorded: Recorded) -> ledger_service_pb2.RecordedStep:
    """Return a recorded step."""
    verdict = verdict_to_proto(recorded.replay)
    return ledger_service_pb2.RecordedStep(
        step=verdict.step,
        kind=f"STEP_KIND_{recorded.kind}",
        digest=recorded.digest,
        occurrence=recorded.occurrence,
        replay=verdict.replay,
        steering=verdict.steering,
    )


def step_name(step: str) -> StepName:
    """Return the step that an id names. Raises InvalidArgument for an id of no kind."""
    kind, _, number = step.rpartition("-")
    if kind.upper() not in StepKind.__members__ or int(number) > _LAST_NUMBER:
        raise InvalidArgument("step is no id of a step", field="step")
    return StepName(StepKind(kind.upper()), int(number))


def outcome_of(request: ledger_service_pb2.CompleteStepRequest) -> Outcome | None:
    """Return what the step brought; None: it failed. Raises InvalidArgument for an empty result."""
    return outcome_from_proto(request.result) if request.HasField("result") else None


def usage_from_proto(usage: activity_pb2.Usage) -> Usage:
    """Return the tokens and the cost; calls are counted when they begin."""
    return Usage(usage.input_tokens, usage.output_tokens, cost_micros=usage.cost_micros)


def _steering(said: Said) -> ledger_service_pb2.Steering:
    return ledger_service_pb2.Steering(number=said[0], text=said[1])
