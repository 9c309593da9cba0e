"""Specs of agents and their limits."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

from agentmesh.agent.v1 import agent_spec_pb2
from google.protobuf.duration_pb2 import Duration
from google.protobuf.json_format import MessageToDict
from google.protobuf.struct_pb2 import Struct

from meshkit.errors import InvalidArgument
from orchestrator.convert.teams import team_from_proto, team_to_proto
from orchestrator.domain.specs import AgentSpec, Approval, Limits, MemoryPolicy, ToolPolicy
from orchestrator.domain.teams import check_team

__all__ = ["limits_to_proto", "schema_from_proto", "spec_from_proto", "spec_to_proto", "tighter_from_proto"]

_DEFAULTS = Limits()
_MAX_SCHEMA_BYTES = 64 * 1024


def _limits_from_proto(limits: agent_spec_pb2.RunLimits) -> Limits:
    """Return the limits; what is not set is the contract's default."""
    return Limits(
        limits.max_model_calls or _DEFAULTS.max_model_calls,
        limits.max_tool_calls or _DEFAULTS.max_tool_calls,
        limits.max_tokens or _DEFAULTS.max_tokens,
        limits.timeout.ToTimedelta() if limits.HasField("timeout") else _DEFAULTS.timeout,
        limits.max_cost_micros,
        limits.max_depth or _DEFAULTS.max_depth,
    )


def tighter_from_proto(limits: agent_spec_pb2.RunLimits) -> Limits:
    """Return a run's own limits; what is not set does not tighten."""
    return Limits(
        limits.max_model_calls or 500,
        limits.max_tool_calls or 500,
        limits.max_tokens or 100_000_000,
        limits.timeout.ToTimedelta() if limits.HasField("timeout") else timedelta(days=1),
        limits.max_cost_micros,
        limits.max_depth or 16,
    )


def limits_to_proto(limits: Limits) -> agent_spec_pb2.RunLimits:
    """Return the limits as a message."""
    return agent_spec_pb2.RunLimits(
        max_model_calls=limits.max_model_calls,
        max_tool_calls=limits.max_tool_calls,
        max_tokens=limits.max_tokens,
        timeout=_duration(limits.timeout),
        max_cost_micros=limits.max_cost_micros,
        max_depth=limits.max_depth,
    )


def spec_to_proto(spec: AgentSpec) -> agent_spec_pb2.AgentSpec:
    """Return the spec as a message."""
    message = agent_spec_pb2.AgentSpec(
        runtime=spec.runtime,
        model=spec.model,
        instructions=spec.instructions,
        tools=spec.tools,
        temperature=spec.temperature,
        memory=f"MEMORY_POLICY_{spec.memory}",
        limits=limits_to_proto(spec.limits),
        tool_policies=[
            agent_spec_pb2.ToolPolicy(
                tool=tool, approval=f"APPROVAL_{policy.approval}", time_limit=_duration(policy.time_limit)
            )
            for tool, policy in spec.tool_policies.items()
        ],
        fallback_models=spec.fallback_models,
        cache_time=_duration(spec.cache_time) if spec.cache_time else None,
        agents=spec.agents,
        team=team_to_proto(spec.team) if spec.team else None,
    )
    if spec.output_schema is not None:
        message.output_schema.update(spec.output_schema)
    return message


def spec_from_proto(message: agent_spec_pb2.AgentSpec, path: str) -> AgentSpec:
    """Return the spec that a caller sent. Raises InvalidArgument with a field below `path` for one that cannot work."""
    memory = agent_spec_pb2.MemoryPolicy.Name(message.memory).removeprefix("MEMORY_POLICY_")
    spec = AgentSpec(
        message.runtime,
        message.model,
        message.instructions,
        tuple(message.tools),
        message.temperature if message.HasField("temperature") else None,
        MemoryPolicy.READ_WRITE if memory == "UNSPECIFIED" else MemoryPolicy(memory),
        _limits_from_proto(message.limits),
        fallback_models=tuple(message.fallback_models),
        cache_time=message.cache_time.ToTimedelta() if message.HasField("cache_time") else None,
        agents=tuple(message.agents),
        team=team_from_proto(message.team) if message.HasField("team") else None,
        output_schema=schema_from_proto(message.output_schema, f"{path}.output_schema")
        if message.HasField("output_schema")
        else None,
    )
    if spec.team is not None:
        check_team(spec.team, spec.tools, f"{path}.team")
    return replace(spec, tool_policies=_policies_from_proto(message, spec, path))


def schema_from_proto(schema: Struct, field: str) -> dict[str, Any]:
    """Return the JSON Schema. Raises InvalidArgument for one that is too large; what it says, its runtime checks."""
    try:
        value: dict[str, Any] = MessageToDict(schema)
    except ValueError:
        raise InvalidArgument("a schema holds JSON's numbers only, not NaN or infinity", field=field) from None
    if len(json.dumps(value, ensure_ascii=False).encode()) > _MAX_SCHEMA_BYTES:
        raise InvalidArgument(f"a schema has at most {_MAX_SCHEMA_BYTES:,} bytes", field=field)
    return value


def _policies_from_proto(message: agent_spec_pb2.AgentSpec, spec: AgentSpec, path: str) -> dict[str, ToolPolicy]:
    """Return what holds for tools. Raises InvalidArgument for a tool that the agent does not name, or names twice."""
    policies: dict[str, ToolPolicy] = {}
    known = spec.all_tools | spec.asking.keys()
    for place, policy in enumerate(message.tool_policies):
        field = f"{path}.tool_policies[{place}].tool"
        if policy.tool not in known:
            raise InvalidArgument(f"{policy.tool} is not one of the agent's tools", field=field)
        if policy.tool in policies:
            raise InvalidArgument(f"{policy.tool} has two policies", field=field)
        approval = agent_spec_pb2.Approval.Name(policy.approval).removeprefix("APPROVAL_")
        policies[policy.tool] = ToolPolicy(
            Approval.AUTO if approval == "UNSPECIFIED" else Approval(approval),
            policy.time_limit.ToTimedelta() if policy.HasField("time_limit") else ToolPolicy().time_limit,
        )
    return policies


def _duration(time: timedelta) -> Duration:
    message = Duration()
    message.FromTimedelta(time)
    return message
