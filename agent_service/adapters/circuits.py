"""Tells operators of circuits that open and close: a line of the log, and a metric of how many are open.

The metric names the kind alone: models and tenants are as many as callers like.
"""

import structlog
from opentelemetry.metrics import Meter

from agent_service.domain.breaker import Circuit

__all__ = ["CircuitTelemetry"]


class CircuitTelemetry:
    """Counts open circuits."""

    def __init__(self, meter: Meter) -> None:
        self._log = structlog.get_logger(__name__)
        self._open = meter.create_up_down_counter(
            "mesh.circuits.open", unit="{circuit}", description="Models and tools that are left alone for some seconds."
        )

    def changed(self, circuit: Circuit, is_open: bool) -> None:
        """Hear of an opening or a closing."""
        self._open.add(1 if is_open else -1, {"kind": circuit.kind})
        event = "circuit_opened" if is_open else "circuit_closed"
        self._log.warning(event, kind=circuit.kind, name=circuit.name, tenant=circuit.tenant)
