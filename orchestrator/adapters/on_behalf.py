"""What the orchestrator does for a run, it does for the run's user: one call context and one span a step.

The user's own token is never handed on: the channels make short-lived ones from this context.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from meshkit import context
from orchestrator.domain.model import Run

__all__ = ["acting_for", "current_traceparent"]

_TRACE = TraceContextTextMapPropagator()
_TRACER = trace.get_tracer("orchestrator")


@contextmanager
def acting_for(run: Run, step: str, seconds: float | None = None) -> Iterator[None]:
    """Act for the run's user inside the block, in a span of the run's trace; `seconds` is the most it may take."""
    parent = _TRACE.extract({"traceparent": run.traceparent} if run.traceparent else {})
    deadline = None if seconds is None else time.monotonic() + seconds
    caller = context.CallContext(run.tenant, run.user, deadline=deadline, trace_id=run.trace_id)
    attributes: dict[str, str | int] = {"agentmesh.run": run.id, "agentmesh.attempt": run.attempt}
    span = _TRACER.start_span(step, context=parent, attributes=attributes)
    with trace.use_span(span, end_on_exit=True), context.use(caller):
        yield


def current_traceparent() -> str:
    """Return the trace context of the call being served, to be stored with what it starts."""
    headers: dict[str, str] = {}
    _TRACE.inject(headers)
    return headers.get("traceparent", "")
