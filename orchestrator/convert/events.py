"""Events: `domain.ports.EventCodec` on the contract's messages, agents' events into activities, and events out.

A body is a RunEvent without sequence, time and run; it is stored as it is and decoded once, when it is sent.
"""

from agentmesh.agent.v1 import activity_pb2, agent_service_pb2
from agentmesh.memory.v1 import context_pb2
from agentmesh.orchestrator.v1 import run_event_pb2

from orchestrator.convert.requests import request_to_proto
from orchestrator.convert.runs import failure_to_proto, usage_from_proto, usage_to_proto
from orchestrator.domain.events import Gap, StateChange, StoredEvent
from orchestrator.domain.following import Followed
from orchestrator.domain.model import Usage
from orchestrator.domain.ports import Activity, Completed, Happened, Recalled, Spoken
from orchestrator.domain.steps import Answer, InputRequest, Steer

__all__ = ["ProtoEvents", "activity_of", "event_to_proto"]

_NOTHING = Usage()
_ONE_TOOL_CALL = Usage(tool_calls=1)


class ProtoEvents:
    """Makes the bodies of the orchestrator's own events."""

    def state_changed(self, change: StateChange, trace: str) -> bytes:
        """Return the body that tells a run's new state."""
        message = run_event_pb2.RunStateChanged(
            state=f"RUN_STATE_{change.state}",
            attempt=change.attempt,
            output=change.output,
            failure=failure_to_proto(change.failure) if change.failure else None,
            usage=usage_to_proto(change.usage) if change.usage else None,
        )
        return run_event_pb2.RunEvent(trace_id=trace, state_changed=message).SerializeToString()

    def text(self, agent: str, step: str, text: str, trace: str, *, thought: bool) -> bytes:
        """Return the body of a piece of text or reasoning."""
        event = run_event_pb2.RunEvent(agent=agent, step=step, trace_id=trace)
        (event.thought_delta if thought else event.token_delta).text = text
        return event.SerializeToString()

    def memory_recalled(self, recalled: Recalled, trace: str) -> bytes:
        """Return the body that tells what memory gave."""
        message = run_event_pb2.MemoryRecalled(
            items=[context_pb2.ContextItem.FromString(item.body) for item in recalled.items],
            degraded=recalled.degraded,  # type: ignore[arg-type] # numbers of the enum
        )
        return run_event_pb2.RunEvent(trace_id=trace, memory_recalled=message).SerializeToString()

    def input_requested(self, request: InputRequest, trace: str) -> bytes:
        """Return the body that tells what the run asks of people."""
        message = run_event_pb2.InputRequested(request=request_to_proto(request))
        return run_event_pb2.RunEvent(step=request.step, trace_id=trace, input_requested=message).SerializeToString()

    def input_answered(self, request: InputRequest, answer: Answer, user: str, text: str, trace: str) -> bytes:
        """Return the body that tells how a request was answered."""
        message = run_event_pb2.InputAnswered(request=request.id, answer=f"INPUT_ANSWER_{answer}", user=user, text=text)
        return run_event_pb2.RunEvent(step=request.step, trace_id=trace, input_answered=message).SerializeToString()

    def steered(self, steer: Steer, trace: str) -> bytes:
        """Return the body that tells what somebody said to the run."""
        message = run_event_pb2.Steered(text=steer.text, user=steer.user)
        return run_event_pb2.RunEvent(trace_id=trace, steered=message).SerializeToString()

    def limit_reached(self, limit: str, value: int, trace: str) -> bytes:
        """Return the body that tells which limit ended the run."""
        message = activity_pb2.LimitReached(limit=limit, value=value)
        return run_event_pb2.RunEvent(trace_id=trace, limit_reached=message).SerializeToString()


def activity_of(event: agent_service_pb2.AgentEvent, attempt: int, trace: str) -> Activity | None:
    """Return what the agent did; None for a kind that this version does not know."""
    kind = event.WhichOneof("event")
    step = f"{attempt}/{event.step}" if event.step else ""
    match kind:
        case None:
            return None
        case "completed":
            return Completed(event.completed.output, usage_from_proto(event.completed.usage))
        case "token_delta":
            return Spoken(event.agent, step, event.token_delta.text, thought=False)
        case "thought_delta":
            return Spoken(event.agent, step, event.thought_delta.text, thought=True)
    out = run_event_pb2.RunEvent(agent=event.agent, step=step, trace_id=trace)
    getattr(out, kind).CopyFrom(getattr(event, kind))  # the two oneofs share names and types
    used = _NOTHING
    if kind == "usage":
        used = usage_from_proto(event.usage)
    elif kind == "tool_call":
        used = _ONE_TOOL_CALL
    return Happened(out.SerializeToString(), used)


def event_to_proto(event: Followed) -> run_event_pb2.RunEvent:
    """Return the event as a subscriber gets it."""
    match event:
        case StoredEvent(run, sequence, create_time, body):
            message = run_event_pb2.RunEvent.FromString(body)
            message.run = run
            message.sequence = sequence
            message.create_time.FromDatetime(create_time)
            return message
        case Gap(run, oldest):
            return run_event_pb2.RunEvent(run=run, gap=run_event_pb2.Gap(oldest_sequence=oldest))
    return run_event_pb2.RunEvent(run=event.run, heartbeat=run_event_pb2.Heartbeat())
