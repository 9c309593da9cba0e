"""The agent service with two more tools, whose effects are counted in another process: started by the fault tests.

    python -m tests.faults.agent

Owns the tools. Both post what they are asked to do to `MESH_TEST_EFFECTS`; one may be made again, one may not.
"""

import os
from collections.abc import Mapping
from typing import Any

import httpx

from agent_service.config import Config, load_config
from agent_service.domain.tool import ToolAnswer, ToolRun
from agent_service.server import build
from meshkit.errors import Unavailable
from meshkit.rpc.lifecycle import run
from meshkit.rpc.server import MeshServer
from meshkit.telemetry.setup import Telemetry


class Effect:
    """Has an effect outside the mesh."""

    timeout = 20.0
    writes_memory = False
    description = "Does something that others see."
    input_schema: Mapping[str, Any] = {
        "type": "object",
        "properties": {"job": {"type": "string"}, "number": {"type": "integer"}},
        "required": ["job", "number"],
    }

    def __init__(self, name: str, client: httpx.AsyncClient, *, repeatable: bool) -> None:
        self.name, self.repeatable = name, repeatable
        self._client = client

    async def call(self, arguments: Mapping[str, Any], run: ToolRun) -> ToolAnswer:
        """Have the effect, named by its idempotency key."""
        wanted = {"tool": self.name, "key": run.idempotency_key, **arguments}
        try:
            answer = await self._client.post(os.environ["MESH_TEST_EFFECTS"], json=wanted)
        except httpx.HTTPError as error:
            raise Unavailable(f"the effect's server: {type(error).__name__}") from error
        return ToolAnswer(answer.text)


async def _build(config: Config, telemetry: Telemetry) -> MeshServer:
    client = httpx.AsyncClient(timeout=20)
    tools = [Effect("effect_once", client, repeatable=False), Effect("effect_again", client, repeatable=True)]
    server = await build(config, telemetry, tools=tools)
    server.resources.push_async_callback(client.aclose)
    return server


if __name__ == "__main__":
    raise SystemExit(run("agent", load_config, _build))
