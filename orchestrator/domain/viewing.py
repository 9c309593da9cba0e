"""Who sees which runs and sessions: one's own, or with the scope `users.act_as` all of the tenant.

What a caller does not see is to it like what never was. Every read and write of a caller goes by this one rule.
"""

from dataclasses import dataclass

from meshkit.context import ACT_AS_SCOPE, CallContext

__all__ = ["Viewer"]


@dataclass(frozen=True, slots=True)
class Viewer:
    """What is seen: the runs and sessions of one user of the tenant, or of all its users if `user` is None."""

    tenant: str
    user: str | None

    @classmethod
    def of(cls, caller: CallContext) -> "Viewer":
        """Return what the caller sees."""
        return cls(caller.tenant, None if ACT_AS_SCOPE in caller.scopes else caller.subject)
