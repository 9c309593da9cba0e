"""Between specs of agents and the JSON that is stored of them."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from orchestrator.domain.specs import AgentSpec, Approval, Limits, MemoryPolicy, ToolPolicy
from orchestrator.domain.teams import Member, Team, TeamKind, TeamTask

__all__ = ["spec_of", "spec_to_json"]


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
            "max_depth": spec.limits.max_depth,
        },
        "tool_policies": {
            tool: {"approval": policy.approval.value, "seconds": policy.time_limit.total_seconds()}
            for tool, policy in spec.tool_policies.items()
        },
        "fallback_models": list(spec.fallback_models),
        "cache_seconds": spec.cache_time.total_seconds() if spec.cache_time else None,
        "agents": list(spec.agents),
        "team": asdict(spec.team) if spec.team else None,
        "output_schema": spec.output_schema,
    }


def spec_of(value: Mapping[str, Any]) -> AgentSpec:
    """Return the spec that the JSON tells."""
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
            limits.get("max_depth", Limits().max_depth),
        ),
        {
            tool: ToolPolicy(Approval(policy["approval"]), timedelta(seconds=policy["seconds"]))
            for tool, policy in value.get("tool_policies", {}).items()
        },
        tuple(value.get("fallback_models", ())),
        timedelta(seconds=cache_seconds) if cache_seconds else None,
        tuple(value.get("agents", ())),
        _team_of(team) if (team := value.get("team")) else None,
        value.get("output_schema"),
    )


def _team_of(value: Mapping[str, Any]) -> Team:
    return Team(
        TeamKind(value["kind"]),
        tuple(
            Member(**{**member, "tools": tuple(member["tools"]), "hand_offs": tuple(member["hand_offs"])})
            for member in value["members"]
        ),
        tuple(TeamTask(**task) for task in value["tasks"]),
        value["max_turns"],
        value["stop_text"],
    )
