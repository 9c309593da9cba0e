"""`domain.ports.RunEngine` on DBOS: one run is one workflow whose id is the run's.

    start ─► capacity free? ─ yes ─► workflow runs here at once
                            └ no ──► DBOS queue ─► whichever executor has room

DBOS recovers an executor's workflows only when that executor comes back; ours have a new id every boot. So each renews
a beat in Postgres, and one at a time looks for workflows of executors that no longer do, and hands them to the queue.
This is the only file that knows DBOS. It uses one private name, `_recover_pending_workflows`, which a test pins.
"""

import asyncio
import logging
import uuid
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import structlog
from dbos import DBOS, DBOSConfig, DBOSPortableJSONSerializer, SetWorkflowID
from sqlalchemy.exc import SQLAlchemyError

from meshkit.errors import MeshError
from meshkit.sql.failures import driver_errors
from meshkit.sql.pool import Pool
from orchestrator.domain.events import StateChange
from orchestrator.domain.execution import Execution
from orchestrator.domain.model import Failure, RunState, Usage
from orchestrator.stores.rows import failure_of, failure_to_json

__all__ = ["DbosEngine"]

# What a recorded step means; a change of the workflow's shape needs a new one, so that old runs are not misread.
_APPLICATION_VERSION = "1"
_QUEUE = "runs"
_QUEUE_POLL_SECONDS = 0.5  # only what found no room waits for it
_BEAT_SECONDS = 1.0
_DEAD_AFTER_SECONDS = 5.0
_SWEEP_BATCH = 100
_RECORDS_KEPT = timedelta(days=1)
_TIDY_SECONDS = 600.0
_TIDY_BATCH = 500
_LOCK = "agentmesh:takeover"

_BEAT = """
insert into executor (id, beat) values ($1, now()) on conflict (id) do update set beat = now()
"""
_ALIVE = "select id from executor where beat > now() - make_interval(secs => $1)"
_FORGET = "delete from executor where beat < now() - interval '1 day'"
# Accepted, but the process died before the engine heard of it.
_STRAYS = """
select id from run
where state = 'QUEUED' and not dispatched and create_time < now() - interval '2 seconds'
order by create_time limit $1
"""

Result = TypeVar("Result")
_log = structlog.get_logger(__name__)


