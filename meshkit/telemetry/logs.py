"""Logs: one JSON object a line on standard output, with the trace and the tenant of the call, and without secrets.

Owns structlog's and the standard library's set-up. Log an action and ids, never whole messages:

    log = structlog.get_logger(__name__)
    log.info("run_created", run=run.id)
"""

import logging
import sys
from collections.abc import Callable, MutableMapping
from typing import Any, TextIO

import structlog
from opentelemetry import trace
from structlog.typing import EventDict, Processor

from meshkit.context import current_or_none
from meshkit.redaction import redact_value

__all__ = ["setup_logs"]


def setup_logs(service: str, level: str = "info", stream: TextIO | None = None) -> None:
    """Send the logs of structlog and of the standard library to `stream` (standard output) as JSON lines."""
    shared: list[Processor] = [
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _service_adder(service),
        _add_call,
        structlog.processors.format_exc_info,
        _redact,  # after the exception is text, before anything is written
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream or sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(default=str),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # These two write a line a request at INFO, with URLs.
    for chatty in ("httpx", "httpcore"):
        logging.getLogger(chatty).setLevel("WARNING")


def _service_adder(service: str) -> Callable[[Any, str, EventDict], EventDict]:
    def add(_logger: Any, _method: str, event: EventDict) -> EventDict:
        event["service"] = service
        return event

    return add


def _add_call(_logger: Any, _method: str, event: EventDict) -> EventDict:
    span = trace.get_current_span().get_span_context()
    if span.is_valid:
        event["trace_id"] = trace.format_trace_id(span.trace_id)
        event["span_id"] = trace.format_span_id(span.span_id)
    call = current_or_none()
    if call is not None and call.tenant:
        event["tenant"] = call.tenant
    return event


def _redact(_logger: Any, _method: str, event: EventDict) -> EventDict:
    clean: MutableMapping[str, Any] = {
        key: value if key.startswith("_") else redact_value(value, key) for key, value in event.items()
    }
    return clean
