"""What is no longer kept: events of runs that ended long ago, and the answers of old requests.

The run itself stays; a subscriber of pruned events gets an explicit gap.
"""

import asyncio
from datetime import timedelta

import structlog

from meshkit.errors import MeshError
from meshkit.sql import idempotency
from meshkit.sql.failures import driver_errors
from meshkit.sql.pool import Pool

__all__ = ["keep_tidy", "prune_events"]

_INTERVAL_SECONDS = 600.0
_BATCH_RUNS = 100  # a prune holds locks on so many runs at once

# The last event, which tells the end, is kept: so a subscriber learns of the gap and then of the end.
_PRUNE = """
with old as (
    select id, last_sequence from run
    where finish_time < now() - $1::interval and oldest_sequence < last_sequence
    order by finish_time limit $2 for update skip locked
), gone as (
    delete from run_event e using old where e.run = old.id and e.sequence < old.last_sequence
)
update run set oldest_sequence = old.last_sequence from old where run.id = old.id
"""


async def prune_events(pool: Pool, retention: timedelta) -> int:
    """Delete the events of runs that ended longer ago than `retention`. Returns of how many runs."""
    pruned = 0
    while True:
        with driver_errors():
            done = await pool.execute(_PRUNE, retention, _BATCH_RUNS)
        count = int(done.removeprefix("UPDATE "))
        pruned += count
        if count < _BATCH_RUNS:
            return pruned


async def keep_tidy(pool: Pool, retention: timedelta) -> None:
    """Prune now and then, until cancelled. Several processes may do so at once."""
    log = structlog.get_logger(__name__)
    while True:
        try:
            pruned = await prune_events(pool, retention)
            while await idempotency.purge(pool):
                pass
            if pruned:
                log.info("events_pruned", runs=pruned)
        except MeshError as error:
            log.warning("not_tidied", reason=error.message)
        await asyncio.sleep(_INTERVAL_SECONDS)
