"""`domain.ports.RunEngine` on DBOS: each leg of a run is one workflow; `run_x` is the first, `run_x.2` the second.

    start ─► slot free? ─ yes ─► workflow runs here at once
                        └ no ──► DBOS queue, a partition a tenant ─► whichever executor has room
    bulk  ─────────────────────► DBOS queue of its own ─► a quarter of an executor's slots

DBOS gives each tenant its share of the queue; `domain.slots` holds what comes from both ways to one bound.

DBOS recovers an executor's workflows only when that executor comes back; ours have a new id every boot. So each renews
a beat in Postgres, and one at a time looks for workflows of executors that no longer do, and hands them to the queue.
This is the only file that knows DBOS. Of what is private it uses the name `_recover_pending_workflows`, and columns of
the table `workflow_status`; tests pin both.
"""

import asyncio
import logging
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import astuple
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import structlog
from dbos import DBOS, DBOSConfig, DBOSPortableJSONSerializer, SetEnqueueOptions, SetWorkflowID
from sqlalchemy.exc import SQLAlchemyError

from meshkit.errors import MeshError
from meshkit.failpoints import failpoint
from meshkit.sql.failures import driver_errors
from meshkit.sql.pool import Pool
from orchestrator.adapters import sweeps
from orchestrator.domain.events import StateChange
from orchestrator.domain.execution import Execution
from orchestrator.domain.model import Failure, Run, RunState
from orchestrator.domain.slots import Place, Shares, Slots
from orchestrator.stores.rows import failure_of, failure_to_json, run_of

__all__ = ["DbosEngine"]

# What a recorded step means; a change of the workflow's shape needs a new one, so that old runs are not misread.
_APPLICATION_VERSION = "2"
_QUEUE, _BULK_QUEUE = "runs", "bulk"
_QUEUE_POLL_SECONDS = 0.5  # only what found no room waits for it
_BEAT_SECONDS = 1.0
_DEAD_AFTER_SECONDS = 5.0
_SWEEP_BATCH = 100
_RECORDS_KEPT = timedelta(days=1)
_TIDY_SECONDS = 600.0
_TIDY_BATCH = 500
_LOCK = "agentmesh:takeover"
_STRAY_AFTER_SECONDS = 2.0

Result = TypeVar("Result")
_log = structlog.get_logger(__name__)


