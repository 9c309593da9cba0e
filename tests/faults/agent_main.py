"""The real agent service with two more tools, whose effects the test counts: `agent_main.py EFFECTS_URL`."""

import sys
from collections.abc import Mapping
from functools import partial
from typing import Any

import httpx

from agent_service.config import load_config
from agent_service.domain.tool import ToolAnswer, ToolRun
from agent_service.server import build
from meshkit.rpc.lifecycle import run


class EffectTool:
    """Does something to the world that can be counted."""

    input_schema: Mapping[str, Any] = {"type": "object", "properties": {"call": {"type": "string"}}}
    timeout = 20.0
    writes_memory = False

    def __init__(self, url: str, name: str, *, repeatable: bool) -> None:
        self._url, self.name, self.repeatable = url, name, repeatable
        self.description = f"Does something once: {name}."

    async def call(self, arguments: Mapping[str, Any], run: ToolRun) -> ToolAnswer:
        """Do it."""
        told = {"tool": self.name, "call": arguments["call"], "key": run.idempotency_key}
        async with httpx.AsyncClient(trust_env=False, timeout=10.0) as http:
            answer = await http.post(self._url, json=told)
        return ToolAnswer(answer.text)


if __name__ == "__main__":
    tools = [
        EffectTool(sys.argv[1], "effect", repeatable=False),
        EffectTool(sys.argv[1], "effect_again", repeatable=True),
    ]
    raise SystemExit(run("agent", load_config, partial(build, tools=tools)))
