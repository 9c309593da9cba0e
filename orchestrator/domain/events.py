"""What the event log holds, as far as the orchestrator itself must know: an order, a time and an opaque body.

The bodies are made by the contract's converter (`ports.EventCodec`); the domain never looks into one.
"""

from dataclasses import dataclass
from datetime import datetime

from orchestrator.domain.model import Failure, RunState, Usage

__all__ = ["Gap", "Heartbeat", "StateChange", "StoredEvent"]


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event at its place. `sequence` runs 1, 2, 3… within a run."""

    run: str
    sequence: int
    create_time: datetime
    body: bytes


@dataclass(frozen=True, slots=True)
class StateChange:
    """A run's new state and what it brought; stored in one transaction with the event that tells it.

    A change that brings neither another state nor another attempt is stored without an event. None leaves a field.
    """

    state: RunState
    attempt: int = 0
    output: str = ""
    failure: Failure | None = None
    usage: Usage | None = None
    """What the run has used in all, told when it ends."""
    remember: bool = False
    """Whether memory has yet to store the turn; see `domain.remembering`."""
    leg: int | None = None
    starts: int | None = None
    paused: bool | None = None
    step_allowed: bool | None = None
    suspended: bool | None = None


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """Nothing happened for a while; the stream is alive."""

    run: str


@dataclass(frozen=True, slots=True)
class Gap:
    """Events before `oldest_sequence` are no longer kept."""

    run: str
    oldest_sequence: int
