"""Agents, their specs and limits, runtimes."""

from datetime import UTC, datetime, timedelta

from agentmesh.agent.v1 import agent_service_pb2, agent_spec_pb2
from agentmesh.orchestrator.v1 import agent_definition_pb2
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from meshkit.errors import InvalidArgument
from orchestrator.domain.model import Agent, AgentSpec, Approval, Limits, MemoryPolicy, ToolPolicy
from orchestrator.domain.ports import RuntimeStatus

__all__ = [
    "agent_from_proto",
    "agent_to_proto",
    "limits_to_proto",
    "runtime_to_proto",
    "spec_to_proto",
    "tighter_from_proto",
    "timestamp",
]

_DEFAULTS = Limits()


def timestamp(time: datetime | None) -> Timestamp | None:
    """Return the time as a message."""
    if time is None:
        return None
    message = Timestamp()
    message.FromDatetime(time.astimezone(UTC))
    return message


def _limits_from_proto(limits: agent_spec_pb2.RunLimits) -> Limits:
    """Return the limits; what is not set is the contract's default."""
    return Limits(
        limits.max_model_calls or _DEFAULTS.max_model_calls,
        limits.max_tool_calls or _DEFAULTS.max_tool_calls,
        limits.max_tokens or _DEFAULTS.max_tokens,
        limits.timeout.ToTimedelta() if limits.HasField("timeout") else _DEFAULTS.timeout,
        limits.max_cost_micros,
    )


def tighter_from_proto(limits: agent_spec_pb2.RunLimits) -> Limits:
    """Return a run's own limits; what is not set does not tighten."""
    return Limits(
        limits.max_model_calls or 500,
        limits.max_tool_calls or 500,
        limits.max_tokens or 100_000_000,
        limits.timeout.ToTimedelta() if limits.HasField("timeout") else timedelta(days=1),
        limits.max_cost_micros,
    )


def limits_to_proto(limits: Limits) -> agent_spec_pb2.RunLimits:
    """Return the limits as a message."""
    return agent_spec_pb2.RunLimits(
        max_model_calls=limits.max_model_calls,
        max_tool_calls=limits.max_tool_calls,
        max_tokens=limits.max_tokens,
        timeout=_duration(limits.timeout),
        max_cost_micros=limits.max_cost_micros,
    )


def spec_to_proto(spec: AgentSpec) -> agent_spec_pb2.AgentSpec:
    """Return the spec as a message."""
    return agent_spec_pb2.AgentSpec(
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
    )


def _policies_from_proto(spec: agent_spec_pb2.AgentSpec) -> dict[str, ToolPolicy]:
    """Return what holds for tools. Raises InvalidArgument for a tool that the agent does not name, or names twice."""
    policies: dict[str, ToolPolicy] = {}
    for place, policy in enumerate(spec.tool_policies):
        field = f"agent.spec.tool_policies[{place}].tool"
        if policy.tool not in spec.tools:
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


def agent_from_proto(message: agent_definition_pb2.AgentDefinition) -> Agent:
    """Return the agent that a caller sent."""
    spec = message.spec
    memory = agent_spec_pb2.MemoryPolicy.Name(spec.memory).removeprefix("MEMORY_POLICY_")
    return Agent(
        message.name,
        message.description,
        AgentSpec(
            spec.runtime,
            spec.model,
            spec.instructions,
            tuple(spec.tools),
            spec.temperature if spec.HasField("temperature") else None,
            MemoryPolicy.READ_WRITE if memory == "UNSPECIFIED" else MemoryPolicy(memory),
            _limits_from_proto(spec.limits),
            _policies_from_proto(spec),
            tuple(spec.fallback_models),
            spec.cache_time.ToTimedelta() if spec.HasField("cache_time") else None,
        ),
        etag=message.etag,
    )


def agent_to_proto(agent: Agent) -> agent_definition_pb2.AgentDefinition:
    """Return the agent as a message."""
    return agent_definition_pb2.AgentDefinition(
        name=agent.name,
        description=agent.description,
        spec=spec_to_proto(agent.spec),
        built_in=agent.built_in,
        create_time=None if agent.built_in else timestamp(agent.create_time),
        update_time=None if agent.built_in else timestamp(agent.update_time),
        etag=agent.etag,
    )


def runtime_to_proto(status: RuntimeStatus) -> agent_definition_pb2.Runtime:
    """Return the runtime as a message."""
    serving = status.tools is not None
    return agent_definition_pb2.Runtime(
        name=status.name,
        health=agent_definition_pb2.RUNTIME_HEALTH_SERVING
        if serving
        else agent_definition_pb2.RUNTIME_HEALTH_NOT_SERVING,
        description=agent_service_pb2.RuntimeDescription.FromString(status.description) if serving else None,
    )
