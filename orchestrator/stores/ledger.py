"""The ledger in Postgres: what agents are about to do, what it brought, what people are asked.

    look ─► decide ─► write, if the run is still as it was; else look again

Nothing is locked while a decision is made. A run that goes on as it did last time need not even be looked at: what is
remembered of it is the guess on which the write is conditional, so that most steps cost one statement. Only asking a
person, which is several writes, takes the run's lock first.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import astuple, replace
from typing import Any

import asyncpg

from meshkit.errors import MeshError, NotFound
from meshkit.failpoints import failpoint
from meshkit.ids import IdFactory
from meshkit.sql.failures import driver_errors
from meshkit.sql.pool import Connection, Pool, transaction
from orchestrator.domain.feed import Feed
from orchestrator.domain.gate import executing, superseded
from orchestrator.domain.ledger import (
    Ask,
    Attempt,
    Decide,
    Decision,
    Do,
    Execute,
    Finish,
    Held,
    Hold,
    Look,
    Recorded,
    Replay,
    StepAsk,
    StepName,
)
from orchestrator.domain.model import Usage
from orchestrator.domain.ports import Clock, EventCodec
from orchestrator.domain.steps import Outcome, Step, StepKind, StepState
from orchestrator.stores.asking import ask_person
from orchestrator.stores.guesses import Guesses
from orchestrator.stores.recorded import read_recorded, said_of
from orchestrator.stores.requests import request_of
from orchestrator.stores.rows import run_of
from orchestrator.stores.telling import announce, lock_run
from orchestrator.stores.wakeups import Wakeups

__all__ = ["PostgresLedger"]

# A cached answer is to what the cached request said: once people have joined the talk, it is no answer any more.
_LOOK = """
select run.*, s.number, s.state as step_state, s.attempt as step_attempt, s.arguments as step_arguments, s.cached,
    s.create_time as step_create_time, b.content, c.content as cached_content, q.request,
    case when $3 = 'MODEL' then (
        select jsonb_agg(jsonb_build_array(said.number, said.text) order by said.number)
        from steering said where said.run = $1 and said.step = s.number
    ) end as said
