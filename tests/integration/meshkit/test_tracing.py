"""One trace through all hops, one span a call, the true status on each, and the id in every log line and error."""

# ruff: noqa: ASYNC110 - a span that ends has no event of its own

import asyncio
import io
import json
import logging
import signal
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
import structlog
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2, metrics_service_pb2_grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from meshkit import context, errors
from meshkit.rpc.streams import open_stream
from meshkit.telemetry.logs import setup_logs
from meshkit.telemetry.setup import Telemetry
from meshkit.testing.credentials import TestTokens
from tests.integration.meshkit.conftest import Mesh, say
from tests.integration.meshkit.echo import SERVICE, Echo
from tests.integration.meshkit.processes import echo_process

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class Recorder:
    """Keeps spans and measurements in memory, through the real SDK."""

    def __init__(self) -> None:
        self.exporter = InMemorySpanExporter()
        self.reader = InMemoryMetricReader()
        tracers = TracerProvider()
        tracers.add_span_processor(SimpleSpanProcessor(self.exporter))
        meters = MeterProvider([self.reader])
        self.telemetry = Telemetry(tracers.get_tracer("test"), meters.get_meter("test"))

    def spans(self) -> dict[str, ReadableSpan]:
        return {span.name.rpartition("/")[2]: span for span in self.exporter.get_finished_spans()}

    def codes(self) -> list[str]:
        return [str((span.attributes or {})["rpc.response.status_code"]) for span in self.exporter.get_finished_spans()]


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    setup_logs("test", "info", stream)
    yield stream
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


async def test_two_hops_are_one_trace(mesh: Mesh, recorder: Recorder) -> None:
    inner = await mesh.stub(await mesh.serve({"Say": say}, telemetry=recorder.telemetry))

    async def relay(request: Any, _context: Any) -> Any:
        yield await inner.Say(request)

    outer = await mesh.stub(await mesh.serve({"Expand": relay}, telemetry=recorder.telemetry))
    async with open_stream(outer.Expand(Echo(text="a"), metadata=(("traceparent", PARENT),))) as answers:
        assert [each.text async for each in answers] == ["a"]
    spans = recorder.spans()
    assert spans.keys() == {"Say", "Expand"}
    say_span, expand_span = spans["Say"], spans["Expand"]
    assert say_span.context is not None
    assert expand_span.context is not None
    assert say_span.parent is not None
    assert expand_span.parent is not None
    assert f"{expand_span.context.trace_id:032x}" == f"{say_span.context.trace_id:032x}" == PARENT.split("-")[1]
    assert f"{expand_span.parent.span_id:016x}" == PARENT.split("-")[2]
    assert say_span.parent.span_id == expand_span.context.span_id
    assert (expand_span.attributes or {})["rpc.method"] == f"{SERVICE}/Expand"


async def fail(_request: Any, _context: Any) -> Any:
    raise errors.Unavailable("away")


async def refuse(_request: Any, _context: Any) -> Any:
    raise errors.NotFound("no such thing")


async def hang(_request: Any, _context: Any) -> Any:
    yield Echo()
    await asyncio.Event().wait()


async def test_a_span_has_the_status_that_the_caller_saw(mesh: Mesh, recorder: Recorder) -> None:
    address = await mesh.serve({"Say": fail, "Once": refuse, "Expand": hang}, telemetry=recorder.telemetry)
    stub = await mesh.stub(address)
    with pytest.raises(errors.Unavailable):
        await stub.Say(Echo())
    with pytest.raises(errors.NotFound):
        await stub.Once(Echo())
    with pytest.raises(errors.PermissionDenied):
        await (await mesh.stub(address, token=mesh.tokens.token())).Say(Echo())
    async with open_stream(stub.Expand(Echo())) as stream:
        await anext(stream)
    timed = stub.Expand(Echo(), timeout=0.2)
    with pytest.raises(errors.DeadlineExceeded):
        [each async for each in timed]
    async with asyncio.timeout(2):
        while len(recorder.codes()) < 5:
            await asyncio.sleep(0.01)
    assert sorted(recorder.codes()) == sorted(
        ["UNAVAILABLE", "NOT_FOUND", "PERMISSION_DENIED", "CANCELLED", "DEADLINE_EXCEEDED"]
    )
    statuses = {
        code: span.status.is_ok
        for code, span in zip(recorder.codes(), recorder.exporter.get_finished_spans(), strict=True)
    }
    assert {code for code, good in statuses.items() if not good} == {"UNAVAILABLE", "DEADLINE_EXCEEDED"}


