"""The arguments of a tool: their JSON Schema for the model, and their check, from one class."""

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from agent_service.domain.tool import ToolError

__all__ = ["Arguments", "check", "schema_of"]


class Arguments(BaseModel):
    """Base of every tool's arguments."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


Checked = TypeVar("Checked", bound=Arguments)


def check(kind: type[Checked], arguments: Mapping[str, Any]) -> Checked:
    """Return the arguments in their class. Raises ToolError, which names each wrong one, for the model to correct."""
    try:
        return kind.model_validate(arguments)
    except ValidationError as error:
        wrong = (f"{'.'.join(map(str, each['loc'])) or 'arguments'}: {each['msg']}" for each in error.errors())
        raise ToolError("Wrong arguments. " + "; ".join(wrong)) from None


def schema_of(kind: type[Arguments]) -> Mapping[str, Any]:
    """Return the JSON Schema, without the titles, which tell a model nothing."""
    schema = kind.model_json_schema()
    properties = {
        name: {key: value for key, value in rule.items() if key != "title"}
        for name, rule in schema["properties"].items()
    }
    return {
        "type": "object",
        "properties": properties,
        "required": schema.get("required", []),
        "additionalProperties": False,
    }
