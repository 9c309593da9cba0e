"""`mesh agents`: what there is to talk to."""

import typer
from agentmesh.orchestrator.v1.agent_catalog_service_pb2 import ListAgentsRequest
from agentmesh.orchestrator.v1.agent_definition_pb2 import AgentDefinition

from meshclient import MeshClient
from meshctl.commands.call import call
from meshctl.commands.runs import JsonOption
from meshctl.console import print_message, print_table
from meshctl.state import DEFAULT_STATE, StateOption

app = typer.Typer(help="Look at the agents.", no_args_is_help=True)


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
    rows = (
        (each.name, each.spec.runtime, each.spec.model or "default", ", ".join(each.spec.tools), each.description)
        for each in agents
    )
    print_table(("agent", "runtime", "model", "tools", "description"), rows)
