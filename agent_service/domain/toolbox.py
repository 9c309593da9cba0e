"""The one gate between a framework and the tools of its run.

Owns the order of a tool call's events, its time limit, and that a mistake comes back to the model as an answer that it
can correct. Only the gate raises.
"""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from agent_service.domain.breaker import Breakers, Circuit
from agent_service.domain.events import MemoryWritten, StepKind, ToolCalled, ToolResult, Usage
from agent_service.domain.gate import Gate, Step
from agent_service.domain.ledger import tool_digest
from agent_service.domain.task import Task
from agent_service.domain.text import clean
from agent_service.domain.tool import Tool, ToolAnswer, ToolError, ToolRun
from meshkit.errors import DeadlineExceeded, Internal, MeshError, Unavailable
from meshkit.failpoints import failpoint

__all__ = ["Toolbox", "WrittenCall"]

_MAX_ID, _MAX_NAME, _MAX_ARGUMENTS = 128, 64, 256 * 1024  # the contract's bounds
_MAX_ANSWER = 32 * 1024  # characters; more of one answer crowds everything else out of the model's window
_CUT = "\n[the rest was left out]"


@dataclass(frozen=True, slots=True)
class WrittenCall:
    """A call just as the model wrote it. The arguments are text, right or wrong; the id may be missing."""

    id: str
    name: str
    arguments: str


class Toolbox:
    """The tools that one speaker of a run has."""

    def __init__(self, tools: Sequence[Tool], task: Task, gate: Gate, breakers: Breakers, *, speaker: str = "") -> None:
        self.offered = tuple(tools)
        """What the model may be told of."""
        self._tools = {tool.name: tool for tool in tools}
        self._task, self._gate, self._breakers, self._speaker = task, gate, breakers, speaker
        self._written: list[WrittenCall] = []
        self._seen: set[str] = set()

    def written(self, calls: Sequence[WrittenCall]) -> None:
        """Note the next calls as the model wrote them: a framework may mend arguments, and forget ids."""
        self._written = list(calls)

    async def call(self, call_id: str, name: str, arguments: Mapping[str, Any]) -> ToolAnswer:
        """Call a tool by whatever name the model chose; `arguments` are what the framework understood.

        `call_id` may be empty, for a framework that does not tell it. Raises what the gate raises, which ends the run:
        LIMIT_REACHED when it may call no more tools.
        """
        call_id, text = self._claim(call_id, name, arguments)
        tool = self._tools.get(name)
        step = await self._gate.begin(
            StepKind.TOOL,
            name[:_MAX_NAME],
            tool_digest(name, text),
            speaker=self._speaker,
            arguments=_cut(text),
            repeatable=tool is None or tool.repeatable,
        )
        try:
            return await self._carry_out(step, call_id, name, step.arguments or text)
        finally:
            step.leave()

    def _claim(self, call_id: str, name: str, arguments: Mapping[str, Any]) -> tuple[str, str]:
        """Return the id and the arguments of the call as the model wrote it; each call is claimed once."""
        found = [call for call in self._written if call.id == call_id] if call_id else []
        if len(found) != 1:  # none, or numbered alike: it is known by what it says
            found = [call for call in self._written if call.name == name and _understood(call.arguments) == arguments]
        if not found:
            return call_id, json.dumps(arguments, ensure_ascii=False)
        self._written.remove(found[0])
        return call_id or found[0].id, found[0].arguments or json.dumps(arguments, ensure_ascii=False)

    async def _carry_out(self, step: Step, call_id: str, name: str, text: str) -> ToolAnswer:
        event_id = self._unique(call_id, step)
        await step.emit(ToolCalled(event_id, name[:_MAX_NAME], _cut(text)))
        if isinstance(step.recorded, ToolAnswer):
            answer = step.recorded
        else:
            await failpoint("agent.tool.before_call")
            answer = _fit(await self._answer(name, text, step))
            await failpoint("agent.tool.after_effect_before_record")
            await step.complete(answer)
            self._gate.activity.count(Usage(tool_calls=1))
        await step.emit(ToolResult(event_id, name[:_MAX_NAME], answer.content, answer.is_error, answer.sources))
        if answer.memory_id:
            await step.emit(MemoryWritten(answer.memory_id))
        for file in answer.files:
            await step.emit(file)
        await step.finish()
        return answer

    async def _answer(self, name: str, text: str, step: Step) -> ToolAnswer:
        tool = self._tools.get(name)
        if tool is None:
            known = ", ".join(self._tools) or "none"
            return _mistake(f"There is no tool of that name. The tools are: {known}.")
        try:
            arguments = json.loads(text or "{}")
        except (ValueError, RecursionError):
            return _mistake("The arguments are not valid JSON. Send one JSON object that fits the tool's schema.")
        if not isinstance(arguments, dict) or len(text.encode("utf-8", "replace")) > _MAX_ARGUMENTS:
            return _mistake("The arguments must be one JSON object of at most 256 KiB.")
        try:
            with self._breakers.watch(Circuit(self._task.tenant, "tool", name), _is_ill):
                return await self._call(tool, arguments, step)
        except MeshError as error:
            return _mistake(f"The tool failed: {error.reason}.")

    async def _call(self, tool: Tool, arguments: dict[str, Any], step: Step) -> ToolAnswer:
        try:
            async with asyncio.timeout(tool.timeout) as limit:
                return await tool.call(arguments, ToolRun(self._task, step.id, step.idempotency_key))
        except ToolError as error:
            return _mistake(str(error))  # what the model did was wrong; the tool is well
        except TimeoutError:
            if not limit.expired():
                raise
            raise DeadlineExceeded(f"{tool.name} took longer than {tool.timeout:g} s") from None

    def _unique(self, call_id: str, step: Step) -> str:
        # Some models number their calls anew in every message; the contract wants ids that are unique in the run.
        event_id = call_id[:_MAX_ID]
        if not event_id or event_id in self._seen:
            event_id = f"{event_id[: _MAX_ID - 16]}{'.' if event_id else ''}{step.id}"
        self._seen.add(event_id)
        return event_id


def _understood(arguments: str) -> Any:
    """Return what a framework makes of arguments: the gateway gives it `{}` for what is no object or no text."""
    try:
        value = json.loads(arguments)
        json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _is_ill(error: MeshError) -> bool:
    """Return whether it says that the tool is ill; another error says that this call was wrong, or not allowed."""
    return isinstance(error, Unavailable | DeadlineExceeded | Internal)


def _fit(answer: ToolAnswer) -> ToolAnswer:
    """Return the answer as text that can be stored, and not too much of it: tools repeat what models wrote."""
    content = clean(answer.content)
    return replace(answer, content=content if len(content) <= _MAX_ANSWER else content[:_MAX_ANSWER] + _CUT)


def _cut(arguments: str) -> str:
    return arguments.encode(errors="replace")[:_MAX_ARGUMENTS].decode(errors="ignore")


def _mistake(message: str) -> ToolAnswer:
    return ToolAnswer(message, is_error=True)
