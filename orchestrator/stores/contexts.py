"""What each run's agent was given besides its input, in Postgres: written once, never changed."""

from meshkit.sql.failures import driver_errors
from meshkit.sql.pool import Pool

__all__ = ["PostgresContexts"]


class PostgresContexts:
    """`domain.ports.RunContexts` on Postgres."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def load(self, run: str) -> bytes | None:
        """Return what was recorded."""
        with driver_errors():
            body: bytes | None = await self._pool.fetchval("select body from run_context where run = $1", run)
        return body

    async def save(self, run: str, body: bytes) -> None:
        """Record it; a run that was deleted in the meantime needs none."""
        with driver_errors():
            await self._pool.execute(
                "insert into run_context (run, body) select id, $2 from run where id = $1 on conflict do nothing",
                run,
                body,
            )
