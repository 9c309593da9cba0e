"""The agents that others may ask: built-in or the tenant's own, if something runs them here."""

from collections.abc import Awaitable, Callable

from meshkit.sql.pool import Connection, Pool
from orchestrator.domain.builtin_agents import BUILT_IN_AGENTS
from orchestrator.domain.model import Agent
from orchestrator.stores.agents import find_agent

__all__ = ["FindPeer", "no_peer", "peers_on"]

FindPeer = Callable[[Connection | Pool, str, str], Awaitable[Agent | None]]
"""Returns the tenant's agent of a name; None if there is none, or nothing runs it."""


def peers_on(configured: Callable[[str], bool]) -> FindPeer:
    """Return what finds agents; `configured` tells whether a runtime is part of the mesh."""

    async def find(connection: Connection | Pool, tenant: str, name: str) -> Agent | None:
        agent = BUILT_IN_AGENTS.get(name) or await find_agent(connection, tenant, name)
        return agent if agent is not None and configured(agent.spec.runtime) else None

    return find


async def no_peer(_connection: Connection | Pool, _tenant: str, _name: str) -> Agent | None:
    """Find nobody."""
    return None
