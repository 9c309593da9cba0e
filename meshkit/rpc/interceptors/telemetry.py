"""One span and one measurement a call, and never anything a message.

Owns the server's span (OpenTelemetry's names for RPC) and the trace context that callers send (`traceparent`). The
stock instrumentation is not used: it breaks handlers that write by themselves and reports cancelled calls as good.
"""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from opentelemetry import context as otel
from opentelemetry import trace
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from meshkit.rpc.interceptors.chain import Call
from meshkit.rpc.policy import Access
from meshkit.telemetry.setup import Telemetry

__all__ = ["TelemetryLayer"]

# Codes that tell of the server's own trouble; the others are the caller's, and no error of ours.
_SERVER_FAULTS = frozenset({"UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"})


class TelemetryLayer:
    """Traces and measures every call."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._tracer = telemetry.tracer
        self._durations = telemetry.meter.create_histogram(
            "rpc.server.call.duration", unit="s", description="How long calls take, by method and status."
        )
        self._active = telemetry.meter.create_up_down_counter(
            "mesh.rpc.server.active_calls", unit="{call}", description="Calls and streams being served."
        )
        self._propagator = TraceContextTextMapPropagator()

    @asynccontextmanager
    async def around(self, call: Call) -> AsyncIterator[None]:
        """Hold the call's span open and current while the inner layers run."""
        if call.rule.access is Access.OPEN:
            yield  # health is asked every second by every balancer: nobody wants to read of it
            return
        method = {"rpc.system.name": "grpc", "rpc.method": call.method.removeprefix("/")}
        parent = self._propagator.extract(call.metadata)
        span = self._tracer.start_span(
            call.method.removeprefix("/"), parent, kind=trace.SpanKind.SERVER, attributes=method
        )
        token = otel.attach(trace.set_span_in_context(span, parent))
        self._active.add(1, method)
        started = time.perf_counter()
        try:
            yield
        finally:
            outcome = {**method, "rpc.response.status_code": call.code}
            self._durations.record(time.perf_counter() - started, outcome)
            self._active.add(-1, method)
            span.set_attribute("rpc.response.status_code", call.code)
            if call.code in _SERVER_FAULTS:
                span.set_status(trace.StatusCode.ERROR)
            span.end()
            otel.detach(token)
