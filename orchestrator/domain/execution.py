"""Working on one run: start its agent, pass on what it does, begin again when it broke, bring the run to its end.

    QUEUED ─► attempt 1 ─► recall ─► agent ─► answer ─► remember ─► SUCCEEDED
                 ▲                     │ broke
                 └──────── backoff ────┘

Owns the rules of attempts, timeouts and endings. It is called by the engine, on one executor at a time as far as that
can be known; what an executor still writes after it lost the run is refused by the log.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import replace
from datetime import timedelta

from meshkit.errors import MeshError, ResourceExhausted, Unavailable
from orchestrator.domain.events import StateChange
from orchestrator.domain.feed import Feed
from orchestrator.domain.model import Failure, MemoryPolicy, Message, Role, Run, RunState
from orchestrator.domain.ports import (
    Agents,
    Clock,
    Completed,
    EventCodec,
    Happened,
    Log,
    Memory,
    Pen,
    Recalled,
    Spoken,
    SupersededError,
    Task,
)
from orchestrator.domain.remembering import Remembering
from orchestrator.domain.storage import RunStore

__all__ = ["Execution"]

MAX_BREAKS = 3
"""How often the agent may be unreachable or break off before the run fails."""
MAX_ATTEMPTS = 20
"""How often an agent is started in all: a run that kills its executors must end, too."""
_HISTORY_BYTES = 64 * 1024
_HISTORY_RUNS = 100  # two messages each: the most that an agent takes
_ALL_LAYERS = (1, 2, 3)  # recent, semantic, facts: nothing answered

Sleep = Callable[[float], Awaitable[None]]


class Execution:
    """Executes runs."""

    def __init__(
        self,
        runs: RunStore,
        log: Log,
        feed: Feed,
        agents: Agents,
        memory: Memory,
        remembering: Remembering,
        codec: EventCodec,
        *,
        capacity: int,
        clock: Clock,
        warn: Callable[[str, str, MeshError], None],
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        """Execute at most `capacity` runs at once; `warn(action, run, error)` logs what a run survives."""
        self._runs, self._log, self._feed, self._agents = runs, log, feed, agents
        self._memory, self._remembering, self._codec = memory, remembering, codec
        self._clock, self._warn, self._sleep = clock, warn, sleep
        self._capacity = asyncio.Semaphore(capacity)

    async def execute(self, run_id: str) -> StateChange | None:
        """Run the agent until it answered or failed for good. Returns how the run is to end, None if it has ended."""
        async with self._capacity:
            for breaks in range(1, MAX_BREAKS + 1):
                run = await self._runs.transition(run_id, _begin)
                if run is None:
                    return None
                if run.attempt > MAX_ATTEMPTS:
                    return _failed(run, Unavailable(f"the agent was started {MAX_ATTEMPTS} times"), "orchestrator")
                try:
                    return await self._attempt(run)
                except SupersededError:
                    return None
                except MeshError as error:
                    if breaks == MAX_BREAKS or not _worth_another(error):
                        return _failed(run, error, "model" if error.reason.startswith("MODEL_") else "agent")
                    self._warn("agent_broke", run.id, error)
                await self._sleep(0.2 * 4 ** (breaks - 1))
        raise AssertionError("unreachable")

    async def finish(self, run_id: str, outcome: StateChange) -> None:
        """Give memory the turn if the run succeeded, then end it. Safe to repeat."""
        run = await self._runs.load(run_id)
        if run is None or run.state.terminal:
            return
        if outcome.state is RunState.SUCCEEDED:
            outcome = replace(outcome, remember=not await self._remembering.stored(run, outcome.output))
        await self._runs.transition(run_id, lambda now: _end(now, outcome))

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

    async def _attempt(self, run: Run) -> StateChange:
        """Work on the attempt until it ends or the run is ended from outside."""
        with self._feed.watch(run.tenant, run.id) as watch:
            watch.announce(run.last_sequence, run.state)
            work = asyncio.create_task(self._work(run))
            ended = asyncio.create_task(watch.terminated())
            try:
                await asyncio.wait((work, ended), return_when=asyncio.FIRST_COMPLETED)
                if not work.done():
                    raise SupersededError
                return work.result()
            finally:
                for task in (work, ended):
                    task.cancel()
                await asyncio.gather(work, ended, return_exceptions=True)

    async def _work(self, run: Run) -> StateChange:
        pen = self._log.pen(run)
        limit = run.spec.limits.timeout
        left = (run.start_time or self._clock()) + limit - self._clock()
        try:
            async with asyncio.timeout(max(0.0, left.total_seconds())) as timer:
                return await self._converse(run, pen, left)
        except TimeoutError:
            if not timer.expired():
                raise
            seconds = round(limit.total_seconds())
            await pen.write(self._codec.limit_reached("timeout", seconds, run.trace_id))
            await pen.settled()
            error = ResourceExhausted(f"the run took longer than its timeout of {seconds} s", reason="LIMIT_REACHED")
            return _failed(run, error, "orchestrator")
        except MeshError:
            await pen.settled()  # what the agent did before it failed comes before the failure
            raise

    async def _converse(self, run: Run, pen: Pen, left: timedelta) -> StateChange:
        history, known = await self._history(run)
        recalled = await self._recall(run, pen, known)
        task = Task(run, history, recalled.items, left.total_seconds())
        async with aclosing(self._agents.execute(task)) as activities:
            async for activity in activities:
                match activity:
                    case Spoken(agent, step, text, thought):
                        await pen.say(agent, step, text, thought=thought)
                    case Happened(body, usage):
                        await pen.write(body, usage)
                    case Completed(output, usage):
                        await pen.settled()
                        return StateChange(RunState.SUCCEEDED, run.attempt, output, usage=run.usage + usage)
        raise Unavailable("the agent's stream ended without an answer")

    async def _history(self, run: Run) -> tuple[Sequence[Message], frozenset[str]]:
        """Return what was said before in the session, the newest that fits, and the runs that it is from."""
        earlier = await self._runs.history(run.session, run.id, _HISTORY_RUNS)
        messages: list[Message] = []
        known: set[str] = set()
        size = 0
        for past in earlier:
            size += len(past.input.encode()) + len(past.output.encode())
            if size > _HISTORY_BYTES:
                break
            answered = past.finish_time or past.create_time
            messages.append(Message(past.id, Role.ASSISTANT, past.output, past.agent, answered))
            messages.append(Message(past.id, Role.USER, past.input, past.agent, past.create_time))
            known.add(past.id)
        return messages[::-1], frozenset(known)

    async def _recall(self, run: Run, pen: Pen, known: frozenset[str]) -> Recalled:
        """Ask memory; without it the agent answers with less, and the event says so."""
        if run.spec.memory is MemoryPolicy.NONE:
            return Recalled()
        try:
            found = await self._memory.recall(run)
        except MeshError as error:
            self._warn("recall_failed", run.id, error)
            found = Recalled(degraded=_ALL_LAYERS)
        recalled = Recalled([item for item in found.items if item.run not in known], found.degraded)
        await pen.write(self._codec.memory_recalled(recalled, run.trace_id))
        return recalled


def _begin(run: Run) -> StateChange | None:
    return None if run.state.terminal else StateChange(RunState.RUNNING, run.attempt + 1)


def _end(run: Run, outcome: StateChange) -> StateChange | None:
    if run.state.terminal or run.attempt != outcome.attempt:
        return None
    return replace(outcome, usage=outcome.usage or run.usage)


def _worth_another(error: MeshError) -> bool:
    """Tell an agent that is unreachable, overloaded or killed from one that says that its work failed.

    CANCELLED is a call that broke: whoever cancels the run itself ends the attempt before the agent can say so.
    """
    return error.reason in ("DEPENDENCY_UNAVAILABLE", "DRAINING", "OVERLOADED", "RATE_LIMITED", "CANCELLED")


def _failed(run: Run, error: MeshError, source: str) -> StateChange:
    failure = Failure(error.reason, error.message[:2048], source)
    return StateChange(RunState.FAILED, run.attempt, failure=failure)
