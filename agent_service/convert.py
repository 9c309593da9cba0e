"""Messages to the domain's models and back: pure, and the only place that knows both."""

from collections.abc import Callable, Mapping
from typing import Any

from agentmesh.agent.v1 import activity_pb2, agent_service_pb2, agent_spec_pb2, team_pb2
from agentmesh.memory.v1 import context_pb2
from google.protobuf.duration_pb2 import Duration
from google.protobuf.json_format import MessageToDict

from agent_service.adapters.recalled import recalled_fact, recalled_passage, recalled_turn
from agent_service.domain import events
from agent_service.domain.runtime import Capability, RuntimeDescription
from agent_service.domain.task import ChatTurn, Limits, Peer, RecalledItem, Task
from agent_service.domain.team import Member, Team, TeamKind, TeamTask
from agent_service.domain.tool import Tool
from meshkit.rpc.failure import to_failure

__all__ = ["description_of", "event_of", "file_to_proto", "path_of", "source_to_proto", "task_of", "usage_to_proto"]

_WRITES = {agent_spec_pb2.MEMORY_POLICY_UNSPECIFIED, agent_spec_pb2.MEMORY_POLICY_READ_WRITE}
_KINDS = {
    events.StepKind.MODEL: activity_pb2.STEP_KIND_MODEL,
    events.StepKind.TOOL: activity_pb2.STEP_KIND_TOOL,
}
_SOURCES = {events.StepKind.MODEL: "model", events.StepKind.TOOL: "agent"}
_FINISHES = {
    events.FinishReason.UNKNOWN: activity_pb2.FINISH_REASON_UNSPECIFIED,
    events.FinishReason.STOP: activity_pb2.FINISH_REASON_STOP,
    events.FinishReason.LENGTH: activity_pb2.FINISH_REASON_LENGTH,
    events.FinishReason.TOOL_CALLS: activity_pb2.FINISH_REASON_TOOL_CALLS,
    events.FinishReason.CONTENT_FILTER: activity_pb2.FINISH_REASON_CONTENT_FILTER,
}
_CAPABILITIES = {
    Capability.STREAMS_TOKENS: agent_service_pb2.CAPABILITY_STREAMS_TOKENS,
    Capability.CANCELS_MODEL_CALL: agent_service_pb2.CAPABILITY_CANCELS_MODEL_CALL,
    Capability.CALLS_TOOLS: agent_service_pb2.CAPABILITY_CALLS_TOOLS,
    Capability.TEAMS: agent_service_pb2.CAPABILITY_TEAMS,
    Capability.STRUCTURED_OUTPUT: agent_service_pb2.CAPABILITY_STRUCTURED_OUTPUT,
    Capability.REPLAYS: agent_service_pb2.CAPABILITY_REPLAYS,
}


def task_of(request: agent_service_pb2.ExecuteRequest, tenant: str) -> Task:
    """Return the tenant's task, with the contract's defaults for what the request leaves out."""
    spec = request.spec
    return Task(
        run=request.run,
        attempt=request.attempt,
        session=request.session,
        user=request.user,
        agent=request.agent,
        runtime=spec.runtime,
        model=spec.model,
        instructions=spec.instructions,
        tools=tuple(spec.tools),
        temperature=spec.temperature if spec.HasField("temperature") else None,
        may_remember=spec.memory in _WRITES,
        limits=_limits_of(spec.limits),
        input=request.input,
        history=tuple(ChatTurn(turn.role == agent_service_pb2.ROLE_ASSISTANT, turn.text) for turn in request.history),
        recalled=tuple(_recalled_of(item) for item in request.recalled),
        memory_token=request.memory_token,
        tenant=tenant,
        fallback_models=tuple(spec.fallback_models),
        ledger_token=request.ledger_token,
        team=_team_of(spec.team) if spec.HasField("team") else None,
        peers=tuple(Peer(peer.agent, peer.description) for peer in request.peers),
        output_schema=MessageToDict(spec.output_schema) if spec.HasField("output_schema") else None,
    )


def description_of(
    runtime: RuntimeDescription, tools: Mapping[str, Tool], default_model: str, *, offline: bool
) -> agent_service_pb2.RuntimeDescription:
    """Return what a process can run. `offline` tells that the default model is the built-in responder."""
    description = agent_service_pb2.RuntimeDescription(
        name=runtime.name,
        framework_version=runtime.framework_version,
        capabilities=[_CAPABILITIES[each] for each in runtime.capabilities],
        default_model=default_model,
        offline_model=offline,
        team_kinds=[f"TEAM_KIND_{kind.name}" for kind in runtime.team_kinds],
    )
    for tool in tools.values():
        told = description.tools.add(name=tool.name, description=tool.description)
        told.input_schema.update(tool.input_schema)
    return description