async def test_calls_are_measured_by_method_and_status(mesh: Mesh, recorder: Recorder) -> None:
    stub = await mesh.stub(await mesh.serve({"Say": say, "Once": refuse}, telemetry=recorder.telemetry))
    for _ in range(3):
        await stub.Say(Echo())
    with pytest.raises(errors.NotFound):
        await stub.Once(Echo())
    async with asyncio.timeout(2):
        while len(recorder.codes()) < 4:  # the caller hears of the end before the server has noted it
            await asyncio.sleep(0.01)
    data = recorder.reader.get_metrics_data()
    assert data is not None
    points = {
        (metric.name, str(point.attributes["rpc.method"]), point.attributes.get("rpc.response.status_code")): point
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
        for point in metric.data.data_points
    }
    duration = "rpc.server.call.duration"
    assert points[duration, f"{SERVICE}/Say", "OK"].count == 3  # type: ignore[union-attr]
    assert points[duration, f"{SERVICE}/Once", "NOT_FOUND"].count == 1  # type: ignore[union-attr]
    assert points["mesh.rpc.server.active_calls", f"{SERVICE}/Say", None].value == 0  # type: ignore[union-attr]


async def test_a_trace_id_joins_log_context_and_error_even_without_an_exporter(mesh: Mesh, lines: io.StringIO) -> None:
    seen: list[str] = []

    async def breaks(_request: Any, _context: Any) -> Any:
        seen.append(context.current().trace_id)
        structlog.get_logger("test").info("about_to_fail")
        raise ValueError("password=hunter2hunter2")

    stub = await mesh.stub(await mesh.serve({"Say": breaks}))
    with pytest.raises(errors.Internal) as caught:
        await stub.Say(Echo(), metadata=(("traceparent", PARENT),))
    trace = PARENT.split("-")[1]
    assert seen == [trace]
    assert caught.value.message == f"internal error, trace {trace}"
    entries = {each["event"]: each for each in map(json.loads, lines.getvalue().splitlines())}
    assert entries["about_to_fail"]["trace_id"] == entries["call_failed"]["trace_id"] == trace
    assert entries["about_to_fail"]["tenant"] == entries["call_failed"]["tenant"] == "acme"
    assert "ValueError" in entries["call_failed"]["exception"]
    assert "hunter2" not in lines.getvalue()
    with pytest.raises(errors.Internal):
        await stub.Say(Echo())
    assert len(seen[1]) == 32
    assert seen[1] != "0" * 32


async def test_broken_trace_headers_are_no_reason_to_fail(mesh: Mesh) -> None:
    stub = await mesh.stub(await mesh.serve({"Say": say}))
    for header in ("", "00-xyz", "00-" + "0" * 32 + "-" + "0" * 16 + "-01", "x" * 2000):
        assert (await stub.Say(Echo(text="a"), metadata=(("traceparent", header),))).text == "a"


async def test_no_credential_and_no_message_is_exported(mesh: Mesh, recorder: Recorder) -> None:
    address = await mesh.serve({"Say": say}, telemetry=recorder.telemetry)
    token = mesh.tokens.token("echo.say")
    await (await mesh.stub(address, token=token)).Say(Echo(text="secret text"))
    exported = "".join(span.to_json() for span in recorder.exporter.get_finished_spans())
    assert f"{SERVICE}/Say" in exported
    assert token not in exported
    assert "secret text" not in exported


class Collector(trace_service_pb2_grpc.TraceServiceServicer, metrics_service_pb2_grpc.MetricsServiceServicer):
    """An OTLP receiver: keeps the names that arrive, under the service that sent them."""

    def __init__(self) -> None:
        self.names: set[str] = set()
        self.services: set[str] = set()

    def _keep(self, resource: Any, names: Any) -> None:
        self.services |= {each.value.string_value for each in resource.attributes if each.key == "service.name"}
        self.names |= set(names)

    async def Export(self, request: Any, context: Any) -> Any:  # noqa: N802 - the method's name in both services
        if isinstance(request, trace_service_pb2.ExportTraceServiceRequest):
            for group in request.resource_spans:
                self._keep(group.resource, [span.name for scope in group.scope_spans for span in scope.spans])
            return trace_service_pb2.ExportTraceServiceResponse()
        for group in request.resource_metrics:
            self._keep(group.resource, [metric.name for scope in group.scope_metrics for metric in scope.metrics])
        return metrics_service_pb2.ExportMetricsServiceResponse()


async def test_a_process_exports_what_it_saw_before_it_ends(mesh: Mesh, tokens: TestTokens) -> None:
    collector, server = Collector(), grpc.aio.server()
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(collector, server)
    metrics_service_pb2_grpc.add_MetricsServiceServicer_to_server(collector, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    variables = {"MESH_OTLP_ENDPOINT": f"http://127.0.0.1:{port}", "MESH_SHUTDOWN_GRACE": "1"}
    async with echo_process(tokens, variables) as echo:
        stub = await mesh.stub(echo.address)
        await stub.Say(Echo(text="a"))
        echo.process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(echo.wait(), 10) == 0
    await server.stop(None)
    assert collector.services == {"echo"}
    assert {f"{SERVICE}/Say", "rpc.server.call.duration"} <= collector.names
    assert not any("health" in name for name in collector.names)
