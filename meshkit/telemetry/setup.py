"""Traces and metrics: where they go, decided once at start.

Owns the OpenTelemetry SDK's set-up. Without an endpoint nothing is recorded or exported, but every call still has a
trace id, for logs and error messages.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from opentelemetry import metrics, trace
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.metrics import Meter, NoOpMeterProvider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import Tracer

from meshkit.config import TelemetrySettings

__all__ = ["Telemetry", "silent", "start"]

_NAME = "meshkit"


@dataclass(frozen=True, slots=True)
class Telemetry:
    """The tracer and the meter of a process, and how to flush them at its end."""

    tracer: Tracer
    meter: Meter
    stop: Callable[[], None] = field(default=lambda: None)
    """Sends what is left and stops. Blocks for some seconds at most; call it last."""


def silent() -> Telemetry:
    """Return a telemetry that gives trace ids and keeps nothing."""
    return Telemetry(TracerProvider(sampler=ALWAYS_OFF).get_tracer(_NAME), NoOpMeterProvider().get_meter(_NAME))


def start(settings: TelemetrySettings, service: str) -> Telemetry:
    """Start exporting for this process, if an endpoint is set, and make it the process's own (`trace.get_tracer`)."""
    if settings.otlp_endpoint is None:
        return silent()
    resource = Resource.create({"service.name": service, "service.namespace": "agentmesh"})
    insecure = settings.otlp_endpoint.startswith("http://")
    tracers = TracerProvider(resource=resource, shutdown_on_exit=False)
    tracers.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(settings.otlp_endpoint, insecure=insecure)))
    reader = PeriodicExportingMetricReader(OTLPMetricExporter(settings.otlp_endpoint, insecure=insecure))
    meters = MeterProvider([reader], resource=resource, shutdown_on_exit=False)
    trace.set_tracer_provider(tracers)
    metrics.set_meter_provider(meters)

    def stop() -> None:
        tracers.shutdown()
        meters.shutdown()

    return Telemetry(tracers.get_tracer(_NAME), meters.get_meter(_NAME), stop)
