"""Who calls: proven from the credentials, and put into the call's context. What the caller may do is decided later."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Protocol

from meshkit.context import CallContext, use
from meshkit.rpc.interceptors.chain import Call
from meshkit.rpc.interceptors.errors import trace_id
from meshkit.rpc.policy import Access

__all__ = ["AuthenticationLayer", "Authenticator"]

NOBODY = CallContext(tenant="", subject="")
"""The caller of an open method: no tenant, no scope."""


class Authenticator(Protocol):
    """Proves who calls."""

    async def authenticate(self, metadata: Mapping[str, str]) -> CallContext:
        """Return the caller that the request's headers prove. Raises Unauthenticated."""
        ...


class AuthenticationLayer:
    """Sets the current `CallContext`."""

    def __init__(self, authenticator: Authenticator) -> None:
        self._authenticator = authenticator

    @asynccontextmanager
    async def around(self, call: Call) -> AsyncIterator[None]:
        """Run the inner layers as the proven caller."""
        is_open = call.rule.access is Access.OPEN
        caller = NOBODY if is_open else await self._authenticator.authenticate(call.metadata)
        call.tenant = caller.tenant
        with use(replace(caller, trace_id=trace_id())):
            yield
