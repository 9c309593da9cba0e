"""What people ask of runs that are there: forks in, steps out."""

from agentmesh.agent.v1 import activity_pb2
from agentmesh.orchestrator.v1 import run_control_pb2, step_pb2

from meshkit.context import CallContext
from orchestrator.convert.agents import timestamp
from orchestrator.convert.outcomes import outcome_from_proto, outcome_to_proto
from orchestrator.convert.runs import request_key
from orchestrator.domain.forking import Fork
from orchestrator.domain.steps import Step

__all__ = ["fork_from_proto", "step_to_proto"]


def fork_from_proto(caller: CallContext, request: run_control_pb2.ForkRunRequest, traceparent: str) -> Fork:
    """Return what a caller asks for. Raises InvalidArgument for an empty result."""
    edit = request.WhichOneof("edit")
    return Fork(
        request_key(caller, "ForkRun", request),
        request.run,
        request.step,
        request.input if edit == "input" else None,
        outcome_from_proto(request.result) if edit == "result" else None,
        traceparent,
    )


def step_to_proto(step: Step) -> step_pb2.Step:
    """Return the step as a message, with what was read of it."""
    usage = step.usage
    return step_pb2.Step(
        id=step.id,
        number=step.number,
        kind=f"STEP_KIND_{step.kind}",
        name=step.name,
        agent=step.agent,
        state=f"STEP_STATE_{step.state}",
        attempt=step.attempt,
        arguments=step.arguments,
        result=outcome_to_proto(step.outcome) if step.outcome is not None else None,
        usage=activity_pb2.Usage(
            input_tokens=usage.input_tokens, output_tokens=usage.output_tokens, cost_micros=usage.cost_micros
        ),
        cached=step.cached,
        create_time=timestamp(step.create_time),
        finish_time=timestamp(step.finish_time),
    )
