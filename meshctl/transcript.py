"""A run's events as a person reads them: the text as it comes, and what happened around it in dim lines.

Owns the words. Text goes to standard output, everything else to standard error, so that a pipe gets the answer alone.
"""

from agentmesh.agent.v1.activity_pb2 import StepKind
from agentmesh.memory.v1.context_pb2 import ContextItem
from agentmesh.orchestrator.v1.run_event_pb2 import MemoryRecalled, RunEvent, RunStateChanged
from agentmesh.orchestrator.v1.run_pb2 import RunState

from meshctl.console import err, out, plain

__all__ = ["Transcript"]

_LINE = 100


class Transcript:
    """Prints one run. `ok` says, once the run is terminal, whether it succeeded."""

    def __init__(self) -> None:
        self.ok = False
        self._open_line = False

    def show(self, event: RunEvent) -> None:
        """Print what the event tells, if a person wants to know it."""
        kind = event.WhichOneof("event")
        if kind == "token_delta":
            out.print(plain(event.token_delta.text), end="")
            self._open_line = not event.token_delta.text.endswith("\n")
        elif kind == "memory_recalled":
            self._recalled(event.memory_recalled)
        elif kind == "tool_call":
            self._note(f"calls {event.tool_call.name} {event.tool_call.arguments}")
        elif kind == "tool_result":
            word = "failed" if event.tool_result.is_error else "answered"
            self._note(f"{event.tool_result.name} {word}: {event.tool_result.content}")
        elif kind == "limit_reached":
            self._note(f"limit reached: {event.limit_reached.limit} = {event.limit_reached.value}")
        elif kind == "step_finished" and event.step_finished.kind == StepKind.STEP_KIND_MODEL:
            self._end_line()
        elif kind == "gap":
            self._note(f"events before {event.gap.oldest_sequence} are no longer kept")
        elif kind == "state_changed":
            self._state(event.state_changed)

    def _recalled(self, recalled: MemoryRecalled) -> None:
        for item in recalled.items:
            self._note(f"recalls {_text(item)} ({item.score:.2f})")
        if recalled.degraded:
            self._note("memory answered in part only")

    def _state(self, change: RunStateChanged) -> None:
        if change.state == RunState.RUN_STATE_RUNNING and change.attempt > 1:
            self._note(f"starts again (attempt {change.attempt}); the text above is void")
        elif change.state == RunState.RUN_STATE_SUCCEEDED:
            self.ok = True
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
    if item.HasField("fact"):
        return f"{item.fact.key}: {item.fact.value}"
    return f"“{item.interaction.input}”"
