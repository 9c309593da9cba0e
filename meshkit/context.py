"""Who is calling, for which tenant, until when: the one object that goes down from a handler instead of gRPC's own.

Owns `CallContext` and the context variable that holds it during a call. The authentication and deadline interceptors
fill it; it checks nothing by itself but scopes. Standard library only, so that `domain/` may use it.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace

from meshkit.errors import PermissionDenied

__all__ = ["ACT_AS_SCOPE", "SERVICE_PREFIX", "CallContext", "current", "current_or_none", "use"]

ACT_AS_SCOPE = "users.act_as"
"""The scope that lets a caller act for a user other than itself: back ends that serve many users hold it."""

SERVICE_PREFIX = "service:"
"""The subject of a process of the mesh is `service:<name>`, e.g. `service:orchestrator`; no user's id begins so."""


@dataclass(frozen=True, slots=True)
class CallContext:
    """What a call's code may know about its caller.

    `subject` is the user (or service) the call is made for; `actor` is the service that calls on the subject's behalf.
    `deadline` is a `time.monotonic()` instant in seconds; None means that the call has no end.
    `trace_id` is 32 hexadecimal digits, empty when the call is not traced.
    `bound` is the one thing that the caller's token is good for, e.g. an attempt of a run; empty when it is not bound.
    """

    tenant: str
    subject: str
    scopes: frozenset[str] = frozenset()
    actor: str | None = None
    deadline: float | None = None
    trace_id: str = ""
    bound: str = ""

    @property
    def service(self) -> str | None:
        """The name of the mesh's own service that makes this call (`orchestrator`), None for everybody else."""
        caller = self.actor or self.subject
        return caller.removeprefix(SERVICE_PREFIX) if caller.startswith(SERVICE_PREFIX) else None

    def remaining(self) -> float | None:
        """Return the seconds left until the deadline, never below zero; None without a deadline."""
        return None if self.deadline is None else max(0.0, self.deadline - time.monotonic())

    def detached(self) -> "CallContext":
        """Return the same caller without a deadline: for work that outlives the call (`with use(call.detached())`)."""
        return replace(self, deadline=None)

    def require_scope(self, scope: str) -> None:
        """Raise PermissionDenied unless the caller holds the scope."""
        if scope not in self.scopes:
            raise PermissionDenied(f"this call needs the scope {scope}", metadata={"scope": scope})

    def acting_user(self, requested_user: str = "") -> str:
        """Return the user that a request is about: the caller itself, or `requested_user` if it may act for them.

        Raises PermissionDenied when another user is asked for without the scope `users.act_as`.
        """
        if requested_user and requested_user != self.subject:
            self.require_scope(ACT_AS_SCOPE)
            return requested_user
        return self.subject


_current: ContextVar[CallContext | None] = ContextVar("mesh_call_context", default=None)


def current() -> CallContext:
    """Return the context of the call being served. Raises LookupError outside a call, which is a defect."""
    context = _current.get()
    if context is None:
        raise LookupError("no call is being served here; pass a CallContext with meshkit.context.use()")
    return context


def current_or_none() -> CallContext | None:
    """Return the context of the call being served, or None in a background task."""
    return _current.get()


@contextmanager
def use(context: CallContext) -> Iterator[CallContext]:
    """Make `context` the current one inside the block: for background work done for a known caller, and for tests."""
    token = _current.set(context)
    try:
        yield context
    finally:
        _current.reset(token)
