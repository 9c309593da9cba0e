"""A team as data: who is in it, how they take turns, what they are to do, when they are done."""

from dataclasses import dataclass
from enum import Enum

__all__ = ["Member", "Team", "TeamKind", "TeamTask"]


class TeamKind(Enum):
    """How a team works together; the contract's `TeamKind` says what each means."""

    ROUND_ROBIN = "round_robin"
    SELECTOR = "selector"
    MAGENTIC = "magentic"
    SEQUENTIAL = "sequential"
    HIERARCHICAL = "hierarchical"
    HANDOFF = "handoff"
    SUPERVISOR = "supervisor"


@dataclass(frozen=True, slots=True)
class Member:
    """One agent of a team. An empty `model` is the task's; empty `hand_offs` mean anybody."""

    name: str
    role: str
    goal: str
    instructions: str
    tools: tuple[str, ...]
    model: str
    hand_offs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TeamTask:
    """One thing that a team is to do; an empty `member` leaves the choice to the manager."""

    description: str
    expected_output: str
    member: str


@dataclass(frozen=True, slots=True)
class Team:
    """Several agents that answer as one. The orchestrator has checked that it is whole and has an end."""

    kind: TeamKind
    members: tuple[Member, ...]
    tasks: tuple[TeamTask, ...]
    max_turns: int
    """How many turns the members may take together; 0 where the tasks are the end."""
    stop_text: str
    """Said by a member, it ends the team; empty: nothing does."""
