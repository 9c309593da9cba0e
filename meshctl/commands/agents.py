"""`mesh agents`: what there is to talk to, and agents from YAML files."""

from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Annotated

import typer
from agentmesh.agent.v1.agent_spec_pb2 import AgentSpec, Approval
from agentmesh.orchestrator.v1.agent_catalog_service_pb2 import (
    CreateAgentRequest,
    DeleteAgentRequest,
    GetAgentRequest,
    ListAgentsRequest,
    UpdateAgentRequest,
)
from agentmesh.orchestrator.v1.agent_definition_pb2 import AgentDefinition

from meshclient import MeshClient, new_request_id
from meshctl.commands.arguments import JsonOption
from meshctl.commands.call import call
from meshctl.console import err, out, print_message, print_table, tell
from meshctl.definitions import read_definitions, write_definition
from meshctl.state import DEFAULT_STATE, StateOption
from meshkit.errors import FailedPrecondition, InvalidArgument, MeshError, NotFound

app = typer.Typer(help="Look at the agents, and make them from files.", no_args_is_help=True)

NameArgument = Annotated[str, typer.Argument(metavar="AGENT", help="The agent's name.")]

_Defined = tuple[AgentDefinition, Path]
"""An agent, and the file that says so."""

_POLICIES = {Approval.APPROVAL_ASK: " (asks)", Approval.APPROVAL_DENY: " (denied)"}


@app.command("list")
def list_agents(json: JsonOption = False, state: StateOption = DEFAULT_STATE) -> None:
    """List the agents by name."""

    async def work(client: MeshClient) -> list[AgentDefinition]:
        agents: list[AgentDefinition] = []
        token = ""
        while True:
            page = await client.agents.ListAgents(ListAgentsRequest(page_size=500, page_token=token))
            agents.extend(page.agents)
            token = page.next_page_token
            if not token:
                return agents

    agents = call(state, work)
    if json:
        for agent in agents:
            print_message(agent)
        return
    rows = ((each.name, each.spec.runtime, _models(each.spec), _tools(each.spec), each.description) for each in agents)
    print_table(("agent", "runtime", "model", "tools", "description"), rows)


@app.command("show")
def show_agent(agent: NameArgument, json: JsonOption = False, state: StateOption = DEFAULT_STATE) -> None:
    """Show how an agent is made, as `apply` takes it."""

    async def work(client: MeshClient) -> AgentDefinition:
        return await client.agents.GetAgent(GetAgentRequest(agent=agent))

    found = call(state, work)
    if json:
        print_message(found)
    else:
        out.print(write_definition(found), markup=False, highlight=False, end="")


@app.command("apply")
def apply_agents(
    files: Annotated[list[Path], typer.Argument(metavar="FILE…", help="YAML files with agents.")],
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Make the agents of files, or change those that are there already; the same file may be applied again.

    Agents that ask others come after these. One that is refused ends it; those before it stay.
    """
    try:
        defined = _read(files)
    except InvalidArgument as error:
        err.print(f"mesh: {error.message}", style="red", markup=False, highlight=False)
        raise typer.Exit(2) from None

    async def work(client: MeshClient) -> None:
        for agent, file in _asked_first(defined):
            try:
                done = await _apply(client, agent)
            except MeshError:
                tell(f"{file}: {agent.name} is not applied:")
                raise
            out.print(f"{agent.name} {done}", highlight=False)

    call(state, work)


@app.command("delete")
def delete_agent(agent: NameArgument, state: StateOption = DEFAULT_STATE) -> None:
    """Delete an agent; its runs stay."""

    async def work(client: MeshClient) -> None:
        await client.agents.DeleteAgent(DeleteAgentRequest(agent=agent))

    call(state, work)


def _read(files: list[Path]) -> dict[str, _Defined]:
    """Return the agents of the files by name. Raises InvalidArgument, also for a name that comes twice."""
    defined: dict[str, _Defined] = {}
    for file in files:
        for agent in read_definitions(file):
            if agent.name in defined:
                raise InvalidArgument(f"{file}: name: {agent.name} is defined in {defined[agent.name][1]} already")
            defined[agent.name] = agent, file
    return defined


def _asked_first(defined: dict[str, _Defined]) -> list[_Defined]:
    """Return the agents, each after those that it asks; as they are if some ask each other in a circle."""
    asks = {name: [each for each in agent.spec.agents if each in defined] for name, (agent, _) in defined.items()}
    try:
        return [defined[name] for name in TopologicalSorter(asks).static_order()]
    except CycleError:
        return list(defined.values())


async def _apply(client: MeshClient, agent: AgentDefinition) -> str:
    """Make the agent as it is defined; return what that changed."""
    try:
        there = await client.agents.GetAgent(GetAgentRequest(agent=agent.name))
    except NotFound:
        await client.agents.CreateAgent(CreateAgentRequest(request_id=new_request_id(), agent=agent))
        return "created"
    if there.built_in:
        raise FailedPrecondition(f"{agent.name} is built in and cannot be changed; give yours another name")
    wanted = AgentDefinition()
    wanted.CopyFrom(there)
    wanted.description = agent.description
    wanted.spec.CopyFrom(agent.spec)
    changed = await client.agents.UpdateAgent(UpdateAgentRequest(agent=wanted))
    return "unchanged" if (changed.spec, changed.description) == (there.spec, there.description) else "changed"


def _models(spec: AgentSpec) -> str:
    """Return the models in the order in which they are asked."""
    return ", else ".join((spec.model or "default", *spec.fallback_models))


def _tools(spec: AgentSpec) -> str:
    """Return the tools, with what holds for those that may not simply be called."""
    policies = {policy.tool: _POLICIES.get(policy.approval, "") for policy in spec.tool_policies}
    return ", ".join(f"{tool}{policies.get(tool, '')}" for tool in spec.tools)
