"""`mesh agents`: what there is to talk to."""

import typer
from agentmesh.agent.v1.agent_spec_pb2 import AgentSpec, Approval
from agentmesh.orchestrator.v1.agent_catalog_service_pb2 import ListAgentsRequest
from agentmesh.orchestrator.v1.agent_definition_pb2 import AgentDefinition

from meshclient import MeshClient
from meshctl.commands.arguments import JsonOption
from meshctl.commands.call import call
from meshctl.console import print_message, print_table
from meshctl.state import DEFAULT_STATE, StateOption

app = typer.Typer(help="Look at the agents.", no_args_is_help=True)

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


def _models(spec: AgentSpec) -> str:
    """Return the models in the order in which they are asked."""
    return ", else ".join((spec.model or "default", *spec.fallback_models))


def _tools(spec: AgentSpec) -> str:
    """Return the tools, with what holds for those that may not simply be called."""
    policies = {policy.tool: _POLICIES.get(policy.approval, "") for policy in spec.tool_policies}
    return ", ".join(f"{tool}{policies.get(tool, '')}" for tool in spec.tools)