from run
left join step s on s.run = run.id and s.kind = $3 and s.digest = $4 and s.occurrence = $5
left join blob b on b.tenant = run.tenant and b.digest = s.result
left join lateral (
    select i as request from input_request i where i.run = run.id and i.step = s.number order by i.id desc limit 1
) q on true
left join lateral (
    select kept.content from model_cache m join blob kept on kept.tenant = m.tenant and kept.digest = m.result
    where $3 = 'MODEL' and run.spec ->> 'cache_seconds' is not null and m.tenant = run.tenant and m.digest = $4
        and m.expire_time > now() and not exists (select from steering where steering.run = run.id)
) c on true
where run.id = $1 and run.tenant = $2
"""

# Writes only if run and step are as they were when it was decided. A blob that is there becomes young again: it must
# not be swept up before the step that names it is committed.
_WRITE = """
with gate as (
    select id, tenant from run
    where id = $1 and attempt = $2 and state = $3 and not suspended and paused = $4 and step_allowed = $5
        and (input_tokens, output_tokens, model_calls, tool_calls, cost_micros) = ($6, $7, $8, $9, $10)
    for update
), kept as (
    insert into blob (tenant, digest, content) select tenant, $21, $22 from gate where $22::bytea is not null
    on conflict (tenant, digest) do update set create_time = now()
), begun as (
    insert into step (
        run, number, tenant, kind, digest, occurrence, name, agent, state, attempt, arguments, result, cached,
        finish_time
    )
    select id, 1 + (select coalesce(max(number), 0) from step where run = $1), tenant, $11::text, $12, $13, $14, $15,
        $16::text, $2, $17, $21, $18, case when $16::text = 'COMPLETED' then now() end
    from gate
    on conflict (run, kind, digest, occurrence) do update set
        state = excluded.state, attempt = excluded.attempt, arguments = excluded.arguments, result = excluded.result,
        cached = excluded.cached, finish_time = excluded.finish_time
    where step.state = $19 and step.attempt = $20
    returning number
), taken as (
    update input_request set used = true from begun where input_request.id = $23
), carried as (
    update steering set step = begun.number from begun
    where $16::text = 'STARTED' and $11::text = 'MODEL' and steering.run = $1 and steering.step is null
    returning steering.number, steering.text
), counted as (
    update run set
        model_calls = model_calls + ($16::text = 'STARTED' and $11::text = 'MODEL')::int,
        tool_calls = tool_calls + ($16::text = 'STARTED' and $11::text = 'TOOL')::int,
        step_allowed = step_allowed and not $24::bool
    from begun where run.id = $1 and ($16::text = 'STARTED' or $24::bool)
)
select number, (select jsonb_agg(jsonb_build_array(carried.number, text) order by carried.number) from carried) as said
from begun
"""

_COMPLETE = """
with fence as (
    select id, tenant, (spec ->> 'cache_seconds')::float as cache_seconds from run
    where id = $1 and attempt = $2 and tenant = $11 and state not in ('SUCCEEDED', 'FAILED', 'CANCELLED')
    for update
), done as (
    update step set
        state = case when $6::bytea is null then 'FAILED' else 'COMPLETED' end, result = $5, finish_time = now(),
        input_tokens = step.input_tokens + $7, output_tokens = step.output_tokens + $8,
        cost_micros = step.cost_micros + $9
    from fence where step.run = $1 and step.number = $3 and step.kind = $4 and step.state = 'STARTED'
        and step.attempt = $2
    returning step.digest
), kept as (
    insert into blob (tenant, digest, content) select tenant, $5, $6 from fence, done where $6::bytea is not null
    on conflict (tenant, digest) do update set create_time = now()
), cached as (
    insert into model_cache (tenant, digest, result, expire_time)
    select tenant, done.digest, $5, now() + make_interval(secs => cache_seconds) from fence, done
    where $10::bool and $6::bytea is not null and cache_seconds is not null
        and not exists (select from steering where run = $1)
    on conflict (tenant, digest) do update set result = excluded.result, expire_time = excluded.expire_time
), counted as (
    update run set input_tokens = input_tokens + $7, output_tokens = output_tokens + $8, cost_micros = cost_micros + $9
    from done where run.id = $1
)
select exists (select from fence) as current, exists (select from done) as done, exists (
    select from step where run = $1 and number = $3 and kind = $4 and attempt = $2 and state in ('COMPLETED', 'FAILED')
) as before
"""


class PostgresLedger:
    """`domain.ledger.LedgerStore` on Postgres; tells the feed and the other processes what is asked of people."""

    def __init__(
        self,
        pool: Pool,
        codec: EventCodec,
        feed: Feed,
        wakeups: Wakeups,
        *,
        encode: Callable[[Outcome], bytes],
        decode: Callable[[bytes], Outcome],
        new_id: IdFactory,
        clock: Clock,
    ) -> None:
        """`encode` and `decode` make and read blobs."""
        self._pool, self._codec, self._feed, self._wakeups = pool, codec, feed, wakeups
        self._encode, self._decode, self._new_id, self._clock = encode, decode, new_id, clock
        self._guesses = Guesses()

    async def begin(self, attempt: Attempt, ask: StepAsk, decide: Decide) -> Execute | Replay | Held:
        """Look, decide, write; again if anything changed in between."""
        guess = self._guesses.take(attempt)
        decision = _decided(decide, guess) if guess is not None else None
        if guess is not None and isinstance(decision, Do):
            with driver_errors():
                if begun := await self._write(guess, ask, decision):
                    return begun
        while True:
            with driver_errors():
                look = await self._look(self._pool, attempt, ask)
                match decide(look):
                    case Execute() | Replay() as known:
                        return known
                    case Hold(paused):
                        return Held(paused, look.run.state, look.run.last_sequence)
                    case Do() | Finish() as decision:
                        if written := await self._write(look, ask, decision):
                            return written
                    case Ask():
                        if held := await self._ask(attempt, ask, decide):
                            return held

    async def recorded(self, attempt: Attempt, after: int) -> Sequence[Recorded]:
        """Return what is recorded after a step."""
        return await read_recorded(self._pool, attempt, after, self._decode)

    async def complete(self, attempt: Attempt, step: StepName, outcome: Outcome | None, usage: Usage) -> None:
        """Record what a step brought."""
        content = None if outcome is None else self._encode(outcome)
        with driver_errors():
            row = await self._pool.fetchrow(
                _COMPLETE,
                attempt.run, attempt.number, step.number, step.kind.value, _digest(content), content,
                usage.input_tokens, usage.output_tokens, usage.cost_micros, step.kind is StepKind.MODEL, attempt.tenant,
            )  # fmt: skip
        assert row is not None
        if row["done"]:
            self._guesses.spend(attempt, usage)
        await failpoint("orch.ledger.after_complete_before_ack")
        if not row["current"]:
            raise superseded()
        if not (row["done"] or row["before"]):
            raise NotFound("this attempt did not begin such a step")

    async def _look(self, connection: Connection | Pool, attempt: Attempt, ask: StepAsk) -> Look:
        row = await connection.fetchrow(_LOOK, attempt.run, attempt.tenant, ask.kind.value, ask.digest, ask.occurrence)
        if row is None:
            raise superseded()
        step = self._step_of(row, ask) if row["number"] is not None else None
        return Look(
            run_of(row),
            step,
            request_of({**row["request"], "step_id": step.id}) if step and row["request"] is not None else None,
            self._decode(row["cached_content"]) if row["cached_content"] is not None else None,
            said_of(row["said"]),
        )

    def _step_of(self, row: Any, ask: StepAsk) -> Step:
        return Step(
            row["id"], row["number"], ask.kind, ask.digest, ask.occurrence, ask.name, ask.agent,
            StepState(row["step_state"]), row["step_attempt"], row["step_create_time"], cached=row["cached"],
            arguments=row["step_arguments"],
            outcome=self._decode(row["content"]) if row["content"] is not None else None,
        )  # fmt: skip

    async def _write(self, look: Look, ask: StepAsk, decision: Do | Finish) -> Execute | Replay | None:
        """Begin or finish the step; None if anything changed since the look."""
        run, step = look.run, look.step
        if isinstance(decision, Do):
            state, arguments, content, cached, stepped = StepState.STARTED, decision.arguments, None, False, True
        else:
            state, arguments = StepState.COMPLETED, step.arguments if step else ask.arguments
            content, cached, stepped = self._encode(decision.outcome), decision.cached, decision.stepped
        try:
            row = await self._pool.fetchrow(
                _WRITE,
                run.id, run.attempt, run.state.value, run.paused, run.step_allowed, *astuple(run.usage),
                ask.kind.value, ask.digest, ask.occurrence, ask.name, ask.agent, state.value, arguments, cached,
                step.state.value if step else None, step.attempt if step else None, _digest(content), content,
                decision.request, stepped and run.paused,
            )  # fmt: skip
        except asyncpg.UniqueViolationError:  # another step began at the same moment and took the number
            return None
        if row is None:
            return None
        if step is None and state is StepState.STARTED:
            self._guesses.keep(run, ask.kind)
        await failpoint("orch.ledger.after_begin_before_ack")
        begun = Step(
            run.id, row["number"], ask.kind, ask.digest, ask.occurrence, ask.name, ask.agent, state, run.attempt,
            run.create_time, arguments=arguments,
        )  # fmt: skip
        said = (*look.said, *said_of(row["said"]))
        if isinstance(decision, Finish):
            return Replay(begun.id, decision.outcome, decision.cached, said)
        return executing(run, ask, begun, replace(look, said=said))

    async def _ask(self, attempt: Attempt, ask: StepAsk, decide: Decide) -> Held | None:
        """Ask a person, and let the run wait; None if under the run's lock something else is decided."""
        async with transaction(self._pool) as connection:
            await lock_run(connection, attempt.run)
            look = await self._look(connection, attempt, ask)
            decision, run = decide(look), look.run
            if not isinstance(decision, Ask):
                return None
            run, events = await ask_person(
                connection, self._codec, run, ask, decision, request=self._new_id("req"), now=self._clock()
            )
        announce(self._feed, self._wakeups, run, events)
        await failpoint("orch.ledger.after_begin_before_ack")
        return Held(False, run.state, run.last_sequence)


def _decided(decide: Decide, look: Look) -> Decision | None:
    try:
        return decide(look)
    except MeshError:  # true or not is for the run itself to say
        return None


def _digest(content: bytes | None) -> bytes | None:
    return None if content is None else hashlib.sha256(content).digest()