class DbosEngine:
    """Executes runs durably. One a process: DBOS is a singleton."""

    def __init__(self, dsn: str, pool: Pool, shares: Shares) -> None:
        """Keep DBOS's tables in the schema `dbos` of the database; `shares` bounds what runs here."""
        self._dsn, self._pool, self._shares = dsn, pool, shares
        self._slots = Slots(shares)
        self._id = f"orchestrator-{uuid.uuid4().hex}"
        self._working: set[asyncio.Task[Any]] = set()
        self._hurried = asyncio.Event()
        self._start: Callable[[Run], Awaitable[Any]] | None = None
        self._execution: Execution | None = None

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
        self._execution = execution
        run_workflow = self._workflow(execution)
        DBOS.listen_queues([_QUEUE, _BULK_QUEUE])
        # Beats first: a peer must not take this one for dead. The lock: two that start at once would both migrate.
        await self._pool.execute(sweeps.BEAT, self._id)
        async with self._pool.acquire() as connection:
            await connection.execute("select pg_advisory_lock(hashtext($1))", _LOCK)
            try:
                DBOS.launch()  # in this thread, so that workflows run in this loop
                await self._register(_QUEUE, self._shares.total)
                await self._register(_BULK_QUEUE, self._shares.of_bulk)
            finally:
                await connection.execute("select pg_advisory_unlock(hashtext($1))", _LOCK)

        async def start(run: Run) -> None:
            place = Place(run.tenant, run.agent, run.bulk)
            task = (run.id, run.leg, *astuple(place))
            with SetWorkflowID(run.id if run.leg == 1 else f"{run.id}.{run.leg}"):
                if not run.bulk and self._slots.free(place):
                    await DBOS.start_workflow_async(run_workflow, *task)  # it begins at once: soon no longer QUEUED
                    return
                with SetEnqueueOptions(queue_partition_key=run.tenant):
                    await DBOS.enqueue_workflow_async(_BULK_QUEUE if run.bulk else _QUEUE, run_workflow, *task)
            await self._pool.execute(sweeps.DISPATCHED, run.id, run.leg)

        self._start = start

    async def start(self, run: Run) -> None:
        """Hand the run's leg to DBOS. If that fails or the process dies first, a sweep does it later."""
        assert self._start is not None
        try:
            await self._start(run)
        except Exception as error:  # noqa: BLE001 - the run is stored: the caller has its answer, the sweep the rest
            _log.warning("run_not_dispatched", run=run.id, error=type(error).__name__)

    def hurry(self) -> None:
        """Look at once for runs that nobody hands over: one that waited in its session may begin."""
        self._hurried.set()

    async def keep_watch(self) -> None:
        """Renew the beat, take over the runs of the dead, start strays; until cancelled."""
        while True:
            try:
                await failpoint("lease.renew")
                with driver_errors():
                    await self._pool.execute(sweeps.BEAT, self._id)
                    await self._take_over()
                    await self._pool.execute(sweeps.RELEASE)
                await self._start_strays(_STRAY_AFTER_SECONDS)
            except (MeshError, SQLAlchemyError) as error:  # DBOS speaks through SQLAlchemy
                _log.warning("watch_failed", error=type(error).__name__)
            await asyncio.sleep(_BEAT_SECONDS)

    async def keep_starting(self) -> None:
        """Start what is told to be ready, at once, until cancelled; what this misses, the watch finds."""
        while True:
            await self._hurried.wait()
            self._hurried.clear()
            try:
                await self._start_strays(0.0)
            except MeshError as error:
                _log.warning("strays_not_started", error=type(error).__name__)

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

    async def _start_strays(self, seconds: float) -> None:
        with driver_errors():
            strays = await self._pool.fetch(sweeps.STRAYS, seconds, _SWEEP_BATCH)
        for row in strays:
            await self.start(run_of(row))

    async def _register(self, queue: str, room: int) -> None:
        await DBOS.register_queue_async(
            queue,
            worker_concurrency=room,
            partition_worker_concurrency=min(room, self._shares.of_tenant),
            polling_interval_sec=_QUEUE_POLL_SECONDS,
        )

    async def _take_over(self) -> None:
        """Hand workflows of executors without a beat back to the queue. The lock keeps it to one process at a time."""
        async with self._pool.acquire() as connection, connection.transaction():
            if not await connection.fetchval("select pg_try_advisory_xact_lock(hashtext($1))", _LOCK):
                return
            pending = await DBOS.list_workflows_async(status="PENDING", load_input=False, load_output=False)
            owners = {workflow.executor_id for workflow in pending if workflow.executor_id}
            alive = {row["id"] for row in await connection.fetch(sweeps.ALIVE, _DEAD_AFTER_SECONDS)}
            if dead := sorted(owners - alive - {self._id}):
                _log.warning("taking_over", executors=dead)
                await asyncio.to_thread(DBOS._recover_pending_workflows, dead)  # noqa: SLF001
            await connection.execute(sweeps.FORGET)
            orphans = await connection.fetch(sweeps.ORPHANS, _SWEEP_BATCH)
        assert self._execution is not None
        for row in orphans:
            _log.warning("run_orphaned", run=row["id"], leg=row["leg"])
            await self._execution.begin_again(row["id"], row["leg"])

    def _workflow(self, execution: Execution) -> Callable[..., Any]:
        @DBOS.step(name="execute")
        async def execute(run: str, leg: int) -> dict[str, Any] | None:
            outcome = await _patiently(lambda: execution.execute(run, leg))
            return _to_json(outcome) if outcome else None

        @DBOS.workflow(name="run")
        async def run_workflow(run: str, leg: int, tenant: str, agent: str, bulk: bool) -> None:
            task = asyncio.current_task()
            assert task is not None
            self._working.add(task)
            try:
                # The one recorded step: an answer that is there is not asked for again. What follows may be repeated.
                async with self._slots.taken(Place(tenant, agent, bulk)):
                    outcome = await execute(run, leg)
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
    return {
        "state": outcome.state.value,
        "attempt": outcome.attempt,
        "output": outcome.output,
        "failure": failure_to_json(outcome.failure),
    }


def _from_json(value: dict[str, Any]) -> StateChange:
    return StateChange(RunState(value["state"]), value["attempt"], value["output"], failure_of(value["failure"]))


def _quiet() -> None:
    """Send DBOS's own log through ours, warnings only: else it prints to the console by itself."""
    logger = logging.getLogger("dbos")
    logger.addHandler(logging.NullHandler())
    logger.setLevel(logging.WARNING)
    logger.propagate = True
