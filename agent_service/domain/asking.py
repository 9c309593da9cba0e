"""The tool by which an agent asks another agent of the mesh.

What it stands for is done by the orchestrator: the step waits in the ledger until the other agent's run has ended, and
its answer is replayed here. So nothing is held in this process meanwhile, and a restart asks nobody twice.
"""

from collections.abc import Mapping
from typing import Any

from agent_service.domain.task import Peer
from agent_service.domain.tool import ToolAnswer, ToolError, ToolRun

__all__ = ["AskAgent"]


class AskAgent:
    """Asks one agent."""

    timeout = 5.0
    repeatable = True
    writes_memory = False
    input_schema: Mapping[str, Any] = {
        "type": "object",
        "properties": {
            "task": {
                "type": "string",
                "minLength": 1,
                "description": "What it is to do, with all that it needs to know: it sees nothing of this talk.",
            }
        },
        "required": ["task"],
        "additionalProperties": False,
    }

    def __init__(self, peer: Peer) -> None:
        self.name = "ask_" + peer.agent.replace("-", "_")
        """What the model calls it by."""
        about = f" It is for: {peer.description}" if peer.description else ""
        self.description = f"Asks the agent {peer.agent} to work on a task and returns its answer.{about}"
        """What the model is told."""

    async def call(self, arguments: Mapping[str, Any], run: ToolRun) -> ToolAnswer:
        """Say that nobody was asked: a ledger that knows of delegation never lets it come to this."""
        raise ToolError("This mesh cannot ask other agents.")
