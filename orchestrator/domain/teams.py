"""Teams as data, and what makes one whole: known names, tasks where they are asked for, and an end."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from meshkit.errors import InvalidArgument

__all__ = ["Member", "Team", "TeamKind", "TeamTask", "check_team"]


class TeamKind(StrEnum):
    """How a team works together; the contract's `TeamKind` says what each means."""

    ROUND_ROBIN = "ROUND_ROBIN"
    SELECTOR = "SELECTOR"
    MAGENTIC = "MAGENTIC"
    SEQUENTIAL = "SEQUENTIAL"
    HIERARCHICAL = "HIERARCHICAL"
    HANDOFF = "HANDOFF"
    SUPERVISOR = "SUPERVISOR"

    @property
    def has_tasks(self) -> bool:
        """True when the tasks are the end; every other kind ends by its turns."""
        return self in (TeamKind.SEQUENTIAL, TeamKind.HIERARCHICAL)


@dataclass(frozen=True, slots=True)
class Member:
    """One agent of a team. An empty `model` is the agent's; empty `hand_offs` mean anybody."""

    name: str
    role: str
    goal: str = ""
    instructions: str = ""
    tools: tuple[str, ...] = ()
    model: str = ""
    hand_offs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TeamTask:
    """One thing that a team is to do. An empty `member` leaves the choice to the manager."""

    description: str
    expected_output: str
    member: str = ""


@dataclass(frozen=True, slots=True)
class Team:
    """Several agents that answer as one."""

    kind: TeamKind
    members: tuple[Member, ...]
    tasks: tuple[TeamTask, ...] = ()
    max_turns: int = 0
    stop_text: str = ""


def check_team(team: Team, tools: Sequence[str], path: str) -> None:
    """Raise InvalidArgument, naming the field below `path`, for a team that cannot work or would not end.

    `tools` are the agent's own.
    """
    names = [member.name for member in team.members]
    if len(names) < 2 and not team.kind.has_tasks:
        raise InvalidArgument("a team has at least two members", field=f"{path}.members")
    for index, member in enumerate(team.members):
        field = f"{path}.members[{index}]"
        if member.name in names[:index]:
            raise InvalidArgument(f"{member.name} is in the team twice", field=f"{field}.name")
        if member.hand_offs and team.kind is not TeamKind.HANDOFF:
            raise InvalidArgument("only members of a HANDOFF team hand over", field=f"{field}.hand_offs")
        for place, name in enumerate(member.hand_offs):
            if name not in names or name == member.name:
                raise InvalidArgument(f"{name} is no other member", field=f"{field}.hand_offs[{place}]")
    _check_end(team, names, path)
    if tools and team.kind is not TeamKind.SUPERVISOR:
        raise InvalidArgument("in a team of this kind only members have tools", field=path.replace(".team", ".tools"))


def _check_end(team: Team, names: Sequence[str], path: str) -> None:
    if team.kind.has_tasks != bool(team.tasks):
        needs = "needs tasks" if team.kind.has_tasks else "has no tasks"
        raise InvalidArgument(f"a {team.kind} team {needs}", field=f"{path}.tasks")
    if not team.kind.has_tasks and not team.max_turns:
        raise InvalidArgument("a team must have an end: say how many turns it may take", field=f"{path}.max_turns")
    if team.stop_text and team.kind not in (TeamKind.ROUND_ROBIN, TeamKind.SELECTOR):
        raise InvalidArgument(f"a {team.kind} team has no words that end it", field=f"{path}.stop_text")
    for index, task in enumerate(team.tasks):
        nobody = not task.member and team.kind is TeamKind.HIERARCHICAL
        if task.member not in names and not nobody:
            raise InvalidArgument("the task names no member", field=f"{path}.tasks[{index}].member")
