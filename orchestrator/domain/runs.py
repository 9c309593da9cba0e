"""What callers may do with runs: create, read, list, wait for and cancel them. `domain.pausing` holds them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from meshkit.context import CallContext
from meshkit.errors import FailedPrecondition, InvalidArgument, MeshError, NotFound
from meshkit.failpoints import failpoint
from meshkit.ids import IdFactory
from meshkit.paging import Page, PageQuery
from orchestrator.domain.catalog import known_agent
from orchestrator.domain.events import StateChange
from orchestrator.domain.feed import Feed
from orchestrator.domain.model import DEFAULT_AGENT, Failure, OnBusy, Run, RunState, Session
from orchestrator.domain.ports import Agents, Clock, RunEngine
from orchestrator.domain.specs import Limits
from orchestrator.domain.storage import FindAgent, NewRun, RequestKey, RunFilter, RunStore
from orchestrator.domain.viewing import Viewer

__all__ = ["DEFAULT_WAIT_SECONDS", "Runs", "TaskRequest", "cancelling"]

DEFAULT_WAIT_SECONDS = 30.0
_DEADLINE_MARGIN = 0.1  # seconds left for the answer to travel


@dataclass(frozen=True, slots=True)
class TaskRequest:
    """What a caller asks for; empty fields are the session's or the mesh's own. `limits` only tighten."""

    key: RequestKey
    session: str
    agent: str
    input: str
    user: str
    limits: Limits | None
    traceparent: str
    on_busy: OnBusy = OnBusy.REJECT
    output_schema: Mapping[str, Any] | None = None


class Runs:
    """The verbs on runs. A run that the caller does not see is NotFound, like one that never was."""

    def __init__(
        self,
        runs: RunStore,
        agents: Agents,
        engine: RunEngine,
        feed: Feed,
        *,
        new_id: IdFactory,
        clock: Clock,
    ) -> None:
        self._runs, self._agents, self._engine, self._feed = runs, agents, engine, feed
        self._new_id, self._clock = new_id, clock

    async def create(self, caller: CallContext, request: TaskRequest, *, bulk: bool = False) -> Run:
        """Accept a task: it is stored before this returns, then handed to the engine.

        Raises NotFound (session, agent), FailedPrecondition (STATE_CONFLICT, RUNTIME_UNAVAILABLE), PermissionDenied,
        InvalidArgument for a user that is not the session's, ResourceExhausted (TOO_MANY_RUNS), and what a repeated
        request raises.
        """

        async def make(session: Session | None, find_agent: FindAgent) -> NewRun:
            user = caller.acting_user(request.user or (session.user if session else ""))
            if session and user != session.user:
                raise InvalidArgument("the session belongs to another user", field="user")
            name = request.agent or (session.agent if session else "") or DEFAULT_AGENT
            agent = await known_agent(name, find_agent)
            if not self._agents.configured(agent.spec.runtime):
                raise FailedPrecondition(f"nothing runs {agent.spec.runtime} here", reason="RUNTIME_UNAVAILABLE")
            spec = agent.spec.limited(request.limits) if request.limits else agent.spec
            if request.output_schema is not None:
                spec = replace(spec, output_schema=request.output_schema)
            now = self._clock()
            home = session or Session(
                self._new_id("ses"), caller.tenant, user, "", request.agent, {}, now, now, self._new_id("etag")
            )
            run = Run(
                self._new_id("run"), caller.tenant, home.id, user, name, spec, request.input, now,
                last_sequence=1, traceparent=request.traceparent, bulk=bulk,
            )  # fmt: skip
            return NewRun(run, None if session else home)

        await failpoint("orch.start.before_persist")
        run = await self._runs.create(request.key, Viewer.of(caller), request.session, make, request.on_busy)
        await failpoint("orch.start.after_persist_before_ack")
        if not run.waits:
            await self._engine.start(run)
        return run

    async def create_many(self, caller: CallContext, requests: Sequence[TaskRequest]) -> Sequence[Run | Failure]:
        """Accept many tasks, in order; what one is refused with does not hinder the others.

        They go behind what people ask one by one. Each may be repeated by its own key.
        """
        created: list[Run | Failure] = []
        for request in requests:
            try:
                created.append(await self.create(caller, request, bulk=True))
            except MeshError as error:
                created.append(Failure(error.reason, error.message[:2048], "orchestrator"))
        return created

    async def get(self, caller: CallContext, run: str) -> Run:
        """Return the run. Raises NotFound."""
        return await self._runs.get(Viewer.of(caller), run)

    async def list(self, caller: CallContext, query: RunFilter, size: int, token: str) -> Page[Run]:
        """Return a page of the runs that the caller sees, newest first."""
        viewer = Viewer.of(caller)
        filters = {
            "user": viewer.user or "",
            "session": query.session,
            "agent": query.agent,
            "state": query.state or "",
            "parent": query.parent,
        }
        pages = PageQuery("ListRuns", caller.tenant, filters)
        cursor = pages.cursor(token, str)
        found: Sequence[Run] = await self._runs.list(viewer, query, str(cursor[0]) if cursor else None, size + 1)
        return pages.page(found, size, lambda run: (run.id,))

    async def wait(self, caller: CallContext, run_id: str, seconds: float) -> Run:
        """Return the run once it is terminal, or as it is after `seconds` or shortly before the call's deadline."""
        remaining = caller.remaining()
        if remaining is not None:
            seconds = min(seconds, max(0.0, remaining - _DEADLINE_MARGIN))
        with self._feed.watch(caller.tenant, run_id) as watch:
            run = await self._runs.get(Viewer.of(caller), run_id)
            watch.announce(run.last_sequence, run.state)
            if run.state.terminal:
                return run
            await watch.terminated_within(seconds)
        return await self._runs.get(Viewer.of(caller), run_id)

    async def cancel(self, caller: CallContext, run_id: str) -> Run:
        """Cancel the run unless it has ended. Returns it as it is then. Raises NotFound."""
        await self._runs.get(Viewer.of(caller), run_id)
        cancelled = await self._runs.transition(run_id, cancelling)
        if cancelled is not None:
            return cancelled
        run = await self._runs.load(run_id)
        if run is None:
            raise NotFound("no such run")
        return run


def cancelling(run: Run) -> StateChange | None:
    """Return what ends a run that is cancelled; None if it has ended."""
    return None if run.state.terminal else StateChange(RunState.CANCELLED, run.attempt, usage=run.usage)
