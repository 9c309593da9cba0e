"""Runs: requests in, runs out; usage and failures."""

from collections.abc import Sequence

from agentmesh.agent.v1 import activity_pb2
from agentmesh.errors.v1 import failure_pb2, reason_pb2
from agentmesh.orchestrator.v1 import run_pb2, run_service_pb2
from google.protobuf.message import Message

from meshkit.context import CallContext
from meshkit.sql.idempotency import digest_of
from orchestrator.convert.agents import timestamp
from orchestrator.convert.requests import request_to_proto
from orchestrator.convert.specs import limits_to_proto, schema_from_proto, tighter_from_proto
from orchestrator.domain.model import Failure, OnBusy, Run, RunState, Usage
from orchestrator.domain.runs import TaskRequest
from orchestrator.domain.steps import InputRequest
from orchestrator.domain.storage import RequestKey, RunFilter

__all__ = [
    "created_to_proto",
    "failure_to_proto",
    "filter_from_proto",
    "request_key",
    "run_to_proto",
    "task_from_proto",
    "usage_from_proto",
    "usage_to_proto",
]


def request_key(caller: CallContext, method: str, request: Message) -> RequestKey:
    """Return the key of a create: its `request_id`, whose it is, and a digest of what is asked."""
    parameters = type(request)()
    parameters.CopyFrom(request)
    parameters.ClearField("request_id")
    request_id: str = request.request_id  # type: ignore[attr-defined]
    return RequestKey(caller.tenant, caller.subject, method, request_id, digest_of(parameters))


def task_from_proto(caller: CallContext, request: run_service_pb2.CreateRunRequest, traceparent: str) -> TaskRequest:
    """Return what a caller asks for."""
    return TaskRequest(
        request_key(caller, "CreateRun", request),
        request.session,
        request.agent,
        request.input,
        request.user,
        tighter_from_proto(request.limits) if request.HasField("limits") else None,
        traceparent,
        _on_busy(request),
        schema_from_proto(request.output_schema, "output_schema") if request.HasField("output_schema") else None,
    )


def created_to_proto(created: Run | Failure) -> run_service_pb2.BatchCreateRunsResult:
    """Return what became of one task of a batch."""
    if isinstance(created, Failure):
        return run_service_pb2.BatchCreateRunsResult(failure=failure_to_proto(created))
    return run_service_pb2.BatchCreateRunsResult(run=run_to_proto(created, run_pb2.RUN_VIEW_FULL))


def _on_busy(request: run_service_pb2.CreateRunRequest) -> OnBusy:
    name = run_service_pb2.OnBusy.Name(request.on_busy).removeprefix("ON_BUSY_")
    return OnBusy.REJECT if name == "UNSPECIFIED" else OnBusy(name)


def filter_from_proto(request: run_service_pb2.ListRunsRequest) -> RunFilter:
    """Return which runs are asked for."""
    name = run_pb2.RunState.Name(request.state).removeprefix("RUN_STATE_")
    state = None if name == "UNSPECIFIED" else RunState(name)
    return RunFilter(request.session, request.agent, state, request.parent)


def run_to_proto(run: Run, view: run_pb2.RunView, requests: Sequence[InputRequest] = ()) -> run_pb2.Run:
    """Return the run as a message, with what it asks of people; BASIC leaves the long texts out."""
    full = view == run_pb2.RUN_VIEW_FULL
    return run_pb2.Run(
        id=run.id,
        session=run.session,
        user=run.user,
        agent=run.agent,
        input=run.input if full else "",
        state=f"RUN_STATE_{run.state}",
        output=run.output if full else "",
        failure=failure_to_proto(run.failure) if run.failure else None,
        usage=usage_to_proto(run.usage),
        attempt=run.attempt,
        limits=limits_to_proto(run.spec.limits),
        last_sequence=run.last_sequence,
        create_time=timestamp(run.create_time),
        start_time=timestamp(run.start_time),
        finish_time=timestamp(run.finish_time),
        requests=map(request_to_proto, requests),
        forked_from=run.forked_from,
        parent=run.parent,
    )


def usage_to_proto(usage: Usage) -> activity_pb2.Usage:
    """Return a run's total as a message."""
    return activity_pb2.Usage(
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        model_calls=usage.model_calls,
        tool_calls=usage.tool_calls,
        cost_micros=usage.cost_micros,
    )


def usage_from_proto(usage: activity_pb2.Usage) -> Usage:
    """Return what was used."""
    return Usage(usage.input_tokens, usage.output_tokens, usage.model_calls, usage.tool_calls, usage.cost_micros)


def failure_to_proto(failure: Failure) -> failure_pb2.Failure:
    """Return the failure and its causes as a message."""
    name = f"ERROR_REASON_{failure.reason}"
    known = name in reason_pb2.ErrorReason.keys()  # noqa: SIM118 - an enum's wrapper is no mapping
    return failure_pb2.Failure(
        reason=name if known else "ERROR_REASON_INTERNAL",
        message=failure.message,
        source=failure.source,
        cause=failure_to_proto(failure.cause) if failure.cause else None,
    )