class DbosEngine:
    """Executes runs durably. One a process: DBOS is a singleton."""

    def __init__(self, dsn: str, pool: Pool, *, capacity: int) -> None:
        """Keep DBOS's tables in the schema `dbos` of the database; run at most `capacity` runs here."""
        self._dsn, self._pool, self._capacity = dsn, pool, capacity
        self._id = f"orchestrator-{uuid.uuid4().hex}"
        self._working: set[asyncio.Task[Any]] = set()
        self._start: Callable[[str], Awaitable[Any]] | None = None

    async def open(self, execution: Execution) -> None:
        """Start DBOS in this event loop; it begins to take runs from the queue."""
        _quiet()
        config: DBOSConfig = {
            "name": "agentmesh",
            "system_database_url": self._dsn,
            "dbos_system_schema": "dbos",
            "application_version": _APPLICATION_VERSION,
            "executor_id": self._id,
            "serializer": DBOSPortableJSONSerializer(),  # the default pickles: rows would be code
            "enable_otlp": False,
            "log_level": "WARNING",
            "sys_db_pool_size": 5,
        }
        DBOS(config=config)
        run_workflow = self._workflow(execution)
        DBOS.listen_queues([_QUEUE])
        # Beats first: a peer must not take this one for dead. The lock: two that start at once would both migrate.
        await self._pool.execute(_BEAT, self._id)
        async with self._pool.acquire() as connection:
            await connection.execute("select pg_advisory_lock(hashtext($1))", _LOCK)
            try:
                DBOS.launch()  # in this thread, so that workflows run in this loop
                await DBOS.register_queue_async(
                    _QUEUE, worker_concurrency=self._capacity, polling_interval_sec=_QUEUE_POLL_SECONDS
                )
            finally:
                await connection.execute("select pg_advisory_unlock(hashtext($1))", _LOCK)

        async def start(run: str) -> None:
            with SetWorkflowID(run):
                if len(self._working) < self._capacity:
                    await DBOS.start_workflow_async(run_workflow, run)  # it begins at once: soon no longer QUEUED
                    return
                await DBOS.enqueue_workflow_async(_QUEUE, run_workflow, run)
            await self._pool.execute("update run set dispatched = true where id = $1", run)

        self._start = start

    async def start(self, run: str) -> None:
        """Hand the run to DBOS. If that fails or the process dies first, a sweep does it later."""
        assert self._start is not None
        try:
            await self._start(run)
        except Exception as error:  # noqa: BLE001 - the run is stored: the caller has its answer, the sweep the rest
            _log.warning("run_not_dispatched", run=run, error=type(error).__name__)

    async def keep_watch(self) -> None:
        """Renew the beat, take over the runs of the dead, start strays; until cancelled."""
        while True:
            try:
                with driver_errors():
                    await self._pool.execute(_BEAT, self._id)
                    await self._take_over()
                    strays = await self._pool.fetch(_STRAYS, _SWEEP_BATCH)
                for row in strays:
                    await self.start(row["id"])
            except (MeshError, SQLAlchemyError) as error:  # DBOS speaks through SQLAlchemy
                _log.warning("watch_failed", error=type(error).__name__)
            await asyncio.sleep(_BEAT_SECONDS)

    async def keep_tidy(self) -> None:
        """Delete what DBOS recorded of runs that ended a day ago, now and then, until cancelled: it keeps all forever.

        The run itself is ours; starting one again whose record is gone finds it terminal.
        """
        while True:
            before = (datetime.now(UTC) - _RECORDS_KEPT).isoformat()
            try:
                old = await DBOS.list_workflows_async(
                    status=["SUCCESS", "ERROR", "CANCELLED"],
                    completed_before=before,
                    limit=_TIDY_BATCH,
                    load_input=False,
                    load_output=False,
                )
                if old:
                    await DBOS.delete_workflows_async([workflow.workflow_id for workflow in old])
            except SQLAlchemyError as error:
                old = []
                _log.warning("records_not_deleted", error=type(error).__name__)
            if len(old) < _TIDY_BATCH:
                await asyncio.sleep(_TIDY_SECONDS)

    async def close(self) -> None:
        """Stop DBOS. What still runs here is left for a peer, or for the next start."""
        working = list(self._working)
        for task in working:
            task.cancel()  # DBOS records no outcome for a cancelled workflow: it stays to be taken over
        await asyncio.gather(*working, return_exceptions=True)
        await asyncio.to_thread(DBOS.destroy, destroy_registry=True)
        with driver_errors():
            await self._pool.execute("delete from executor where id = $1", self._id)

    async def _take_over(self) -> None:
        """Hand workflows of executors without a beat back to the queue. The lock keeps it to one process at a time."""
        async with self._pool.acquire() as connection, connection.transaction():
            if not await connection.fetchval("select pg_try_advisory_xact_lock(hashtext($1))", _LOCK):
                return
            pending = await DBOS.list_workflows_async(status="PENDING", load_input=False, load_output=False)
            owners = {workflow.executor_id for workflow in pending if workflow.executor_id}
            alive = {row["id"] for row in await connection.fetch(_ALIVE, _DEAD_AFTER_SECONDS)}
            if dead := sorted(owners - alive - {self._id}):
                _log.warning("taking_over", executors=dead)
                await asyncio.to_thread(DBOS._recover_pending_workflows, dead)  # noqa: SLF001
            await connection.execute(_FORGET)

    def _workflow(self, execution: Execution) -> Callable[[str], Any]:
        @DBOS.step(name="execute")
        async def execute(run: str) -> dict[str, Any] | None:
            outcome = await _patiently(lambda: execution.execute(run))
            return _to_json(outcome) if outcome else None

        @DBOS.workflow(name="run")
        async def run_workflow(run: str) -> None:
            task = asyncio.current_task()
            assert task is not None
            self._working.add(task)
            try:
                # The one recorded step: an answer that is there is not asked for again. What follows may be repeated.
                outcome = await execute(run)
                if outcome is not None:
                    await _patiently(lambda: execution.finish(run, _from_json(outcome)))
            except Exception as error:  # noqa: BLE001 - a defect ends the run, not silently
                _log.exception("run_broke", run=run)
                failure = Failure("INTERNAL", type(error).__name__, "orchestrator")
                await _patiently(lambda: execution.fail(run, failure))
            finally:
                self._working.discard(task)

        return run_workflow


async def _patiently(work: Callable[[], Awaitable[Result]]) -> Result:
    """Do the work again while the database is away: a run waits for it."""
    pause = 0.1
    while True:
        try:
            return await work()
        except MeshError as error:
            if not error.transient:
                raise
            _log.warning("run_waits", reason=error.message)
        await asyncio.sleep(pause)
        pause = min(2.0, pause * 2)


def _to_json(outcome: StateChange) -> dict[str, Any]:
    used = outcome.usage
    return {
        "state": outcome.state.value,
        "attempt": outcome.attempt,
        "output": outcome.output,
        "failure": failure_to_json(outcome.failure),
        "usage": [used.input_tokens, used.output_tokens, used.model_calls, used.tool_calls] if used else None,
    }


def _from_json(value: dict[str, Any]) -> StateChange:
    usage = Usage(*value["usage"]) if value["usage"] else None
    return StateChange(RunState(value["state"]), value["attempt"], value["output"], failure_of(value["failure"]), usage)


def _quiet() -> None:
    """Send DBOS's own log through ours, warnings only: else it prints to the console by itself."""
    logger = logging.getLogger("dbos")
    logger.addHandler(logging.NullHandler())
    logger.setLevel(logging.WARNING)
    logger.propagate = True
