"""Events: `domain.ports.EventCodec` on the contract's messages, agents' events into activities, and events out.

A body is a RunEvent without sequence, time and run; it is stored as it is and decoded once, when it is sent.
"""

from collections.abc import Sequence

from agentmesh.agent.v1 import activity_pb2, agent_service_pb2
from agentmesh.memory.v1 import context_pb2
from agentmesh.orchestrator.v1 import run_event_pb2

from orchestrator.convert.requests import request_to_proto
from orchestrator.convert.runs import failure_to_proto, usage_to_proto
from orchestrator.domain.events import Gap, StateChange, StoredEvent
from orchestrator.domain.following import Followed
from orchestrator.domain.model import Agent, Message, Run
from orchestrator.domain.ports import (
    Activity,
    Completed,
    Happened,
    Recalled,
    RecalledItem,
    Spoken,
    StepMark,
    Suspended,
)
from orchestrator.domain.steps import Answer, InputRequest, Steer

__all__ = ["ProtoEvents", "activity_of", "event_to_proto"]


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

    def delegated(self, child: Run, agent: str, step: str) -> bytes:
        """Return the body that tells that another agent works on the step."""
        message = run_event_pb2.Delegated(run=child.id, agent=child.agent)
        return run_event_pb2.RunEvent(
            agent=agent, step=step, trace_id=child.trace_id, delegated=message
        ).SerializeToString()

    def step_restarted(self, step: str, trace: str) -> bytes:
        """Return the body that tells that what was told of the step is void."""
        message = activity_pb2.StepRestarted()
        return run_event_pb2.RunEvent(step=step, trace_id=trace, step_restarted=message).SerializeToString()

    def step_mark(self, body: bytes) -> StepMark | None:
        """Return what a stored event tells of a step; a step that failed is done again if it is asked again."""
        event = run_event_pb2.RunEvent.FromString(body)
        kind = event.WhichOneof("event")
        if not event.step or kind in ("input_requested", "input_answered", "delegated"):
            return None
        done = kind == "step_finished" and not event.step_finished.HasField("failure")
        return StepMark(event.step, done=done, void=kind == "step_restarted")

    def context(
        self, history: Sequence[Message], recalled: Sequence[RecalledItem], peers: Sequence[Agent] = ()
    ) -> bytes:
        """Return what an agent is given besides its input: those fields of its request alone."""
        request = agent_service_pb2.ExecuteRequest(
            history=[
                agent_service_pb2.ChatMessage(role=f"ROLE_{message.role}", text=message.text) for message in history
            ],
            recalled=[context_pb2.ContextItem.FromString(item.body) for item in recalled],
            peers=[agent_service_pb2.Peer(agent=peer.name, description=peer.description) for peer in peers],
        )
        return request.SerializeToString()


def activity_of(event: agent_service_pb2.AgentEvent, trace: str) -> Activity | None:
    """Return what the agent did; None for a kind that this version does not know."""
    kind = event.WhichOneof("event")
    step = event.step
    match kind:
        case None:
            return None
        case "completed":
            return Completed(event.completed.output)
        case "suspended":
            return Suspended()
        case "token_delta":
            return Spoken(event.agent, step, event.token_delta.text, thought=False)
        case "thought_delta":
            return Spoken(event.agent, step, event.thought_delta.text, thought=True)
    out = run_event_pb2.RunEvent(agent=event.agent, step=step, trace_id=trace)
    getattr(out, kind).CopyFrom(getattr(event, kind))  # the two oneofs share names and types
    return Happened(step, out.SerializeToString())


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
