"""The tool `ask_user`: asks the user a question, and waits for the answer, for days if need be."""

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from agent_service.adapters.tools.arguments import Arguments, schema_of
from agent_service.domain.tool import ToolAnswer, ToolError, ToolRun

__all__ = ["AskUser"]


class _Arguments(Arguments):
    question: str = Field(min_length=1, max_length=16_000, pattern=r"^[^\x00]*$", description="The question.")


class AskUser:
    """Asks the user. The orchestrator knows the tool by its name, and gives the person's answer as its result."""

    name = "ask_user"
    description = "Asks the user a question and returns the answer. Use it only for what you cannot find out yourself."
    input_schema: Mapping[str, Any] = schema_of(_Arguments)
    timeout = 5.0
    repeatable = True
    writes_memory = False

    async def call(self, arguments: Mapping[str, Any], run: ToolRun) -> ToolAnswer:
        """Tell the model what is wrong: only a question that cannot be asked comes so far."""
        raise ToolError("There is nobody to ask, or the question is not valid.")
