"""What each method asks of its caller: read from the contract, never written down a second time.

Owns the look-up from a method's path to its descriptor and policy option. It decides nothing: the authorization
interceptor does, from what stands here.
"""

from dataclasses import dataclass
from enum import Enum
from functools import lru_cache

from agentmesh.policy.v1 import method_pb2
from google.protobuf import descriptor_pool

__all__ = ["Access", "MethodRule", "rule_of"]


class Access(Enum):
    """Who may call a method."""

    OPEN = "open"
    """Everybody: load balancers ask for health without credentials."""
    AUTHENTICATED = "authenticated"
    """Every caller that is known."""
    POLICY = "policy"
    """Whoever meets the policy option."""
    NOBODY = "nobody"
    """No one: the method has no policy."""


@dataclass(frozen=True, slots=True)
class MethodRule:
    """A method as the interceptors see it. `stream` is true when either side sends more than one message."""

    access: Access
    scope: str = ""
    internal: bool = False
    idempotent: bool = False
    stream: bool = False


# The standard services have no options of ours.
_STANDARD = {
    "grpc.health.v1.Health": Access.OPEN,
    "grpc.reflection.v1alpha.ServerReflection": Access.AUTHENTICATED,
}


# Bounded because the path comes from the network; far more than a process has methods.
@lru_cache(maxsize=1024)
def rule_of(method: str) -> MethodRule:
    """Return the rule of a path like `/agentmesh.memory.v1.MemoryService/GetFact`; an unknown one is for nobody."""
    service_name, _, method_name = method.removeprefix("/").partition("/")
    try:
        service = descriptor_pool.Default().FindServiceByName(service_name)
        descriptor = service.methods_by_name[method_name]
    except KeyError:
        return MethodRule(Access.NOBODY)
    stream = descriptor.client_streaming or descriptor.server_streaming
    if service_name in _STANDARD:
        return MethodRule(_STANDARD[service_name], stream=stream)
    options = descriptor.GetOptions()
    policy: method_pb2.MethodPolicy = options.Extensions[method_pb2.method]  # type: ignore[index]
    # An empty scope would let every known caller in, which must be meant: only internal methods may have none.
    stated = bool(policy.scope or policy.internal)
    return MethodRule(
        Access.POLICY if stated else Access.NOBODY, policy.scope, policy.internal, policy.idempotent, stream
    )
