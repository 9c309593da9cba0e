"""Whether the caller may: by the method's policy option, and no by default."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from meshkit import context
from meshkit.errors import PermissionDenied
from meshkit.rpc.interceptors.chain import Call
from meshkit.rpc.policy import Access, MethodRule

__all__ = ["AuthorizationLayer"]


class AuthorizationLayer:
    """Refuses calls that the contract does not allow."""

    @asynccontextmanager
    async def around(self, call: Call) -> AsyncIterator[None]:
        """Refuse before the inner layers, or run them."""
        _check(call.rule, context.current())
        yield


def _check(rule: MethodRule, caller: context.CallContext) -> None:
    match rule.access:
        case Access.OPEN | Access.AUTHENTICATED:
            return
        case Access.NOBODY:
            raise PermissionDenied("the method has no policy, so nobody may call it")
        case Access.POLICY:
            if rule.internal and caller.service is None:
                raise PermissionDenied("only the mesh's own services may call this method")
            if rule.scope:
                caller.require_scope(rule.scope)
