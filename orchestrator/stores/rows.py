"""Between rows and values: what the columns and their JSON look like, in one place."""

from collections.abc import Mapping
from typing import Any

from meshkit.sql import idempotency
from orchestrator.domain.model import Agent, Failure, Run, RunState, Session, Usage
from orchestrator.domain.storage import RequestKey
from orchestrator.stores.specs import spec_of

__all__ = [
    "agent_of",
    "failure_of",
    "failure_to_json",
    "request_of",
    "run_of",
    "session_of",
]


def failure_to_json(failure: Failure | None) -> dict[str, Any] | None:
    """Return the failure and its causes as JSON."""
    if failure is None:
        return None
    return {
        "reason": failure.reason,
        "message": failure.message,
        "source": failure.source,
        "cause": failure_to_json(failure.cause),
    }


def failure_of(value: Mapping[str, Any] | None) -> Failure | None:
    """Return the failure that the JSON tells."""
    if value is None:
        return None
    return Failure(value["reason"], value["message"], value["source"], failure_of(value["cause"]))


def run_of(row: Any) -> Run:
    """Return the run of a row with all columns."""
    return Run(
        id=row["id"],
        tenant=row["tenant"],
        session=row["session"],
        user=row["user_id"],
        agent=row["agent"],
        spec=spec_of(row["spec"]),
        input=row["input"],
        create_time=row["create_time"],
        state=RunState(row["state"]),
        output=row["output"],
        failure=failure_of(row["failure"]),
        usage=Usage(
            row["input_tokens"], row["output_tokens"], row["model_calls"], row["tool_calls"], row["cost_micros"]
        ),
        attempt=row["attempt"],
        last_sequence=row["last_sequence"],
        oldest_sequence=row["oldest_sequence"],
        traceparent=row["traceparent"],
        start_time=row["start_time"],
        finish_time=row["finish_time"],
        leg=row["leg"],
        starts=row["starts"],
        paused=row["paused"],
        step_allowed=row["step_allowed"],
        suspended=row["suspended"],
        idle_since=row["idle_since"],
        idle=row["idle"],
        waits=row["waits"],
        bulk=row["bulk"],
        forked_from=row["forked_from"],
        parent=row["parent"],
        parent_step=row["parent_step"],
        root=row["root"],
        depth=row["depth"],
    )


def session_of(row: Any) -> Session:
    """Return the session of a row."""
    return Session(
        row["id"],
        row["tenant"],
        row["user_id"],
        row["title"],
        row["agent"],
        row["labels"],
        row["create_time"],
        row["update_time"],
        row["etag"],
    )


def agent_of(row: Any) -> Agent:
    """Return the agent of a row."""
    return Agent(
        row["name"],
        row["description"],
        spec_of(row["spec"]),
        create_time=row["create_time"],
        update_time=row["update_time"],
        etag=row["etag"],
    )


def request_of(key: RequestKey) -> idempotency.RequestKey:
    """Return the key of a repeatable create. It names the caller: two callers' request ids never meet."""
    return idempotency.RequestKey(key.tenant, key.method, f"{key.caller}\n{key.request_id}")
