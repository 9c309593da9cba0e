"""Exceptions become statuses here, and nowhere else.

A `MeshError` travels with its typed details. Any other exception is a defect: the caller hears a trace id and nothing
more, since its text may hold a password or another tenant's data; the log of that trace has the cause, redacted.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NoReturn

import grpc
import structlog
from grpc_status import rpc_status
from opentelemetry import trace

from meshkit.errors import Internal, MeshError
from meshkit.rpc.interceptors.chain import Call
from meshkit.rpc.status import from_rpc_error, to_status

__all__ = ["ErrorLayer"]

_log = structlog.get_logger("meshkit.rpc")


class ErrorLayer:
    """Ends a failed call with the right status."""

    @asynccontextmanager
    async def around(self, call: Call) -> AsyncIterator[None]:
        """Map whatever leaves the inner layers."""
        try:
            yield
        except MeshError as error:
            await _end(call, error)
        except grpc.aio.AioRpcError as error:  # from a channel that is not ours
            await _end(call, from_rpc_error(error))
        except asyncio.CancelledError:
            # gRPC cancels the handler both when the caller goes and when the deadline that it sent passes.
            left = call.grpc.time_remaining()
            call.code = "DEADLINE_EXCEEDED" if left is not None and left <= 0 else "CANCELLED"
            raise
        except grpc.aio.AbortError:
            call.code = "UNKNOWN"  # only gRPC's own servicers end a call by themselves, and tell us not how
            raise
        except Exception as error:  # noqa: BLE001 - the last line of defence: the text must not leave the process
            await _end(call, Internal("defect"), error)


async def _end(call: Call, error: MeshError, cause: Exception | None = None) -> NoReturn:
    if error.code == "INTERNAL":
        _log.error("call_failed", method=call.method, tenant=call.tenant, reason=error.reason, exc_info=cause or error)
        if error.reason == "INTERNAL":
            error = Internal(f"internal error, trace {trace_id()}")
    call.code = error.code
    await call.grpc.abort_with_status(rpc_status.to_status(to_status(error, trace_id=trace_id())))
    raise AssertionError  # abort_with_status always raises


def trace_id() -> str:
    """Return the trace id of the call being served: 32 hexadecimal digits."""
    return trace.format_trace_id(trace.get_current_span().get_span_context().trace_id)
