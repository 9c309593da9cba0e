"""Requests for input in Postgres: an answer, its event and what becomes of the run are one transaction."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from meshkit.errors import NotFound
from meshkit.failpoints import failpoint
from meshkit.sql.failures import driver_errors
from meshkit.sql.pool import Connection, Pool, transaction
from orchestrator.domain.events import StoredEvent
from orchestrator.domain.feed import Feed
from orchestrator.domain.model import Run
from orchestrator.domain.ports import EventCodec
from orchestrator.domain.requests import Judge, Reply, going_on
from orchestrator.domain.steps import Answer, InputKind, InputRequest
from orchestrator.domain.viewing import Viewer
from orchestrator.stores.changes import change_run
from orchestrator.stores.delegations import WAITS
from orchestrator.stores.telling import announce, lock_run, tell
from orchestrator.stores.wakeups import Wakeups

__all__ = ["PostgresRequests", "request_of"]

_SELECT = """
select r.*, lower(s.kind) || '-' || r.step as step_id
from input_request r join step s on s.run = r.run and s.number = r.step
"""
_OPEN = f"{_SELECT} where r.run = $1 and r.answer is null order by r.id limit 64"
_GET = f"{_SELECT} where r.run = $1 and r.id = $2"

_ANSWER = """
update input_request set answer = $3, answer_text = $4, answer_user = $5, answer_time = now() where run = $1 and id = $2
"""
_EXPIRED = """
select run, id from input_request where answer is null and expire_time <= now() order by expire_time limit $1
"""


def request_of(row: Any) -> InputRequest:
    """Return the request of a row that has its step's id as `step_id`."""
    return InputRequest(
        row["id"],
        row["run"],
        row["step_id"],
        InputKind(row["kind"]),
        row["tool"],
        row["arguments"],
        row["arguments_digest"],
        row["question"],
        row["create_time"],
        row["expire_time"],
        Answer(row["answer"]) if row["answer"] else None,
        row["answer_text"],
        row["answer_user"],
        row["used"],
    )


class PostgresRequests:
    """`domain.requests.RequestStore` on Postgres; tells the feed and the other processes of every answer."""

    def __init__(self, pool: Pool, codec: EventCodec, feed: Feed, wakeups: Wakeups) -> None:
        self._pool, self._codec, self._feed, self._wakeups = pool, codec, feed, wakeups

    async def open(self, run: str) -> Sequence[InputRequest]:
        """Return the run's open requests, oldest first."""
        with driver_errors():
            rows = await self._pool.fetch(_OPEN, run)
        return [request_of(row) for row in rows]

    async def answer(self, viewer: Viewer | None, run: str, request: str, judge: Judge) -> tuple[Run, bool]:
        """Answer a request as judged, while the run's row is locked: two answers never meet."""
        async with transaction(self._pool) as connection:
            before = await lock_run(connection, run, viewer)
            row = await connection.fetchrow(_GET, run, request)
            if row is None:
                raise NotFound("no such request")
            asked = request_of(row)
            reply = judge(before, asked)
            if reply is None:
                return before, False
            after, events = await self._close(connection, before, asked, reply)
        await failpoint("approval.after_decision_before_resume")
        if events:
            announce(self._feed, self._wakeups, after, events)
        return after, True

    async def expired(self, limit: int) -> Sequence[tuple[str, str]]:
        """Return what is overdue."""
        with driver_errors():
            rows = await self._pool.fetch(_EXPIRED, limit)
        return [(row["run"], row["id"]) for row in rows]

    async def _close(
        self, connection: Connection, run: Run, asked: InputRequest, reply: Reply
    ) -> tuple[Run, list[StoredEvent]]:
        await connection.execute(_ANSWER, run.id, asked.id, reply.answer.value, reply.text, reply.user)
        if run.state.terminal:
            return run, []  # nothing follows an end
        text = "" if reply.answer is Answer.EDITED else reply.text  # the arguments are told with the call
        body = self._codec.input_answered(asked, reply.answer, reply.user, text, run.trace_id)
        told = await tell(connection, run.id, body)
        change = None if await connection.fetchval(WAITS, run.id) else going_on(run)
        if change is None:
            return replace(run, last_sequence=told.sequence), [told]
        changed = await change_run(connection, self._codec, run, change)
        assert changed is not None  # its row is locked
        return changed.run, [told, *changed.events]
