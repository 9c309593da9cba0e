"""Working on one leg of a run: start its agent, pass on what it does, begin again when it broke, bring it to its end.

    QUEUED ─► attempt 1 ─► context ─► agent ─► answer ─► remember ─► SUCCEEDED
                 ▲                      │ ├─ suspended ─► PAUSED or WAITING: the leg is over, somebody begins the next
                 └──────── backoff ─────┘ broke

Owns the rules of attempts, timeouts and endings. It is called by the engine, on one executor at a time as far as that
can be known; what an executor still writes after it lost the run is refused by the log.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import replace
from functools import partial

from meshkit.errors import MeshError, ResourceExhausted, Unavailable
from meshkit.failpoints import failpoint
from orchestrator.domain.briefing import Briefing
from orchestrator.domain.events import StateChange
from orchestrator.domain.feed import Feed
from orchestrator.domain.model import Failure, Run, RunState
from orchestrator.domain.ports import (
    Agents,
    Clock,
    Completed,
    EventCodec,
    Happened,
    Log,
    Pen,
    Spoken,
    SupersededError,
    Suspended,
    Task,
)
from orchestrator.domain.remembering import Remembering
from orchestrator.domain.storage import RunStore
from orchestrator.domain.telling import read_told

__all__ = ["Execution"]

MAX_BREAKS = 3
"""How often the agent may be unreachable or break off in one leg before the run fails."""
MAX_ATTEMPTS = 20
"""How often an agent is started in one leg: a run that kills its executors must end, too."""
_DRAINED_PAUSE_SECONDS = 0.2  # until the channel has noticed that this agent takes no more
_IDLE_LOOK_SECONDS = 0.5  # how late a timeout may be that was put off by a pause
_MODEL_REASONS = {"MODEL_FAILED", "MODEL_TIMEOUT", "CIRCUIT_OPEN"}  # what an agent tells of its model

Outcome = StateChange | MeshError | None
"""How an attempt ended: the run is to end so, the agent failed so, or it was suspended."""

Sleep = Callable[[float], Awaitable[None]]


class Execution:
    """Executes runs."""

    def __init__(
        self,
        runs: RunStore,
        log: Log,
        feed: Feed,
        agents: Agents,
        briefing: Briefing,
        remembering: Remembering,
        codec: EventCodec,
        *,
        clock: Clock,
        warn: Callable[[str, str, MeshError], None],
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        """`warn(action, run, error)` logs what a run survives."""
        self._runs, self._log, self._feed, self._agents = runs, log, feed, agents
        self._briefing, self._remembering, self._codec = briefing, remembering, codec
        self._clock, self._warn, self._sleep = clock, warn, sleep

    async def execute(self, run_id: str, leg: int) -> StateChange | None:
        """Run the agent until it answered, failed for good, or the run rests.

        Returns how the run is to end; None if it has ended, rests, or is in another leg.
        """
        breaks, counted, last = 0, True, -1
        while True:
            await failpoint("orch.dispatch.before_lease")
            begun = await self._runs.transition(run_id, partial(_begin, leg=leg, last=last, counted=counted))
            await failpoint("orch.dispatch.after_lease")
            if begun is None or begun.suspended:
                return None
            if begun.starts > MAX_ATTEMPTS:
                return _failed(begun, Unavailable(f"the agent was started {MAX_ATTEMPTS} times"), "orchestrator")
            last = begun.attempt
            try:
                outcome = await self._attempt(begun)
            except SupersededError:
                return None
            if isinstance(outcome, StateChange):
                return outcome
            # Suspended: the run rests now, unless somebody let it go on in the meantime. Draining: nothing broke.
            counted = not (isinstance(outcome, MeshError) and outcome.reason == "DRAINING")
            if not counted:
                await self._sleep(_DRAINED_PAUSE_SECONDS)
            elif isinstance(outcome, MeshError):
                breaks += 1
                if breaks == MAX_BREAKS or not _worth_another(outcome):
                    return _failed(begun, outcome, "model" if outcome.reason in _MODEL_REASONS else "agent")
                self._warn("agent_broke", begun.id, outcome)
                await self._sleep(0.2 * 4 ** (breaks - 1))

    async def finish(self, run_id: str, outcome: StateChange) -> None:
        """Give memory the turn if the run succeeded, then end it. Safe to repeat."""
        run = await self._runs.load(run_id)
        if run is None or run.state.terminal:
            return
        if outcome.state is RunState.SUCCEEDED:
            outcome = replace(outcome, remember=not await self._remembering.stored(run, outcome.output))
        await failpoint("orch.finish.before_commit")
        await self._runs.transition(run_id, lambda now: _end(now, outcome))
        await failpoint("orch.finish.after_commit_before_ack")

    async def begin_again(self, run_id: str, leg: int) -> None:
        """Put a run on which nothing works any more back into the queue, as its next leg; what it has done it keeps."""
        await self._runs.transition(
            run_id,
            lambda now: (
                StateChange(RunState.QUEUED, now.attempt, leg=leg + 1)
                if now.state is RunState.RUNNING and now.leg == leg
                else None
            ),
        )

    async def fail(self, run_id: str, failure: Failure) -> None:
        """End a run that cannot be executed, whatever its attempt."""
        await self._runs.transition(
            run_id,
            lambda now: (
                None
                if now.state.terminal
                else StateChange(RunState.FAILED, now.attempt, failure=failure, usage=now.usage)
            ),
        )

    async def _attempt(self, run: Run) -> Outcome:
        """Work on the attempt until it ends, its time is over, or the run is ended from outside.

        What the agent fails with is returned; what is raised is the database's, and ours to try again.
        """
        pen = self._log.pen(run)
        if self._seconds_left(run) <= 0:
            return await self._timed_out(run, pen)
        with self._feed.watch(run.tenant, run.id) as watch:
            watch.announce(run.last_sequence, run.state)
            work = asyncio.create_task(self._converse(run, pen))
            ended = asyncio.create_task(watch.terminated())
            try:
                left = self._seconds_left(run)
                while True:
                    done, _ = await asyncio.wait((work, ended), timeout=left, return_when=asyncio.FIRST_COMPLETED)
                    if work in done:
                        return work.result()
                    if done:
                        raise SupersededError
                    now = await self._runs.load(run.id)  # the time for which it was idle does not count
                    if now is None or self._seconds_left(now) <= 0:
                        break
                    left = max(_IDLE_LOOK_SECONDS, self._seconds_left(now))
            finally:
                for task in (work, ended):
                    task.cancel()
                await asyncio.gather(work, ended, return_exceptions=True)
        return await self._timed_out(run, pen)

    async def _converse(self, run: Run, pen: Pen) -> Outcome:
        told = await read_told(self._runs, self._codec, run)
        for step in told.begun:
            await pen.write(self._codec.step_restarted(step, run.trace_id))
        context = await self._briefing.of(run, pen)
        task = Task(run, context, max(0.0, self._seconds_left(run)))
        outcome: Outcome = Unavailable("the agent's stream ended without an answer")
        try:
            async with aclosing(self._agents.execute(task)) as activities:
                async for activity in activities:
                    match activity:
                        case Spoken(agent, step, text, thought) if step not in told.done:
                            await pen.say(agent, step, text, thought=thought)
                        case Happened(step, body) if step not in told.done:
                            await pen.write(body)
                        case Completed(output):
                            outcome = StateChange(RunState.SUCCEEDED, run.attempt, output)
                        case Suspended():
                            outcome = None
        except MeshError as error:
            outcome = error
        await pen.settled()  # what the agent did comes before what became of it
        return outcome

    async def _timed_out(self, run: Run, pen: Pen) -> StateChange:
        seconds = round(run.spec.limits.timeout.total_seconds())
        await pen.write(self._codec.limit_reached("timeout", seconds, run.trace_id))
        await pen.settled()
        error = ResourceExhausted(f"the run took longer than its timeout of {seconds} s", reason="LIMIT_REACHED")
        return _failed(run, error, "orchestrator")

    def _seconds_left(self, run: Run) -> float:
        """Return how long the run may still work: the time for which it was or is idle is not counted."""
        now = self._clock()
        idle = run.idle + (now - run.idle_since if run.idle_since else now - now)
        return ((run.start_time or now) + run.spec.limits.timeout + idle - now).total_seconds()


def _begin(run: Run, *, leg: int, last: int, counted: bool) -> StateChange | None:
    """Begin the next attempt of the leg; a run that is to rest is marked as one on which nothing works.

    `last` is the executor's own last attempt, -1 before it began one: after a newer one the run is a peer's.
    """
    if run.state.terminal or run.leg != leg or run.suspended or last not in (-1, run.attempt):
        return None
    if run.state in (RunState.PAUSED, RunState.WAITING):
        return StateChange(run.state, run.attempt, suspended=True)
    return StateChange(RunState.RUNNING, run.attempt + 1, starts=run.starts + counted)


def _end(run: Run, outcome: StateChange) -> StateChange | None:
    if run.state.terminal or run.attempt != outcome.attempt:
        return None
    return replace(outcome, usage=run.usage)


def _worth_another(error: MeshError) -> bool:
    """Tell an agent that is unreachable, overloaded or killed from one that says that its work failed.

    CANCELLED is a call that broke: whoever cancels the run itself ends the attempt before the agent can say so.
    """
    return error.reason in ("DEPENDENCY_UNAVAILABLE", "OVERLOADED", "RATE_LIMITED", "CANCELLED")


def _failed(run: Run, error: MeshError, source: str) -> StateChange:
    failure = Failure(error.reason, error.message[:2048], source)
    return StateChange(RunState.FAILED, run.attempt, failure=failure)
