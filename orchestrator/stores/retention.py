"""What is no longer kept: events of runs that ended long ago, the answers of old requests, contents that nothing names.

The run itself stays; a subscriber of pruned events gets an explicit gap.
"""

import asyncio
from datetime import timedelta

import structlog

from meshkit.errors import MeshError
from meshkit.sql import idempotency
from meshkit.sql.failures import driver_errors
from meshkit.sql.pool import Pool

__all__ = ["keep_tidy", "prune_blobs", "prune_events"]

_INTERVAL_SECONDS = 600.0
_BATCH_RUNS = 100  # a prune holds locks on so many runs at once
_BATCH_BLOBS = 500

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

# A young one may be about to be named: whoever names a blob makes it young in the same transaction. One that becomes so
# while it is being deleted is looked at again.
_PRUNE_BLOBS = """
with lost as (
    select tenant, digest from blob
    where create_time < now() - interval '1 hour'
        and not exists (select from step where step.tenant = blob.tenant and step.result = blob.digest)
        and not exists (select from model_cache m where m.tenant = blob.tenant and m.result = blob.digest)
        and not exists (select from file where file.tenant = blob.tenant and file.digest = blob.digest)
    limit $1 for update skip locked
)
delete from blob using lost where (blob.tenant, blob.digest) = (lost.tenant, lost.digest)
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


async def prune_blobs(pool: Pool) -> int:
    """Forget cached answers whose time is over, and delete contents that nothing names any more. Returns how many."""
    pruned = 0
    with driver_errors():
        await pool.execute("delete from model_cache where expire_time <= now()")
        while True:
            count = int((await pool.execute(_PRUNE_BLOBS, _BATCH_BLOBS)).removeprefix("DELETE "))
            pruned += count
            if count < _BATCH_BLOBS:
                return pruned


async def keep_tidy(pool: Pool, retention: timedelta) -> None:
    """Prune now and then, until cancelled. Several processes may do so at once."""
    log = structlog.get_logger(__name__)
    while True:
        try:
            pruned = await prune_events(pool, retention)
            while await idempotency.purge(pool):
                pass
            await prune_blobs(pool)
            if pruned:
                log.info("events_pruned", runs=pruned)
        except MeshError as error:
            log.warning("not_tidied", reason=error.message)
        await asyncio.sleep(_INTERVAL_SECONDS)
