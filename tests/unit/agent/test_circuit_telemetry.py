"""What operators see of circuits: how many are open, by kind, and a line for each that opens or closes."""

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, NumberDataPoint
from structlog.testing import capture_logs

from agent_service.adapters.circuits import CircuitTelemetry
from agent_service.domain.breaker import Circuit


def open_circuits(reader: InMemoryMetricReader) -> dict[object, int | float]:
    data = reader.get_metrics_data()
    assert data is not None
    (metric,) = data.resource_metrics[0].scope_metrics[0].metrics
    assert metric.name == "mesh.circuits.open"
    points = [point for point in metric.data.data_points if isinstance(point, NumberDataPoint)]
    assert all(set(point.attributes or {}) == {"kind"} for point in points)  # no names: callers choose those
    return {(point.attributes or {})["kind"]: point.value for point in points}


def test_open_circuits_are_counted_and_told() -> None:
    reader = InMemoryMetricReader()
    telemetry = CircuitTelemetry(MeterProvider([reader]).get_meter("test"))
    one, two, tool = Circuit("acme", "model", "m-1"), Circuit("acme", "model", "m-2"), Circuit("acme", "tool", "t")
    with capture_logs() as lines:
        for circuit in (one, two, tool):
            telemetry.changed(circuit, True)
        assert open_circuits(reader) == {"model": 2, "tool": 1}
        telemetry.changed(one, False)
    assert open_circuits(reader) == {"model": 1, "tool": 1}
    assert [line["event"] for line in lines] == ["circuit_opened"] * 3 + ["circuit_closed"]
    assert (lines[0]["tenant"], lines[0]["kind"], lines[0]["name"]) == ("acme", "model", "m-1")
