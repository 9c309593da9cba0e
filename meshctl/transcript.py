"""A run's events as a person reads them: the text as it comes, and what happened around it in dim lines.

Owns the words, and what the events have told so far: the run's state and what it asks. Text goes to standard output,
everything else to standard error, so that a pipe gets the answer alone. What was printed cannot be taken back: when a
step begins again, its text begins again on a line of its own.
"""

from agentmesh.agent.v1.activity_pb2 import StepKind, StepStarted
from agentmesh.memory.v1.context_pb2 import ContextItem
from agentmesh.memory.v1.origin_pb2 import Origin
from agentmesh.orchestrator.v1.input_request_pb2 import InputRequest
from agentmesh.orchestrator.v1.run_event_pb2 import MemoryRecalled, RunEvent, RunStateChanged
from agentmesh.orchestrator.v1.run_pb2 import RunState

from meshctl.console import err, out, plain
from meshctl.requests import answered, remedy, show_request
from meshkit.quoting import turn_said_by

__all__ = ["Transcript"]

_LINE = 100
_HELD = {RunState.RUN_STATE_PAUSED, RunState.RUN_STATE_WAITING}


class Transcript:
    """Prints one run, and keeps where it stands.

    `sequence` is the last event that was shown, `state` the run's, and `requests` what it asks and nobody has answered,
    oldest first. `remedies` is false where the person is asked at once: then nobody needs to be told how to answer.
    """

    def __init__(self, *, remedies: bool = True) -> None:
        self.sequence = 0
        self.state = RunState.RUN_STATE_UNSPECIFIED
        self.requests: dict[str, InputRequest] = {}
        self._remedies = remedies
        self._attempt = 0
        self._marks: dict[str, str] = {}
        self._spoken = ""  # the step whose text was printed last
        self._open_line = False

    @property
    def ok(self) -> bool:
        """Whether the run succeeded."""
        return self.state == RunState.RUN_STATE_SUCCEEDED

    @property
    def waits(self) -> bool:
        """Whether the run waits for an answer to one of `requests`."""
        return self.state == RunState.RUN_STATE_WAITING and bool(self.requests)

    def show(self, event: RunEvent) -> None:
        """Print what the event tells, if a person wants to know it."""
        self.sequence = event.sequence or self.sequence
        kind = event.WhichOneof("event")
        if kind == "token_delta":
            out.print(plain(event.token_delta.text), end="")
            self._open_line = not event.token_delta.text.endswith("\n")
            self._spoken = event.step
        elif kind == "memory_recalled":
            self._recalled(event.memory_recalled)
        elif kind == "step_started":
            self._step_started(event.step, event.step_started)
        elif kind == "step_restarted":
            self._step_restarted(event.step)
        elif kind == "tool_call":
            self._note(f"calls {event.tool_call.name} {event.tool_call.arguments}")
        elif kind == "tool_result":
            word = "failed" if event.tool_result.is_error else "answered"
            mark = self._marks.get(event.step, "")
            self._note(f"{event.tool_result.name} {word}{mark}: {event.tool_result.content}")
        elif kind == "step_finished" and event.step_finished.kind == StepKind.STEP_KIND_MODEL:
            self._end_line()
        elif kind == "gap":
            self._note(f"events before {event.gap.oldest_sequence} are no longer kept")
        elif kind == "state_changed":
            self._state(event.run, event.state_changed)
        else:
            self._others(event)

    def _others(self, event: RunEvent) -> None:
        """Tell what people and other agents do."""
        kind = event.WhichOneof("event")
        if kind == "handed_off":
            self._note(f"{event.handed_off.to} goes on")
        elif kind == "delegated":
            self._note(f"asks {event.delegated.agent}, which works on it in {event.delegated.run}")
        elif kind == "file_written":
            self._note(f"writes {event.file_written.name} ({event.file_written.size:,} bytes)")
        if kind == "steered":
            self._note(f"{event.steered.user or 'somebody'} says: {event.steered.text}")
        elif kind == "limit_reached":
            self._note(f"limit reached: {event.limit_reached.limit} = {event.limit_reached.value}")
        elif kind == "input_requested":
            self._requested(event.input_requested.request)
        elif kind == "input_answered":
            self.requests.pop(event.input_answered.request, None)
            self._note(answered(event.input_answered))

    def _recalled(self, recalled: MemoryRecalled) -> None:
        for item in recalled.items:
            self._note(f"recalls {_text(item)} ({item.score:.2f})")
        if recalled.degraded:
            self._note("memory answered in part only")

    def _step_started(self, step: str, started: StepStarted) -> None:
        mark = " (replayed)" if started.replayed else " (cached)" if started.cached else ""
        self._marks[step] = mark
        if mark and started.kind == StepKind.STEP_KIND_MODEL:
            self._note(f"{step}{mark}")

    def _step_restarted(self, step: str) -> None:
        if not step.startswith("model"):
            self._note(f"({step} begins again)")
        elif step == self._spoken:
            self._note("(the model begins again: what it said just now is void)")
        else:
            self._note("(the model begins again)")

    def _requested(self, request: InputRequest) -> None:
        self.requests[request.id] = request
        if self._remedies:
            self._end_line()
            show_request(request)
            err.print(f"  {remedy(request)}")

    def _state(self, run: str, change: RunStateChanged) -> None:
        held, self.state = self.state in _HELD, change.state
        if change.state == RunState.RUN_STATE_RUNNING:
            if change.attempt > max(self._attempt, 1):
                self._note(f"goes on (attempt {change.attempt})")
            elif held:
                self._note("goes on")
            self._attempt = change.attempt
        elif change.state == RunState.RUN_STATE_PAUSED:
            self._end_line()
            err.print(f"· paused; to go on: mesh runs resume {run}", style="dim")
        elif change.state == RunState.RUN_STATE_SUCCEEDED:
            self._end_line()
        elif change.state == RunState.RUN_STATE_CANCELLED:
            self._note("cancelled")
        elif change.state == RunState.RUN_STATE_FAILED:
            self._end_line()
            err.print(plain(f"failed: {change.failure.source}: {change.failure.message}"), style="red")

    def _note(self, text: str) -> None:
        self._end_line()
        line = plain(" ".join(text.split()))
        err.print(f"· {line[:_LINE]}{'…' if len(line) > _LINE else ''}", style="dim")

    def _end_line(self) -> None:
        if self._open_line:
            out.print()
            self._open_line = False


def _text(item: ContextItem) -> str:
    match item.WhichOneof("source"):
        case "fact":
            return f"{item.fact.key}: {item.fact.value}"
        case "passage":
            return f"{item.passage.title} [{item.passage.document}#{item.passage.number}]: “{item.passage.text}”"
        case _:
            turn = item.interaction
            said_by = turn_said_by(Origin.Name(turn.origin).removeprefix("ORIGIN_"), turn.speaker, turn.source)
            return f"“{turn.input}”" if said_by == "user" else f"{said_by}: “{turn.input}”"