def event_of(agent: str, event: events.AgentEvent) -> agent_service_pb2.AgentEvent:
    """Return the event as a message; `agent` is who did it."""
    field, convert = _EVENTS[type(event.event)]
    message = agent_service_pb2.AgentEvent(
        agent=path_of(agent, event.speaker), step=event.step, **{field: convert(event.event)}
    )
    if isinstance(event.event, events.HandedOff):
        message.handed_off.to = path_of(agent, event.event.to)
    return message


def path_of(agent: str, speaker: str) -> str:
    """Return who did it, from the outside in."""
    return f"{agent}/{speaker}" if speaker else agent


def file_to_proto(file: events.FileWritten) -> activity_pb2.FileWritten:
    """Return the file as a message."""
    return activity_pb2.FileWritten(name=file.name, media_type=file.media_type, size=file.size)


def source_to_proto(source: events.Source) -> activity_pb2.Source:
    """Return where something comes from as a message."""
    return activity_pb2.Source(uri=source.uri, title=source.title)


def _team_of(team: team_pb2.Team) -> Team:
    return Team(
        TeamKind[team_pb2.TeamKind.Name(team.kind).removeprefix("TEAM_KIND_")],
        tuple(
            Member(
                member.name,
                member.role,
                member.goal,
                member.instructions,
                tuple(member.tools),
                member.model,
                tuple(member.hand_offs),
            )
            for member in team.members
        ),
        tuple(TeamTask(task.description, task.expected_output, task.member) for task in team.tasks),
        team.max_turns,
        team.stop_text,
    )


def _limits_of(limits: agent_spec_pb2.RunLimits) -> Limits:
    default = Limits()
    return Limits(
        max_model_calls=limits.max_model_calls or default.max_model_calls,
        max_tool_calls=limits.max_tool_calls or default.max_tool_calls,
        max_tokens=limits.max_tokens or default.max_tokens,
        timeout=limits.timeout.ToNanoseconds() / 1e9 if limits.HasField("timeout") else default.timeout,
    )


def _recalled_of(item: context_pb2.ContextItem) -> RecalledItem:
    match item.WhichOneof("source"):
        case "fact":
            return recalled_fact(item.fact)
        case "passage":
            return recalled_passage(item.passage)
        case _:
            return recalled_turn(item.interaction)


def _step_finished(event: events.StepFinished) -> activity_pb2.StepFinished:
    duration = Duration()
    duration.FromNanoseconds(round(event.seconds * 1e9))
    failure = None if event.error is None else to_failure(event.error, _SOURCES[event.kind])
    return activity_pb2.StepFinished(kind=_KINDS[event.kind], duration=duration, failure=failure)


def usage_to_proto(usage: events.Usage) -> activity_pb2.Usage:
    """Return the usage as a message."""
    return activity_pb2.Usage(
        model=usage.model[:200],
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        model_calls=usage.model_calls,
        tool_calls=usage.tool_calls,
        cost_micros=usage.cost_micros,
    )


_EVENTS: Mapping[type[events.Event], tuple[str, Callable[[Any], Any]]] = {
    events.StepStarted: (
        "step_started",
        lambda event: activity_pb2.StepStarted(
            kind=_KINDS[event.kind], name=event.name, replayed=event.replayed, cached=event.cached
        ),
    ),
    events.StepRestarted: ("step_restarted", lambda _: activity_pb2.StepRestarted()),
    events.StepFinished: ("step_finished", _step_finished),
    events.MessageStarted: ("message_started", lambda _: activity_pb2.MessageStarted()),
    events.TokenDelta: ("token_delta", lambda event: activity_pb2.TokenDelta(text=event.text)),
    events.ThoughtDelta: ("thought_delta", lambda event: activity_pb2.ThoughtDelta(text=event.text)),
    events.MessageFinished: (
        "message_finished",
        lambda event: activity_pb2.MessageFinished(text=event.text, finish_reason=_FINISHES[event.reason]),
    ),
    events.ToolCalled: (
        "tool_call",
        lambda event: activity_pb2.ToolCall(id=event.id, name=event.name, arguments=event.arguments),
    ),
    events.ToolResult: (
        "tool_result",
        lambda event: activity_pb2.ToolResult(
            id=event.id,
            name=event.name,
            content=event.content,
            is_error=event.is_error,
            sources=map(source_to_proto, event.sources),
        ),
    ),
    events.Usage: ("usage", usage_to_proto),
    events.MemoryWritten: ("memory_written", lambda event: activity_pb2.MemoryWritten(id=event.id)),
    events.FileWritten: ("file_written", file_to_proto),
    events.HandedOff: ("handed_off", lambda _: activity_pb2.HandedOff()),
    events.LimitReached: (
        "limit_reached",
        lambda event: activity_pb2.LimitReached(limit=event.limit, value=event.value),
    ),
    events.Suspended: ("suspended", lambda _: activity_pb2.Suspended()),
    events.Completed: (
        "completed",
        lambda event: activity_pb2.Completed(output=event.output, usage=usage_to_proto(event.usage)),
    ),
}
