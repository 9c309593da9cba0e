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
    Delegate,
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
from orchestrator.stores.delegations import ask_agent, child_of, tree_of
from orchestrator.stores.guesses import Guesses
from orchestrator.stores.ledger_statements import COMPLETE, LOOK, WRITE
from orchestrator.stores.peers import FindPeer, no_peer
from orchestrator.stores.recorded import read_recorded, said_of
from orchestrator.stores.requests import request_of
from orchestrator.stores.rows import run_of
from orchestrator.stores.telling import announce, lock_run
from orchestrator.stores.wakeups import Wakeups

__all__ = ["PostgresLedger"]


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
        peers: FindPeer = no_peer,
        begun: Callable[[], None] = lambda: None,
    ) -> None:
        """`encode` and `decode` make and read blobs; `peers` finds the agents that others may ask.

        `begun` is called when the run of such an agent may begin: the engine then looks for it at once.
        """
        self._pool, self._codec, self._feed, self._wakeups = pool, codec, feed, wakeups
        self._encode, self._decode, self._new_id, self._clock = encode, decode, new_id, clock
        self._peers, self._begun = peers, begun
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
                    case Ask() | Delegate():
                        if held := await self._wait(attempt, ask, decide):
                            return held

    async def recorded(self, attempt: Attempt, after: int) -> Sequence[Recorded]:
        """Return what is recorded after a step."""
        return await read_recorded(self._pool, attempt, after, self._decode)

    async def complete(self, attempt: Attempt, step: StepName, outcome: Outcome | None, usage: Usage) -> None:
        """Record what a step brought."""
        content = None if outcome is None else self._encode(outcome)
        with driver_errors():
            row = await self._pool.fetchrow(
                COMPLETE,
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
        row = await connection.fetchrow(LOOK, attempt.run, attempt.tenant, ask.kind.value, ask.digest, ask.occurrence)
        if row is None:
            raise superseded()
        run, step = run_of(row), self._step_of(row, ask) if row["number"] is not None else None
        asked = run.spec.asking.get(ask.name) if ask.kind is StepKind.TOOL else None
        return Look(
            run,
            step,
            request_of({**row["request"], "step_id": step.id}) if step and row["request"] is not None else None,
            self._decode(row["cached_content"]) if row["cached_content"] is not None else None,
            said_of(row["said"]),
            await self._peers(connection, run.tenant, asked) if asked else None,
            await child_of(connection, run.id, step.number) if asked and step else None,
            await tree_of(connection, run.root) if run.root else None,
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
                WRITE,
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

    async def _wait(self, attempt: Attempt, ask: StepAsk, decide: Decide) -> Held | None:
        """Ask a person or another agent, and let the run wait; None if under its lock something else is decided."""
        async with transaction(self._pool) as connection:
            await lock_run(connection, attempt.run)
            look = await self._look(connection, attempt, ask)
            decision, run, now = decide(look), look.run, self._clock()
            match decision:
                case Ask():
                    request = self._new_id("req")
                    run, events = await ask_person(
                        connection, self._codec, run, ask, decision, request=request, now=now
                    )
                case Delegate():
                    child = self._new_id("run")
                    run, events = await ask_agent(connection, self._codec, run, ask, decision, child=child, now=now)
                case _:
                    return None
        announce(self._feed, self._wakeups, run, events)
        if isinstance(decision, Delegate):
            self._begun()
        await failpoint("orch.ledger.after_begin_before_ack")
        return Held(False, run.state, run.last_sequence)


def _decided(decide: Decide, look: Look) -> Decision | None:
    try:
        return decide(look)
    except MeshError:  # true or not is for the run itself to say
        return None


def _digest(content: bytes | None) -> bytes | None:
    return None if content is None else hashlib.sha256(content).digest()
