"""Teams, as messages and as values."""

from collections.abc import Iterator

from agentmesh.agent.v1 import agent_service_pb2, team_pb2

from orchestrator.domain.teams import Member, Team, TeamKind, TeamTask

__all__ = ["team_from_proto", "team_kinds_of", "team_to_proto"]


def team_kinds_of(description: agent_service_pb2.RuntimeDescription) -> Iterator[TeamKind]:
    """Yield the kinds of teams that a runtime runs, of those that this version knows."""
    for number in description.team_kinds:
        if number in team_pb2.TeamKind.values() and number:
            yield TeamKind(team_pb2.TeamKind.Name(number).removeprefix("TEAM_KIND_"))


def team_from_proto(team: team_pb2.Team) -> Team:
    """Return the team that a caller sent."""
    return Team(
        TeamKind(team_pb2.TeamKind.Name(team.kind).removeprefix("TEAM_KIND_")),
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


def team_to_proto(team: Team) -> team_pb2.Team:
    """Return the team as a message."""
    return team_pb2.Team(
        kind=f"TEAM_KIND_{team.kind}",
        members=[
            team_pb2.TeamMember(
                name=member.name,
                role=member.role,
                goal=member.goal,
                instructions=member.instructions,
                tools=member.tools,
                model=member.model,
                hand_offs=member.hand_offs,
            )
            for member in team.members
        ],
        tasks=[
            team_pb2.TeamTask(description=task.description, expected_output=task.expected_output, member=task.member)
            for task in team.tasks
        ],
        max_turns=team.max_turns,
        stop_text=team.stop_text,
    )
