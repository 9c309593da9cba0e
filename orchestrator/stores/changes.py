"""A run's change and the event that tells it, in one statement.

It takes effect only if the run is still as it was when the change was decided; whoever holds the row's lock need not
care. When a run ends, the next one that waits in its session may begin: that is part of the same statement.
"""

from collections.abc import Sequence
from dataclasses import astuple, dataclass

from meshkit.sql.pool import Connection, Pool
from orchestrator.domain.events import StateChange, StoredEvent
from orchestrator.domain.model import Run
from orchestrator.domain.ports import EventCodec
from orchestrator.stores.rows import failure_to_json, run_of

__all__ = ["Changed", "change_run"]

_CHANGE = """
with changed as (
    update run set
        state = $2::text, attempt = $3, output = $4, failure = $5,
        leg = coalesce($6::int, leg), starts = coalesce($7::int, starts), paused = coalesce($8::bool, paused),
        step_allowed = coalesce($9::bool, step_allowed), suspended = coalesce($10::bool, suspended),
        -- The engine has yet to hear of a new leg.
        dispatched = dispatched and $6::int is null,
        waits = waits and not $11::bool,
        idle = idle + case when $2::text in ('PAUSED', 'WAITING') then interval '0'
            else coalesce(now() - idle_since, interval '0') end,
        idle_since = case when $2::text in ('PAUSED', 'WAITING') then coalesce(idle_since, now()) end,
        start_time = case when $2::text = 'RUNNING' then coalesce(start_time, now()) else start_time end,
        finish_time = case when $11::bool then now() end,
        remember_time = case when $12::bool then now() end,
        last_sequence = last_sequence + $13::bool::int
    where id = $1 and state = $15 and attempt = $16 and leg = $17 and paused = $18 and step_allowed = $19
        and suspended = $20 and waits = $21
        and (input_tokens, output_tokens, model_calls, tool_calls, cost_micros) = ($22, $23, $24, $25, $26)
    returning *
), told as (
    insert into run_event (run, sequence, create_time, body)
    select id, last_sequence, now(), $14 from changed where $13::bool
), released as (
    update run set waits = false from changed
    where $11::bool and not $21 and changed.parent = '' and run.id = (
        select id from run as next where next.session = changed.session and next.waits order by id limit 1
    )
    returning run.id
), billed as (
    -- What a run has used is its parent's too, from its end on; until then the gate counts over the whole tree.
    -- While it worked, its parent was not idle: of two that worked at once, the time counts once.
    update run set
        input_tokens = run.input_tokens + changed.input_tokens,
        output_tokens = run.output_tokens + changed.output_tokens,
        model_calls = run.model_calls + changed.model_calls, tool_calls = run.tool_calls + changed.tool_calls,
        cost_micros = run.cost_micros + changed.cost_micros,
        idle_since = case when run.idle_since is not null then
            least(now(), run.idle_since + (now() - coalesce(changed.start_time, now()) - changed.idle))
        end
    from changed where $11::bool and changed.parent <> '' and run.id = changed.parent
)
select changed.*, now() as event_time, exists (select from released) as released from changed
"""


@dataclass(frozen=True, slots=True)
class Changed:
    """A run after a change, the event that tells it if it has one, and whether another run of its session may begin."""

    run: Run
    events: Sequence[StoredEvent]
    released: bool


async def change_run(
    connection: Connection | Pool, codec: EventCodec, before: Run, change: StateChange
) -> Changed | None:
    """Change the run; None if it is no longer as it was before. Tell the feed once it is committed."""
    told = (change.state, change.attempt) != (before.state, before.attempt)
    body = codec.state_changed(change, before.trace_id)
    row = await connection.fetchrow(
        _CHANGE,
        before.id, change.state.value, change.attempt, change.output, failure_to_json(change.failure),
        change.leg, change.starts, change.paused, change.step_allowed, change.suspended,
        change.state.terminal, change.remember, told, body,
        before.state.value, before.attempt, before.leg, before.paused, before.step_allowed, before.suspended,
        before.waits, *astuple(before.usage),
    )  # fmt: skip
    if row is None:
        return None
    run = run_of(row)
    events = [StoredEvent(run.id, run.last_sequence, row["event_time"], body)] if told else []
    return Changed(run, events, row["released"])
