"""What all clients saw, and whether it may be so.

Owns the rules: no accepted run is lost; every subscriber sees 1, 2, 3… and the same events; the text that a reader
keeps is the answer; what a tool did that may be done once was done once, unless a person allowed another call.
"""

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import dataclass, field

from agentmesh.orchestrator.v1.input_request_pb2 import InputKind
from agentmesh.orchestrator.v1.run_event_pb2 import RunEvent
from agentmesh.orchestrator.v1.run_pb2 import RunState

from meshclient import MeshClient
from meshkit.errors import MeshError

__all__ = ["History", "Watcher", "violations"]

Call = tuple[str, str, int]
"""A tool, the job that it was called for, and the call's number there."""


@dataclass
class History:
    """What the clients of one mesh saw."""

    accepted: dict[str, str] = field(default_factory=dict)
    """The job of each run that was acknowledged."""
    seen: dict[str, list[list[RunEvent]]] = field(default_factory=lambda: defaultdict(list))
    """What each subscriber of a run saw, in its order, across all its streams."""
    allowed: Counter[str] = field(default_factory=Counter)
    """How many more calls of a job a person allowed, after nobody knew what became of the first."""


def violations(history: History, effects: Mapping[Call, int]) -> list[str]:
    """Return what must not be, in words; nothing if all is well."""
    found = [f"{run} was acknowledged and never seen again" for run in history.accepted if not history.seen.get(run)]
    for run, subscribers in history.seen.items():
        for number, events in enumerate(subscribers):
            found += [f"{run}, subscriber {number}: {wrong}" for wrong in _wrong_order(events)]
        if len({_bytes(events) for events in subscribers}) > 1:
            found.append(f"{run}: its subscribers saw different events")
        found += [f"{run}: {wrong}" for wrong in _wrong_end(subscribers[0])]
    for (tool, job, number), times in effects.items():
        allowed = history.allowed[job]
        if tool == "effect_once" and times > 1 + allowed:
            found.append(f"{job}: {tool} {number} was done {times} times; {allowed} more were allowed")
    return found


def _wrong_order(events: list[RunEvent]) -> list[str]:
    sequences = [event.sequence for event in events]
    if sequences == list(range(1, len(events) + 1)):
        return []
    return [f"sequences are not 1 to {len(events)}: {sequences}"]


def _wrong_end(events: list[RunEvent]) -> list[str]:
    if not events:
        return ["no event was seen"]
    last = events[-1].state_changed
    if last.state != RunState.RUN_STATE_SUCCEEDED:
        failure = f" ({last.failure.reason}: {last.failure.message})" if last.HasField("failure") else ""
        return [f"it did not succeed: {RunState.Name(last.state)}{failure}"]
    text, finished = "", Counter[str]()
    spoken: dict[str, str] = {}
    for event in events:
        match event.WhichOneof("event"):
            case "step_restarted":
                spoken.pop(event.step, None)
            case "token_delta":
                spoken[event.step] = spoken.get(event.step, "") + event.token_delta.text
            case "message_finished":
                text = event.message_finished.text
                if spoken.get(event.step, "") != text:
                    return [f"{event.step} was told as {spoken.get(event.step, '')!r} and is {text!r}"]
            case "step_finished":
                finished[event.step] += 1
    wrong = [f"{step} ended {times} times" for step, times in finished.items() if times > 1]
    if text != last.output:
        wrong.append(f"the last message is {text!r}, the output {last.output!r}")
    return wrong


def _bytes(events: list[RunEvent]) -> bytes:
    return b"".join(event.SerializeToString(deterministic=True) for event in events)


class Watcher:
    """A client that follows runs to their end and allows an interrupted tool to be called again."""

    def __init__(self, client: MeshClient, history: History) -> None:
        self._client, self._history = client, history
        self.last_event: dict[str, float] = {}
        """When something was last heard of each run (`time.monotonic`); gone when it has ended."""

    async def follow(self, run: str, *, answers: bool = False) -> None:
        """Follow a run to its end. One that answers is enough."""
        events: list[RunEvent] = []
        self._history.seen[run].append(events)
        async with aclosing(self._client.follow(run, patience=90)) as told:
            async for event in told:
                events.append(event)
                self.last_event[run] = time.monotonic()
                if answers and event.HasField("input_requested"):
                    await self._allow(run, event)
        self.last_event.pop(run, None)

    async def _allow(self, run: str, event: RunEvent) -> None:
        request = event.input_requested.request
        if request.kind == InputKind.INPUT_KIND_UNCERTAIN:
            self._history.allowed[self._history.accepted[run]] += 1
        while True:
            try:
                await self._client.control(run).approve(request)
            except MeshError as error:
                if error.reason == "REQUEST_CLOSED":
                    return  # an answer that arrived though its caller did not hear of it
                await asyncio.sleep(0.2)  # what should hear it is being killed
            else:
                return
