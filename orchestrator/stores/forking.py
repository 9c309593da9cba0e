"""Forks in Postgres: the new run, its session and what it keeps of the other are one transaction.

Results are not copied: steps of both runs name the same blobs.
"""

import hashlib
from collections.abc import Callable

from meshkit.sql import idempotency
from meshkit.sql.pool import Connection, Pool
from orchestrator.domain.forking import Fork, Origin
from orchestrator.domain.model import Run
from orchestrator.domain.ports import EventCodec
from orchestrator.domain.steps import Outcome, StepState
from orchestrator.domain.storage import NewRun, RunStore
from orchestrator.domain.viewing import Viewer
from orchestrator.stores.admission import insert_run
from orchestrator.stores.files import copy_files
from orchestrator.stores.rows import request_of
from orchestrator.stores.sessions import find_session, insert_session
from orchestrator.stores.telling import lock_run

__all__ = ["PostgresForks"]

_STEP = "select number, state from step where run = $1 and lower(kind) || '-' || number = $2"

_CONTEXT = "insert into run_context (run, body) select $2, body from run_context where run = $1"

_STEPS = """
insert into step (
    run, number, tenant, kind, digest, occurrence, name, agent, state, attempt, arguments, result,
    input_tokens, output_tokens, cost_micros, cached, create_time, finish_time
)
select $2, number, tenant, kind, digest, occurrence, name, agent, state, 0, arguments, result,
    input_tokens, output_tokens, cost_micros, cached, create_time, finish_time
from step where run = $1 and number <= $3 and state = 'COMPLETED'
"""

# What was said belongs to the requests that carried it.
_STEERING = """
insert into steering (run, number, text, user_id, create_time, step)
select $2, row_number() over (order by said.number), text, user_id, said.create_time, said.step
from steering said join step on step.run = said.run and step.number = said.step
where said.run = $1 and said.step <= $3 and step.state = 'COMPLETED'
"""

# A blob that is there becomes young again: it must not be swept up before the step that names it is committed.
_REPLACE = """
with kept as (
    insert into blob (tenant, digest, content) values ($3, $4, $5)
    on conflict (tenant, digest) do update set create_time = now()
)
update step set result = $4 where run = $1 and number = $2
"""


class PostgresForks:
    """`domain.forking.ForkStore` on Postgres."""

    def __init__(self, pool: Pool, runs: RunStore, codec: EventCodec, encode: Callable[[Outcome], bytes]) -> None:
        """`encode` makes a blob."""
        self._pool, self._runs, self._codec, self._encode = pool, runs, codec, encode

    async def fork(self, viewer: Viewer, request: Fork, make: Callable[[Origin], NewRun]) -> Run:
        """Store the fork, once for the key."""

        async def effect(connection: Connection) -> bytes:
            # Locked, so that the steps are those of one moment.
            source = await lock_run(connection, request.run, viewer)
            home = await find_session(connection, viewer, source.session)
            step = await connection.fetchrow(_STEP, source.id, request.step) if request.step else None
            new = make(Origin(source, home, StepState(step["state"]) if step else None))
            if new.session:
                await insert_session(connection, new.session)
                await copy_files(connection, home.id, new.session.id)
            await insert_run(connection, self._codec, new.run)
            await self._copy(connection, source, new.run, step["number"] if step else 0, request.outcome)
            return new.run.id.encode()

        run_id = (await idempotency.once(self._pool, request_of(request.key), request.key.digest, effect)).decode()
        return (await self._runs.get(viewer, run_id)).as_accepted()

    async def _copy(self, connection: Connection, source: Run, run: Run, last: int, outcome: Outcome | None) -> None:
        await connection.execute(_CONTEXT, source.id, run.id)
        if not last:
            return
        await connection.execute(_STEPS, source.id, run.id, last)
        await connection.execute(_STEERING, source.id, run.id, last)
        if outcome is not None:
            content = self._encode(outcome)
            digest = hashlib.sha256(content).digest()
            await connection.execute(_REPLACE, run.id, last, run.tenant, digest, content)
