"""Beginning again from the middle: a new run that replays what another one did, with one thing changed.

The other run is only read. The new one is of the same user, in a session of its own; it has the other's agent and
conversation, and of the other's ledger the steps up to the one that is named. Its limits and its usage begin anew.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from meshkit.context import CallContext
from meshkit.errors import FailedPrecondition, InvalidArgument, NotFound
from meshkit.ids import IdFactory
from orchestrator.domain.model import Run, Session
from orchestrator.domain.ports import Agents, Clock, RunEngine
from orchestrator.domain.steps import Outcome, StepKind, StepState
from orchestrator.domain.storage import NewRun, RequestKey
from orchestrator.domain.viewing import Viewer

__all__ = ["Fork", "ForkStore", "Forking", "Origin"]


@dataclass(frozen=True, slots=True)
class Fork:
    """What a caller asks for. An empty `step` keeps none; without `input` and `outcome` nothing is changed.

    `outcome` is what the step brought instead.
    """

    key: RequestKey
    run: str
    step: str
    input: str | None = None
    outcome: Outcome | None = None
    traceparent: str = ""


@dataclass(frozen=True, slots=True)
class Origin:
    """What is forked: a run, its session, and where the last step to keep stands, None if the run has no such step."""

    run: Run
    session: Session
    step: StepState | None


class ForkStore(Protocol):
    """Makes forks."""

    async def fork(self, viewer: Viewer, request: Fork, make: Callable[[Origin], NewRun]) -> Run:
        """Store what `make` returns, with the origin's context and its completed steps; once for the request's key.

        Returns the run as it was accepted. Raises NotFound, what `make` raises, and what a repeated request raises.
        """
        ...


class Forking:
    """The verb on forks."""

    def __init__(self, store: ForkStore, agents: Agents, engine: RunEngine, *, new_id: IdFactory, clock: Clock) -> None:
        self._store, self._agents, self._engine = store, agents, engine
        self._new_id, self._clock = new_id, clock

    async def fork(self, caller: CallContext, request: Fork) -> Run:
        """Make the new run and hand it to the engine; the same request may be repeated.

        Raises NotFound (run, step), FailedPrecondition for a step that is not completed (STATE_CONFLICT) or a runtime
        that the mesh no longer has (RUNTIME_UNAVAILABLE), InvalidArgument for a result that is not of the step's kind.
        """
        _check_edit(request)

        def make(origin: Origin) -> NewRun:
            source = origin.run
            if request.step and origin.step is None:
                raise NotFound("no such step")
            if request.step and origin.step is not StepState.COMPLETED:
                raise FailedPrecondition(f"{request.step} is {origin.step}: only what a completed step brought is kept")
            if not self._agents.configured(source.spec.runtime):
                raise FailedPrecondition(f"nothing runs {source.spec.runtime} here", reason="RUNTIME_UNAVAILABLE")
            now = self._clock()
            home = Session(
                self._new_id("ses"), source.tenant, source.user, origin.session.title, origin.session.agent,
                origin.session.labels, now, now, self._new_id("etag"),
            )  # fmt: skip
            run = Run(
                self._new_id("run"), source.tenant, home.id, source.user, source.agent, source.spec,
                source.input if request.input is None else request.input, now,
                last_sequence=1, traceparent=request.traceparent, forked_from=source.id,
            )  # fmt: skip
            return NewRun(run, home)

        run = await self._store.fork(Viewer.of(caller), request, make)
        await self._engine.start(run)
        return run


def _check_edit(request: Fork) -> None:
    """Raise InvalidArgument for an outcome that the step cannot have brought."""
    if request.outcome is None:
        return
    if not request.step:
        raise InvalidArgument("a result needs the step that it replaces the result of", field="step")
    kind = StepKind.MODEL if isinstance(request.outcome, str) else StepKind.TOOL
    if not request.step.startswith(f"{kind.value.lower()}-"):
        raise InvalidArgument(f"{request.step} cannot bring the result of a {kind.value.lower()}", field="result")
    if isinstance(request.outcome, str):
        _check_completion(request.outcome)


def _check_completion(text: str) -> None:
    refusal = InvalidArgument("completion is no chat.completion with choices", field="result.completion")
    try:
        completion = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise refusal from error
    choices = completion.get("choices") if isinstance(completion, dict) else None
    if not isinstance(choices, list) or not choices:
        raise refusal
    if not all(isinstance(choice, dict) and isinstance(choice.get("message"), dict) for choice in choices):
        raise refusal
