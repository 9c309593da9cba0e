"""What runs ask of people: which answers fit, that each counts once, and how the run goes on after the last one.

    gate asks ─► WAITING ─► a person answers, or the time is over ─► RUNNING, PAUSED, or QUEUED in a new leg

Owns the rules of answering. What an answer means for its step is the gate's.
"""

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from meshkit.context import CallContext
from meshkit.errors import FailedPrecondition, InvalidArgument, MeshError
from orchestrator.domain.events import StateChange
from orchestrator.domain.model import Run, RunState
from orchestrator.domain.ports import Clock, RunEngine
from orchestrator.domain.steps import Answer, InputKind, InputRequest
from orchestrator.domain.viewing import Viewer

__all__ = ["Judge", "Reply", "RequestStore", "Requests", "going_on"]

_PAUSE_SECONDS = 1.0
_BATCH = 100  # expired requests that are read at once; each is closed in a transaction of its own


@dataclass(frozen=True, slots=True)
class Reply:
    """What a person answers. `text` is the reason of a denial, the text of an answer, or the arguments of an edit.

    `digest` is what an approval says that it approves.
    """

    answer: Answer
    user: str = ""
    text: str = ""
    digest: str = ""


Judge = Callable[[Run, InputRequest], Reply | None]
"""Given a run whose row is locked and one of its requests: how that is answered, None to change nothing."""


class RequestStore(Protocol):
    """The requests of runs."""

    async def open(self, run: str) -> Sequence[InputRequest]:
        """Return what the run asks and nobody has answered yet, oldest first."""
        ...

    async def answer(self, viewer: Viewer | None, run: str, request: str, judge: Judge) -> tuple[Run, bool]:
        """Answer a request as `judge` says, in one transaction with the event and with what becomes of the run.

        Returns the run, and whether anything changed. Raises NotFound (run, request), and what `judge` raises.
        """
        ...

    async def expired(self, limit: int) -> Sequence[tuple[str, str]]:
        """Return runs and their requests whose time is over, the longest overdue first."""
        ...


class Requests:
    """The verbs on requests."""

    def __init__(
        self, store: RequestStore, engine: RunEngine, *, clock: Clock, warn: Callable[[str, str, MeshError], None]
    ) -> None:
        """`warn(action, run, error)` logs what is tried again."""
        self._store, self._engine, self._clock, self._warn = store, engine, clock, warn

    async def open(self, run: Run) -> Sequence[InputRequest]:
        """Return what the run still asks of people."""
        return () if run.state.terminal else await self._store.open(run.id)

    async def respond(self, caller: CallContext, run_id: str, request_id: str, reply: Reply) -> Run:
        """Answer a request; the same answer of the same person may be repeated. Returns the run.

        Raises NotFound, InvalidArgument for an answer that does not fit, FailedPrecondition (REQUEST_CLOSED).
        """
        said = replace(reply, user=caller.subject)

        def judge(run: Run, request: InputRequest) -> Reply | None:
            _check(request, said)
            if request.answer is not None:
                if (request.answer, request.answer_user, request.answer_text) == (said.answer, said.user, said.text):
                    return None
                how = "its time is over" if request.answer is Answer.EXPIRED else "it was answered"
                raise FailedPrecondition(f"the request is closed: {how}", reason="REQUEST_CLOSED")
            if run.state.terminal:
                raise FailedPrecondition("the request is closed: the run has ended", reason="REQUEST_CLOSED")
            if request.expire_time <= self._clock():
                raise FailedPrecondition("the request is closed: its time is over", reason="REQUEST_CLOSED")
            return said

        return await self._answer(Viewer.of(caller), run_id, request_id, judge)

    async def keep_expiring(self) -> None:
        """Close requests whose time is over, until cancelled. Several processes may do so at once."""
        while True:
            try:
                count = await self.expire()
            except MeshError as error:  # the database is away
                self._warn("requests_not_expired", "", error)
                count = 0
            if count < _BATCH:
                await asyncio.sleep(_PAUSE_SECONDS)

    async def expire(self) -> int:
        """Close a batch of the requests whose time is over. Returns how many there were."""
        due = await self._store.expired(_BATCH)
        for run, request in due:
            await self._answer(None, run, request, _expire)
        return len(due)

    async def _answer(self, viewer: Viewer | None, run_id: str, request_id: str, judge: Judge) -> Run:
        run, changed = await self._store.answer(viewer, run_id, request_id, judge)
        if changed and run.state is RunState.QUEUED:
            await self._engine.start(run)
        return run


def going_on(run: Run) -> StateChange | None:
    """Return what becomes of a run of which nothing is asked any more; None if it was not waiting."""
    if run.state is not RunState.WAITING:
        return None
    if run.paused and not run.step_allowed:
        return StateChange(RunState.PAUSED, run.attempt)
    if run.suspended:
        return StateChange(RunState.QUEUED, run.attempt, leg=run.leg + 1, starts=0, suspended=False)
    return StateChange(RunState.RUNNING, run.attempt)


def _expire(_run: Run, request: InputRequest) -> Reply | None:
    return Reply(Answer.EXPIRED) if request.answer is None else None  # else a peer, or a person, was first


def _check(request: InputRequest, reply: Reply) -> None:
    """Raise InvalidArgument unless the answer is one that the request takes."""
    match request.kind, reply.answer:
        case _, Answer.DENIED:
            return
        case InputKind.APPROVAL, Answer.APPROVED | Answer.EDITED:
            if reply.digest != request.arguments_digest:
                raise InvalidArgument(
                    "approve names other arguments than those that are asked for", field="approve.arguments_digest"
                )
            if reply.answer is Answer.EDITED:
                _check_edit(reply.text)
        case InputKind.UNCERTAIN, Answer.APPROVED:
            if reply.digest not in ("", request.arguments_digest):
                raise InvalidArgument(
                    "approve names other arguments than those of the call", field="approve.arguments_digest"
                )
        case InputKind.UNCERTAIN, Answer.EDITED:
            raise InvalidArgument(
                "an interrupted call can only be done again as it was", field="approve.edited_arguments"
            )
        case InputKind.QUESTION | InputKind.UNCERTAIN, Answer.TEXT:
            return
        case InputKind.QUESTION, _:
            raise InvalidArgument("a question takes an answer, or a denial", field="answer")
        case _:
            raise InvalidArgument("an approval takes approve or deny", field="answer")


def _check_edit(text: str) -> None:
    try:
        arguments = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidArgument("edited_arguments is no JSON", field="approve.edited_arguments") from error
    if not isinstance(arguments, dict):
        raise InvalidArgument("edited_arguments is no JSON object", field="approve.edited_arguments")
