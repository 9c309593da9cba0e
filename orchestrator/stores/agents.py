"""The tenants' own agents in Postgres."""

from collections.abc import Sequence

import asyncpg

from meshkit.errors import Aborted, AlreadyExists, NotFound
from meshkit.sql import idempotency
from meshkit.sql.failures import driver_errors
from meshkit.sql.pool import Connection, Pool
from orchestrator.domain.model import Agent
from orchestrator.domain.storage import RequestKey
from orchestrator.stores.rows import agent_of, request_of
from orchestrator.stores.snapshots import agent_from_bytes, agent_to_bytes
from orchestrator.stores.specs import spec_to_json

__all__ = ["PostgresAgents", "find_agent"]

_INSERT = """
insert into agent (tenant, name, description, spec, create_time, update_time, etag)
values ($1, $2, $3, $4, $5, $6, $7)
"""

_UPDATE = """
update agent set description = $3, spec = $4, update_time = $5, etag = $6
where tenant = $1 and name = $2 and etag = $7 returning *
"""


async def find_agent(connection: Connection | Pool, tenant: str, name: str) -> Agent | None:
    """Return the tenant's agent of a name."""
    row = await connection.fetchrow("select * from agent where tenant = $1 and name = $2", tenant, name)
    return agent_of(row) if row else None


class PostgresAgents:
    """`domain.storage.AgentStore` on Postgres."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def created(self, key: RequestKey) -> Agent | None:
        """Return the agent that the request made before."""
        answer = await idempotency.answer_of(self._pool, request_of(key), key.digest)
        return agent_from_bytes(answer) if answer else None

    async def create(self, key: RequestKey, tenant: str, agent: Agent) -> Agent:
        """Store the agent, once for the key."""

        async def effect(connection: Connection) -> bytes:
            try:
                await connection.execute(
                    _INSERT, tenant, agent.name, agent.description, spec_to_json(agent.spec), agent.create_time,
                    agent.update_time, agent.etag,
                )  # fmt: skip
            except asyncpg.UniqueViolationError as error:
                raise AlreadyExists(f"there is an agent {agent.name} already") from error
            return agent_to_bytes(agent)

        return agent_from_bytes(await idempotency.once(self._pool, request_of(key), key.digest, effect))

    async def get(self, tenant: str, name: str) -> Agent | None:
        """Return the agent."""
        with driver_errors():
            return await find_agent(self._pool, tenant, name)

    async def list(self, tenant: str, after: str, limit: int) -> Sequence[Agent]:
        """Return agents by name."""
        query = "select * from agent where tenant = $1 and name > $2 order by name limit $3"
        with driver_errors():
            rows = await self._pool.fetch(query, tenant, after, limit)
        return [agent_of(row) for row in rows]

    async def update(self, tenant: str, agent: Agent, expected_etag: str) -> Agent:
        """Replace the agent if its etag is the expected one."""
        with driver_errors():
            row = await self._pool.fetchrow(
                _UPDATE, tenant, agent.name, agent.description, spec_to_json(agent.spec), agent.update_time,
                agent.etag, expected_etag,
            )  # fmt: skip
        if row is None:
            if await self.get(tenant, agent.name) is None:
                raise NotFound("no such agent")
            raise Aborted("the agent changed since it was read")
        return agent_of(row)

    async def delete(self, tenant: str, name: str) -> None:
        """Delete the agent."""
        with driver_errors():
            done = await self._pool.execute("delete from agent where tenant = $1 and name = $2", tenant, name)
        if done == "DELETE 0":
            raise NotFound("no such agent")
