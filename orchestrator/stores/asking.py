"""Asking a person in Postgres: the step that waits, the request, the events and the waiting run are one transaction."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from meshkit.sql.pool import Connection
from orchestrator.domain.events import StateChange, StoredEvent
from orchestrator.domain.ledger import Ask, StepAsk
from orchestrator.domain.model import Run, RunState
from orchestrator.domain.ports import EventCodec
from orchestrator.domain.steps import InputKind, InputRequest, tool_digest
from orchestrator.stores.changes import change_run
from orchestrator.stores.telling import tell

__all__ = ["ask_person"]

_WAIT = """
insert into step (run, number, tenant, kind, digest, occurrence, name, agent, state, attempt, arguments)
select $1, 1 + (select coalesce(max(number), 0) from step where run = $1), $2, $3, $4, $5, $6, $7, 'WAITING', $8, $9
on conflict (run, kind, digest, occurrence) do update set state = 'WAITING', attempt = excluded.attempt
returning number, arguments
"""
_REQUEST = """
insert into input_request (
    id, run, step, kind, tool, arguments, arguments_digest, question, create_time, expire_time
) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
"""


async def ask_person(
    connection: Connection, codec: EventCodec, run: Run, ask: StepAsk, decision: Ask, *, request: str, now: datetime
) -> tuple[Run, Sequence[StoredEvent]]:
    """Store the request with this id and let the run wait; its row must be locked. Returns the run as it is then."""
    row = await connection.fetchrow(
        _WAIT,
        run.id, run.tenant, ask.kind.value, ask.digest, ask.occurrence, ask.name, ask.agent, run.attempt, ask.arguments,
    )  # fmt: skip
    assert row is not None
    # What was interrupted is shown as it was carried out, also if a person had edited it.
    arguments = row["arguments"] if decision.kind is InputKind.UNCERTAIN else ask.arguments
    asked = InputRequest(
        request, run.id, f"{ask.kind.value.lower()}-{row['number']}", decision.kind, ask.name, arguments,
        tool_digest(ask.name, arguments).hex(), decision.question, now, now + decision.time_limit,
    )  # fmt: skip
    await connection.execute(
        _REQUEST,
        asked.id, run.id, row["number"], asked.kind.value, asked.tool, asked.arguments, asked.arguments_digest,
        asked.question, asked.create_time, asked.expire_time,
    )  # fmt: skip
    told = await tell(connection, run.id, codec.input_requested(asked, run.trace_id))
    if run.state is RunState.WAITING:
        return replace(run, last_sequence=told.sequence), [told]
    changed = await change_run(connection, codec, run, StateChange(RunState.WAITING, run.attempt))
    assert changed is not None  # its row is locked
    return changed.run, [told, *changed.events]
