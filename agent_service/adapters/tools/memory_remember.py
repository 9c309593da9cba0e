"""The tool `memory_remember`: keeps a fact about the user for later conversations."""

from collections.abc import Mapping
from typing import Any, Literal

from agentmesh.memory.v1 import fact_pb2
from agentmesh.memory.v1.memory_service_pb2 import PutFactRequest
from pydantic import Field

from agent_service.adapters.tools.arguments import Arguments, check, schema_of
from agent_service.adapters.tools.memory import Memory
from agent_service.domain.tool import ToolAnswer, ToolRun

__all__ = ["MemoryRemember"]

_MAX_KEY = 128
_NO_CONTROLS = r"^[^\x00-\x1f\x7f]*$"

_CATEGORIES = {
    "profile": fact_pb2.FACT_CATEGORY_PROFILE,
    "preference": fact_pb2.FACT_CATEGORY_PREFERENCE,
    "goal": fact_pb2.FACT_CATEGORY_GOAL,
    "knowledge": fact_pb2.FACT_CATEGORY_KNOWLEDGE,
}


class _Arguments(Arguments):
    value: str = Field(
        min_length=1, max_length=4000, pattern=r"^[^\x00]*$", description="The fact, e.g. `Prefers short answers`."
    )
    key: str = Field(
        default="",
        max_length=_MAX_KEY,
        pattern=_NO_CONTROLS,
        description="A short name for it, e.g. `answer_style`. The same name later replaces the fact.",
    )
    category: Literal["profile", "preference", "goal", "knowledge"] = Field(
        default="knowledge", description="What the fact is about. Only the user's own words become their profile."
    )


class MemoryRemember:
    """Stores a fact."""

    name = "memory_remember"
    description = "Remembers a lasting fact about the user for later conversations. Store no secrets."
    input_schema: Mapping[str, Any] = schema_of(_Arguments)
    timeout = 10.0
    repeatable = True
    writes_memory = True

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    async def call(self, arguments: Mapping[str, Any], run: ToolRun) -> ToolAnswer:
        """Store the fact; another try of the same step changes nothing."""
        wanted = check(_Arguments, arguments)
        key = wanted.key.strip() or " ".join(wanted.value.split())[:_MAX_KEY]
        request = PutFactRequest(
            request_id=run.idempotency_key,
            key=key,
            value=wanted.value,
            category=_CATEGORIES[wanted.category],
            run=run.task.run,
            step=run.step,
        )
        fact = await self._memory.put_fact(run.task, request)
        if fact.value != wanted.value:  # the user said otherwise, and is believed
            return ToolAnswer(f"The user said otherwise about {key}, so it is only noted beside.", memory_id=fact.id)
        return ToolAnswer(f"Remembered under the name {key}.", memory_id=fact.id)
