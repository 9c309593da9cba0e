"""Answers that are data: what an agent is told of the JSON Schema that its answer has to fit, and what is made of it.

Owns the way from a framework's answer, which may be anything, to JSON text that fits: taken as it is, asked for once
more, or refused. What fits, `Schemas` knows. It is the same for every framework, and none of them is told of it.
"""

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from agent_service.domain.task import Task
from meshkit.errors import Internal

__all__ = ["Misfit", "Schemas", "StructuredAnswer"]

_MAX_PATH = 200  # characters of a path that an error tells


@dataclass(frozen=True, slots=True)
class Misfit:
    """Where a value does not fit a schema."""

    path: str
    """The place in the value: `$.items[0].price`."""
    rule: str
    """The keyword of the schema that does not hold."""
    message: str
    """What is wrong, with what the value has there: for the model alone."""


class Schemas(Protocol):
    """Knows what fits a JSON Schema."""

    async def misfits(self, schema: str, value: str) -> Sequence[Misfit]:
        """Return what does not fit, the first few; schema and value are JSON text.

        Raises InvalidArgument for a schema that is none, that refers to what it does not hold, or that takes too long.
        """
        ...


Ask = Callable[[list[dict[str, str]]], Awaitable[str]]
"""Asks the model of the agent itself, with messages of the OpenAI protocol."""


class StructuredAnswer:
    """The answer to one task that has an output schema."""

    def __init__(self, task: Task, schemas: Schemas) -> None:
        self._task, self._schemas = task, schemas
        self._schema = json.dumps(_whole(task.output_schema), sort_keys=True, separators=(",", ":"), ensure_ascii=False)

    async def check_schema(self) -> None:
        """Raise InvalidArgument for a schema that nothing can be checked against, before any model is asked."""
        await self._schemas.misfits(self._schema, "null")

    @property
    def instructions(self) -> str:
        """What the agent is told to be and do, and how to answer."""
        rule = (
            "Your final answer must be one JSON value and nothing else: no words around it, no code fence. "
            f"It must fit this JSON Schema:\n{self._schema}"
        )
        return f"{self._task.instructions}\n\n{rule}" if self._task.instructions else rule

    async def fit(self, answer: str, ask: Ask) -> str:
        """Return the JSON text of an answer that fits, written as the model wrote it; one that does not is asked anew.

        Raises Internal (OUTPUT_INVALID) when that does not fit either, and what `ask` raises.
        """
        text, misfits = await self._read(answer)
        if misfits:
            text, misfits = await self._read(await ask(self._again(answer, misfits)))
        if misfits:
            first = misfits[0]
            raise Internal(
                f"the answer does not fit the schema at {first.path[:_MAX_PATH]} ({first.rule})",
                reason="OUTPUT_INVALID",
            )
        return text

    async def _read(self, answer: str) -> tuple[str, Sequence[Misfit]]:
        text = _json_in(answer)
        if text is None:
            return answer, [Misfit("$", "json", "The answer is not one JSON value.")]
        return text, await self._schemas.misfits(self._schema, text)

    def _again(self, answer: str, misfits: Sequence[Misfit]) -> list[dict[str, str]]:
        wrong = "\n".join(f"- {misfit.path}: {misfit.message}" for misfit in misfits)
        again = f"Your answer does not fit the schema:\n{wrong}\nWrite all of it again, as it should be."
        said = [{"role": "assistant", "content": answer}] if answer else []  # some endpoints refuse an empty message
        return [
            {"role": "system", "content": self.instructions},
            {"role": "user", "content": self._task.input},
            *said,
            {"role": "user", "content": again},
        ]


def _json_in(answer: str) -> str | None:
    """Return the JSON text that an answer is, or that it holds in its one code fence; None if there is none."""
    _before, _fence, rest = answer.partition("```")
    block, _fence, _after = rest.rpartition("```")
    for text in (answer.strip(), block.removeprefix("json").strip()):
        try:
            json.loads(text, parse_constant=_refuse)
        except (ValueError, RecursionError):
            continue
        return text
    return None


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def _whole(value: Any) -> Any:
    """Return the value with whole numbers as such: on their way here, all were floating."""
    if isinstance(value, Mapping):
        return {name: _whole(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_whole(each) for each in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
