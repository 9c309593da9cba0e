"""Who the local commands are: tokens signed with the mesh's own user key, which only its owner can read.

Owns the defaults of such a token: tenant, scopes, name. It talks to nobody.
"""

import getpass
import os
from collections.abc import Sequence

from meshctl.state import State
from meshkit.auth.issuer import TokenIssuer
from meshkit.errors import Unauthenticated

__all__ = ["ALL_SCOPES", "TENANT", "local_token", "local_user"]

TENANT = "default"
ISSUER = AUDIENCE = "agentmesh"

ALL_SCOPES = (
    "agents.read",
    "agents.write",
    "memory.read",
    "memory.write",
    "memory_privacy.write",
    "memory_settings.read",
    "memory_settings.write",
    "runs.read",
    "runs.write",
    "sessions.read",
    "sessions.write",
)
"""What a person may do in their own name. `users.act_as` is left to those who ask for it."""


def local_user() -> str:
    """Return the name under which the local commands act: the account's."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # an account without a name, as in some containers
        return f"uid-{os.getuid()}"


def local_token(
    state: State,
    *,
    subject: str = "",
    tenant: str = TENANT,
    scopes: Sequence[str] = ALL_SCOPES,
    lifetime: float = 3600.0,
) -> str:
    """Return a token of the mesh on `state`, valid for `lifetime` seconds. Raises Unauthenticated without its key."""
    key = state.user_keys / "signing-key.pem"
    if not os.access(key, os.R_OK):
        raise Unauthenticated(f"{key} cannot be read; set MESH_TOKEN, or run as the account that started the mesh")
    issuer = TokenIssuer(key, issuer=ISSUER)
    return issuer.issue(
        audience=AUDIENCE, tenant=tenant, subject=subject or local_user(), scopes=scopes, lifetime=lifetime
    )
