"""Between rows and values: what the columns and their JSON look like, in one place."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from meshkit.sql import idempotency
from orchestrator.domain.model import (
    Agent,
    AgentSpec,
    Approval,
    Failure,
    Limits,
    MemoryPolicy,
    Run,
    RunState,
    Session,
    ToolPolicy,
    Usage,
)
from orchestrator.domain.storage import RequestKey

__all__ = [
    "agent_of",
    "failure_of",
    "failure_to_json",
    "request_of",
    "run_of",
    "session_of",
    "spec_to_json",
]


def spec_to_json(spec: AgentSpec) -> dict[str, Any]:
    """Return the spec as JSON."""
    return {
        "runtime": spec.runtime,
        "model": spec.model,
        "instructions": spec.instructions,
        "tools": list(spec.tools),
        "temperature": spec.temperature,
        "memory": spec.memory.value,
        "limits": {
            "max_model_calls": spec.limits.max_model_calls,
            "max_tool_calls": spec.limits.max_tool_calls,
            "max_tokens": spec.limits.max_tokens,
            "timeout_seconds": spec.limits.timeout.total_seconds(),
            "max_cost_micros": spec.limits.max_cost_micros,
        },
        "tool_policies": {
            tool: {"approval": policy.approval.value, "seconds": policy.time_limit.total_seconds()}
            for tool, policy in spec.tool_policies.items()
        },
        "fallback_models": list(spec.fallback_models),
        "cache_seconds": spec.cache_time.total_seconds() if spec.cache_time else None,
    }


def _spec_of(value: Mapping[str, Any]) -> AgentSpec:
    # What came with a later version is missing in older rows.
    limits, cache_seconds = value["limits"], value.get("cache_seconds")
    return AgentSpec(
        value["runtime"],
        value["model"],
        value["instructions"],
        tuple(value["tools"]),
        value["temperature"],
        MemoryPolicy(value["memory"]),
        Limits(
            limits["max_model_calls"],
            limits["max_tool_calls"],
            limits["max_tokens"],
            timedelta(seconds=limits["timeout_seconds"]),
            limits.get("max_cost_micros", 0),
        ),
        {
            tool: ToolPolicy(Approval(policy["approval"]), timedelta(seconds=policy["seconds"]))
            for tool, policy in value.get("tool_policies", {}).items()
        },
        tuple(value.get("fallback_models", ())),
        timedelta(seconds=cache_seconds) if cache_seconds else None,
    )


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
        spec=_spec_of(row["spec"]),
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
        _spec_of(row["spec"]),
        create_time=row["create_time"],
        update_time=row["update_time"],
        etag=row["etag"],
    )


def request_of(key: RequestKey) -> idempotency.RequestKey:
    """Return the key of a repeatable create. It names the caller: two callers' request ids never meet."""
    return idempotency.RequestKey(key.tenant, key.method, f"{key.caller}\n{key.request_id}")
