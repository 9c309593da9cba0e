"""The second wall between tenants and users: row-level security, fed by the credentials of a call, not by its query.

Owns the role that callers' statements run as and what Postgres is told of the caller. Its policies are in migration
0007, where `build_wall` makes them for a table; whoever makes a table with a tenant calls it. The workers of the mesh
serve every tenant: they connect as the owner of the tables, whom the wall does not hold back.
"""

from collections.abc import Mapping
from contextlib import suppress

import asyncpg

from meshkit.config import ConfigError
from meshkit.context import ACT_AS_SCOPE, current
from meshkit.sql.failures import driver_errors
from meshkit.sql.pool import Pool, transaction

__all__ = ["CALLERS", "caller_settings", "install_callers"]

CALLERS = "agentmesh_memory"
"""The role of callers' statements. It owns nothing and cannot log in."""

_IS_BOUND = "SELECT NOT (rolsuper OR rolbypassrls) FROM pg_roles WHERE rolname = $1"


def caller_settings() -> Mapping[str, str]:
    """Return what the policies know of the present caller: its tenant, and its user unless it may act for all of them.

    Raises LookupError outside a call: a statement that is nobody's must not look as if there were no rows.
    """
    caller = current()
    return {"mesh.tenant": caller.tenant, "mesh.user": "" if ACT_AS_SCOPE in caller.scopes else caller.subject}


async def install_callers(pool: Pool) -> None:
    """Make sure that the callers' role is there and that the role that connects may take it on.

    Raises ConfigError with the remedy if that takes an administrator, Unavailable.
    """
    with driver_errors():
        bound = await pool.fetchval(_IS_BOUND, CALLERS)
        if bound is None:
            # Services that start at once on one server make it once; there are two ways of coming second.
            with suppress(asyncpg.DuplicateObjectError, asyncpg.UniqueViolationError):
                await _as_owner(pool, f"CREATE ROLE {CALLERS} NOLOGIN")
        elif not bound:
            raise ConfigError(
                f"the role {CALLERS} passes row-level security by, which it is there to obey: "
                f"let an administrator run ALTER ROLE {CALLERS} NOSUPERUSER NOBYPASSRLS"
            )
        if not await _may_take_it_on(pool):
            await _as_owner(pool, f"GRANT {CALLERS} TO CURRENT_USER")


async def _may_take_it_on(pool: Pool) -> bool:
    try:
        async with transaction(pool) as connection:
            await connection.execute(f"SET LOCAL ROLE {CALLERS}")
    except asyncpg.InsufficientPrivilegeError:
        return False
    return True


async def _as_owner(pool: Pool, statement: str) -> None:
    try:
        await pool.execute(statement)
    except asyncpg.InsufficientPrivilegeError:
        user = await pool.fetchval("SELECT quote_ident(current_user)")
        create = f"CREATE ROLE {CALLERS} NOLOGIN; " if statement.startswith("CREATE") else ""
        raise ConfigError(
            f"memory keeps tenants apart by the role {CALLERS}, which the role of DATABASE_URL may not take on: "
            f"let an administrator run {create}GRANT {CALLERS} TO {user}"
        ) from None
