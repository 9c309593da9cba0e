"""Steps in Postgres, as callers read them. The gate writes them; see `stores.ledger`."""

from collections.abc import Callable, Sequence
from typing import Any

from meshkit.sql.failures import driver_errors
from meshkit.sql.pool import Pool
from orchestrator.domain.model import Usage
from orchestrator.domain.steps import Outcome, Step, StepKind, StepState

__all__ = ["PostgresSteps"]

# At most $3 steps; with FULL about $5 bytes, but always one. Only what is sent is read out of its blob.
_LIST = """
select sized.*, case when $4 then content end as content, total > place as more from (
    select s.*, b.content, row_number() over steps as place, count(*) over () as total,
        sum(octet_length(s.arguments) + coalesce(octet_length(b.content), 0)) over steps as size
    from (select * from step where run = $1 and number > $2::bigint order by number limit $3 + 1) as s
    left join blob b on $4 and b.tenant = s.tenant and b.digest = s.result
    window steps as (order by s.number)
) as sized
where place <= $3 and (not $4 or place = 1 or size <= $5) order by number
"""
_PAGE_BYTES = 2 * 1024 * 1024


class PostgresSteps:
    """`domain.stepping.StepStore` on Postgres."""

    def __init__(self, pool: Pool, decode: Callable[[bytes], Outcome]) -> None:
        """`decode` reads a blob."""
        self._pool, self._decode = pool, decode

    async def list(self, run: str, after: int, limit: int, *, full: bool) -> tuple[Sequence[Step], bool]:
        """Return a page of steps, and whether more follow."""
        with driver_errors():
            rows = await self._pool.fetch(_LIST, run, after, limit, full, _PAGE_BYTES)
        return [self._step(row, full=full) for row in rows], bool(rows) and rows[-1]["more"]

    def _step(self, row: Any, *, full: bool) -> Step:
        return Step(
            run=row["run"],
            number=row["number"],
            kind=StepKind(row["kind"]),
            digest=row["digest"],
            occurrence=row["occurrence"],
            name=row["name"],
            agent=row["agent"],
            state=StepState(row["state"]),
            attempt=row["attempt"],
            create_time=row["create_time"],
            finish_time=row["finish_time"],
            usage=Usage(row["input_tokens"], row["output_tokens"], cost_micros=row["cost_micros"]),
            cached=row["cached"],
            arguments=row["arguments"] if full else "",
            outcome=self._decode(row["content"]) if row["content"] is not None else None,
        )
