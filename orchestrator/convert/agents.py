"""Agents and runtimes."""

from datetime import UTC, datetime

from agentmesh.agent.v1 import agent_service_pb2
from agentmesh.orchestrator.v1 import agent_definition_pb2
from google.protobuf.timestamp_pb2 import Timestamp

from orchestrator.convert.specs import spec_from_proto, spec_to_proto
from orchestrator.domain.model import Agent
from orchestrator.domain.ports import RuntimeStatus

__all__ = ["agent_from_proto", "agent_to_proto", "runtime_to_proto", "timestamp"]


def timestamp(time: datetime | None) -> Timestamp | None:
    """Return the time as a message."""
    if time is None:
        return None
    message = Timestamp()
    message.FromDatetime(time.astimezone(UTC))
    return message


def agent_from_proto(message: agent_definition_pb2.AgentDefinition) -> Agent:
    """Return the agent that a caller sent. Raises InvalidArgument for one that cannot work."""
    spec = spec_from_proto(message.spec, "agent.spec")
    return Agent(message.name, message.description, spec, etag=message.etag)


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
