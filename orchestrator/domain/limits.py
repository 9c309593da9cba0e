"""The limits of a run, counted: which one it has reached, and what it has left for others."""

from dataclasses import replace
from datetime import datetime, timedelta

from meshkit.errors import ResourceExhausted
from orchestrator.domain.model import Run
from orchestrator.domain.specs import Limits
from orchestrator.domain.steps import StepKind

__all__ = ["check_depth", "check_limits", "left_of"]

_LEAST = timedelta(seconds=1)


def check_limits(run: Run, kind: StepKind) -> None:
    """Raise ResourceExhausted (LIMIT_REACHED), with the limit's name, if the run may begin no step of the kind."""
    limits, usage = run.spec.limits, run.usage
    calls = ("max_model_calls", limits.max_model_calls, usage.model_calls)
    if kind is StepKind.TOOL:
        calls = ("max_tool_calls", limits.max_tool_calls, usage.tool_calls)
    tokens = ("max_tokens", limits.max_tokens, usage.input_tokens + usage.output_tokens)
    cost = ("max_cost_micros", limits.max_cost_micros or None, usage.cost_micros)
    for name, limit, used in (calls, tokens, cost):
        if limit is not None and used >= limit:
            raise _reached(name, limit)


def check_depth(run: Run) -> None:
    """Raise ResourceExhausted (LIMIT_REACHED) if the agent of the run may ask no other one."""
    if run.depth >= run.spec.limits.max_depth:
        raise _reached("max_depth", run.spec.limits.max_depth)


def left_of(run: Run, now: datetime) -> Limits:
    """Return what the run has left, as the limits of a run that works for it."""
    limits, usage = run.spec.limits, run.usage
    worked = now - (run.start_time or now) - run.idle
    return replace(
        limits,
        max_model_calls=max(1, limits.max_model_calls - usage.model_calls),
        max_tool_calls=max(1, limits.max_tool_calls - usage.tool_calls),
        max_tokens=max(1, limits.max_tokens - usage.input_tokens - usage.output_tokens),
        max_cost_micros=max(1, limits.max_cost_micros - usage.cost_micros) if limits.max_cost_micros else 0,
        timeout=max(_LEAST, limits.timeout - worked),
    )


def _reached(name: str, limit: int) -> ResourceExhausted:
    return ResourceExhausted(
        f"the run reached its {name} of {limit}",
        reason="LIMIT_REACHED",
        metadata={"limit": name, "value": str(limit)},
    )
